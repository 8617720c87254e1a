"""Networks as a folder that `avtca predict --model` runs without PyTorch.

Shape legend: ``n`` faces, ``f`` features.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from avtca.clipspec import ClipSpec
from avtca.files import write_atomic
from avtca.labels import FER2013, FERPLUS, order_map
from avtca.model.avtca import AVTCA
from avtca.model.checkpoint import save_checkpoint
from avtca.model.config import Card
from avtca.model.ensemble import Ensemble
from avtca.model.export import export_onnx, quiet, save_program
from avtca.model.expression import ExpressionNetwork

BUNDLE_FORMAT = 1
"""Version of the folder's format; ``recognize.engines`` reads the same."""
CHECKPOINT = "fusion"
"""Name of the checkpoint that further training starts from, without its endings."""


class ExpressionFeatures(nn.Module):
    """The face network as the fusion network's eyes: ``(n, 1, 48, 48)`` -> ``(n, 7)``.

    Its seven logits that FER2013 has (contempt is left out), in FER2013's order, through a linear
    map and a softmax. The map brings them to the scale of the sequences that the fusion network
    learned from; ``weight (7, 7)`` and ``bias (7,)`` are plain ``1 / temperature`` on the
    diagonal where nothing better was measured.
    """

    def __init__(
        self,
        network: ExpressionNetwork,
        *,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("order", torch.tensor(order_map(FERPLUS, FER2013)))
        self.bridge = nn.Linear(len(FER2013), len(FER2013))
        with torch.no_grad():
            self.bridge.weight.copy_(torch.eye(len(FER2013)) if weight is None else weight)
            self.bridge.bias.copy_(torch.zeros(len(FER2013)) if bias is None else bias)

    def forward(self, crops: Tensor) -> Tensor:
        """Probabilities that sum to 1."""
        logits: Tensor = self.network(crops)[:, self.order]
        return torch.softmax(self.bridge(logits - logits.mean(dim=1, keepdim=True)), dim=1)


def export_bundle(
    folder: Path,
    *,
    name: str,
    fusion: AVTCA | Ensemble,
    card: Card,
    start: tuple[AVTCA, ClipSpec] | None = None,
    face: ExpressionFeatures | Path | None = None,
    face_px: int = 48,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the networks, a checkpoint and ``avtca.json``; returns the card.

    ``fusion.onnx`` and, where a face network is given, ``face.onnx`` (a path is another bundle's,
    which is copied) are what runs: the JSON names their hash. ``fusion.safetensors`` and
    ``fusion.json`` hold the fusion network's weights for ``avtca finetune``; nobody else reads
    them, and the JSON names the hash of the former apart. ``start`` is that network with its
    ClipSpec where several run together, one of them; its labels may be finer than the card's. Each
    file is moved into place when complete, the JSON last. ``ValueError`` where it is missing.
    """
    if start is None:
        if isinstance(fusion, Ensemble):
            raise ValueError("several networks together: name the one that training starts from")
        start = fusion, card.clip_spec
    folder.mkdir(parents=True, exist_ok=True)
    files = {"fusion": "fusion.onnx"}
    export_onnx(fusion.eval(), card.clip_spec, folder / files["fusion"])
    if face is not None:
        files["face"] = "face.onnx"
        if isinstance(face, Path):
            _copy(face, folder / files["face"])
        else:
            _export_face(face.eval(), folder / files["face"], face_px)
    saved = save_checkpoint(
        folder / CHECKPOINT,
        *start,
        calibration=card.calibration,
        provenance=card.provenance,
        metrics=card.metrics,
    )
    digest = hashlib.sha256()
    for file in sorted(files.values()):
        digest.update((folder / file).read_bytes())
    out: dict[str, Any] = {
        "format": BUNDLE_FORMAT,
        "name": name,
        "files": files,
        "weights_sha256": digest.hexdigest(),
        "checkpoint": {"name": CHECKPOINT, "sha256": saved.weights_sha256},
        "labels": list(card.labels),
        "clip_spec": card.clip_spec.to_dict(),
        "variant": card.variant,
        "calibration": card.calibration,
        "provenance": card.provenance,
        "metrics": card.metrics,
        **(extra or {}),
    }
    if face is not None:
        out["face"] = {"crop_px": face_px, "colour": "grey", "labels": list(FER2013)}
    write_atomic(folder / "avtca.json", json.dumps(out, indent=1) + "\n")
    return out


def _copy(source: Path, path: Path) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _export_face(face: ExpressionFeatures, path: Path, px: int) -> None:
    batch = torch.export.Dim("batch", min=1, max=65536)
    with quiet():
        program = torch.export.export(
            face, (torch.rand(2, 1, px, px),), dynamic_shapes=({0: batch},)
        )
        made = torch.onnx.export(
            program, input_names=["crops"], output_names=["features"], dynamo=True, verbose=False
        )
    save_program(made, path)
