"""Networks behind one small interface: the packaged ONNX files, or a checkpoint in PyTorch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.compat import upgrade
from avtca.errors import CheckpointError, MissingExtra
from avtca.preprocess import ModelInput

PACKAGED = Path(__file__).resolve().parents[1] / "weights"
DEFAULT = "default"
"""The packaged model's name."""
FORMAT = 1


@dataclass(frozen=True)
class Bundle:
    """A self-describing ONNX model: ``card`` is its JSON.

    ``face_file`` turns crops into the video features of ``spec`` (absent where the fusion
    network reads pixels itself); ``crop_px`` and ``colour`` are what it wants.
    """

    folder: Path
    card: dict[str, Any]

    @property
    def spec(self) -> ClipSpec:
        """What the fusion network was trained on."""
        return ClipSpec.from_dict(self.card["clip_spec"])

    @property
    def name(self) -> str:
        """Name and version, with the head of the weights' hash."""
        return f"{self.card['name']} ({self.card['weights_sha256'][:12]})"


def model_path(model: str | Path) -> Path:
    """Where a model is that was named: :data:`DEFAULT`, or a path."""
    return PACKAGED if str(model) == DEFAULT else Path(model)


def read_bundle(folder: Path = PACKAGED) -> Bundle:
    """Read ``avtca.json`` of a bundle and check its files against the hash that it names.

    Raises :class:`CheckpointError` where the card or a file is missing, broken, or of another
    format version.
    """
    action = f"load the model in {folder}"
    path = folder / "avtca.json"
    if not path.is_file():
        raise CheckpointError(action, "no avtca.json there", "name a folder that avtca exported")
    try:
        card = upgrade(json.loads(path.read_text(encoding="utf-8")))
        version = card["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            action, f"avtca.json is broken ({error})", "export it again"
        ) from None
    if version != FORMAT:
        raise CheckpointError(
            action, f"format {version}, this avtca reads {FORMAT}", "install the avtca that made it"
        )
    digest = hashlib.sha256()
    for name in sorted(card["files"].values()):
        if not (folder / name).is_file():
            raise CheckpointError(action, f"{name} is missing", "export it again")
        digest.update((folder / name).read_bytes())
    if digest.hexdigest() != card["weights_sha256"]:
        raise CheckpointError(action, "the files are not those the card names", "export it again")
    return Bundle(folder, card)


def thresholds_of(calibration: Mapping[str, Any]) -> dict[str, float]:
    """Confidence from which answers are said to be sure, by what they were read from.

    Of a card's ``sure``: ``{"both": .., "face": .., "voice": ..}``, of which any may be missing or
    ``None``; in older cards a number, which was measured with both.
    """
    sure = calibration.get("sure")
    by_stream = sure if isinstance(sure, Mapping) else {"both": sure}
    named = {name: by_stream.get(name) for name in ("both", "face", "voice")}
    return {name: float(x) for name, x in named.items() if x is not None}


class Engine(Protocol):
    """Runs the networks of a model."""

    spec: ClipSpec
    name: str
    weights: str
    """SHA-256 of what answers."""
    crop_px: int
    colour: str
    temperature: float
    thresholds: dict[str, float]
    """See :func:`thresholds_of`."""

    def expression(self, crops: NDArray[np.uint8]) -> NDArray[np.generic]:
        """One value a crop for ``preprocess.video_window``: features, or the crops themselves."""

    def logits(self, batch: ModelInput) -> NDArray[np.float32]:
        """``(b, n_labels)`` before calibration."""


class OnnxEngine:
    """The packaged model, or any bundle, through onnxruntime.

    ``threads`` 0 lets onnxruntime choose. Raises :class:`CheckpointError` as
    :func:`read_bundle` does.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3

        def session(part: str) -> Any:
            return onnxruntime.InferenceSession(
                bundle.folder / bundle.card["files"][part],
                options,
                providers=["CPUExecutionProvider"],
            )

        self.spec, self.name, self.card = bundle.spec, bundle.name, bundle.card
        self.temperature = float(bundle.card["calibration"]["temperature"])
        self.weights = str(bundle.card["weights_sha256"])
        self.thresholds = thresholds_of(bundle.card["calibration"])
        self._fusion = session("fusion")
        self._face = session("face") if "face" in bundle.card["files"] else None
        face = bundle.card.get("face", {})
        self.crop_px = int(face.get("crop_px", self.spec.crop_px))
        self.colour = str(face.get("colour", self.spec.colour))

    def expression(self, crops: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Crops ``(n, px, px)`` luma or ``(n, px, px, 3)`` RGB to features ``(n, f)``."""
        if self._face is None:
            return crops
        pixels = crops.astype(np.float32) / np.float32(255)
        pixels = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, -1, 1)
        out: NDArray[np.float32] = self._face.run(None, {"crops": pixels})[0]
        return out

    def logits(self, batch: ModelInput) -> NDArray[np.float32]:
        """``(b, n_labels)``."""
        # By position: models exported by avtca 0.1 name their inputs otherwise.
        names = [one.name for one in self._fusion.get_inputs()]
        arrays = (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
        out: NDArray[np.float32] = self._fusion.run(
            ["logits"], dict(zip(names, arrays, strict=True))
        )[0]
        return out


class TorchEngine:
    """A checkpoint of avtca's own training, in PyTorch (the ``train`` extra).

    Only checkpoints that read pixels stand alone; one trained on features takes them from the
    packaged face network where they are of its kind, else :class:`CheckpointError`.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        try:
            import torch

            from avtca.model.checkpoint import load_checkpoint, pair_at
        except ModuleNotFoundError as error:
            raise MissingExtra(
                f"load {path}", f"{error.name} is not installed", "pip install 'avtca[train]'"
            ) from None
        self._torch = torch
        try:
            self.device = torch.device(device)
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            line = str(error).splitlines()[0]
            raise CheckpointError(f"run on device {device}", line, "use --device cpu") from None
        network, card = load_checkpoint(path)
        self._network = network.to(self.device).eval()
        self.spec: ClipSpec = card.clip_spec
        self.name = f"{card.variant} ({path})"
        self.temperature = float(card.calibration.get("temperature", 1.0))
        self.thresholds = thresholds_of(card.calibration)
        blob, _ = pair_at(path, existing=True)
        self.weights = hashlib.sha256(blob.read_bytes()).hexdigest()
        self.crop_px, self.colour = self.spec.crop_px, str(self.spec.colour)
        self._face: OnnxEngine | None = None
        if self.spec.video == "features":
            self._face = OnnxEngine(read_bundle())
            made, wanted = self._face.spec.video_features, self.spec.video_features
            if made != wanted:
                raise CheckpointError(
                    f"recognise with {path}",
                    f"it reads {wanted!r} features, and only {made!r} can be made from video",
                    "train on pixels, or prepare the corpus with the packaged face network",
                )
            self.crop_px, self.colour = self._face.crop_px, self._face.colour
            self.weights += self._face.weights

    def expression(self, crops: NDArray[np.uint8]) -> NDArray[np.generic]:
        """As :meth:`OnnxEngine.expression`."""
        return crops if self._face is None else self._face.expression(crops)

    def logits(self, batch: ModelInput) -> NDArray[np.float32]:
        """``(b, n_labels)``."""
        torch = self._torch
        arrays = (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
        with torch.inference_mode():
            out = self._network(*(torch.from_numpy(a).to(self.device) for a in arrays))
        values: NDArray[np.float32] = out.logits.float().cpu().numpy()
        return values
