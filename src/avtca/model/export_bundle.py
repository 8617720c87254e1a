"""Export of a model as a folder that avtca runs without PyTorch (:mod:`avtca.runtime.bundle`)."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch

from avtca.clipspec import ClipSpec
from avtca.files import write_atomic
from avtca.labels import FER2013
from avtca.model.checkpoint import save_checkpoint
from avtca.model.config import Card
from avtca.model.ensemble import Ensemble
from avtca.model.export import example_inputs, export_onnx, quiet, save_program
from avtca.model.expression import ExpressionFeatures
from avtca.model.network import FusionNetwork

BUNDLE_FORMAT = 1
"""Version of the folder's format, the same as in :mod:`avtca.runtime.bundle`."""
CHECKPOINT = "fusion"
"""File name of the checkpoint for further training, without suffix."""


def export_bundle(
    folder: Path,
    *,
    name: str,
    fusion: FusionNetwork | Ensemble,
    card: Card,
    start: tuple[FusionNetwork, ClipSpec] | None = None,
    face: ExpressionFeatures | Path | None = None,
    face_px: int = 48,
    extra: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the ONNX networks, a checkpoint and ``avtca.json``.

    ``fusion.onnx`` and ``face.onnx`` are what recognition runs; the former also gives the attention
    maps between the streams, if the network has any. ``fusion.safetensors`` and
    ``fusion.json`` are the fusion network's checkpoint, which only ``avtca finetune`` reads; the
    card holds its hash separately. Each file is moved into place when complete, the card last.

    Args:
        folder: Created if it does not exist.
        name: Name of the model.
        fusion: The network, or the ensemble, that recognition runs.
        card: Its card: variant, ClipSpec, calibration, provenance, metrics.
        start: The network to save as the checkpoint, with its ClipSpec, whose labels may be finer
            than the card's. Required if ``fusion`` is an ensemble; otherwise ``fusion`` itself.
        face: The face network, or the path of an exported one, which is copied; ``None`` if
            ``fusion`` reads pixels, or the features of the packaged face network.
        face_px: Side of the face crops in pixels.
        extra: Further entries of the card.

    Returns:
        The card as written.

    Raises:
        ValueError: If ``fusion`` is an ensemble and ``start`` is missing.
    """
    if start is None:
        if isinstance(fusion, Ensemble):
            raise ValueError("an ensemble: give start, the member that training starts from")
        start = fusion, card.clip_spec
    folder.mkdir(parents=True, exist_ok=True)
    files = {"fusion": "fusion.onnx"}
    times = _map_times(fusion.eval(), card.clip_spec)
    export_onnx(fusion, card.clip_spec, folder / files["fusion"], maps=tuple(times))
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
    if times:
        out["attention"] = times
    if face is not None:
        out["face"] = {"crop_px": face_px, "colour": "grey", "labels": list(FER2013)}
    write_atomic(folder / "avtca.json", json.dumps(out, indent=1) + "\n")
    return out


def _map_times(
    fusion: FusionNetwork | Ensemble, spec: ClipSpec
) -> dict[str, dict[str, list[float]]]:
    """Times of the steps of each attention map between the streams, by the map's name."""
    if isinstance(fusion, Ensemble):
        return {}
    with torch.inference_mode():
        found = fusion(*example_inputs(spec), return_attention=True).attention
    return {
        name: {
            "query_times": [round(float(t), 6) for t in one.query_times],
            "key_times": [round(float(t), 6) for t in one.key_times],
        }
        for name, one in found.items()
        if not name.startswith("self_attention")
    }


def _copy(source: Path, path: Path) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        shutil.copyfile(source, partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


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
