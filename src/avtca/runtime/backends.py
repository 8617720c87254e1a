"""Backends that run a model: ONNX files in onnxruntime, or a checkpoint in PyTorch."""

import hashlib
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.errors import CheckpointError, MissingExtra
from avtca.preprocess import ModelInput
from avtca.run_dir import best_checkpoint
from avtca.runtime.attention import AttentionMap, AttentionMaps
from avtca.runtime.bundle import (
    CARD_FILE,
    PACKAGED,
    Bundle,
    model_path,
    read_bundle,
    thresholds_of,
    training_files_of,
)
from avtca.runtime.scores import check_outputs

FACE_BATCH = 9
"""Face crops in one run of the face network; the values of more do not fit into a core's cache."""
DIGEST_CHARACTERS = 16
"""Length of the hashes in :attr:`Backend.training_files`."""


class Backend(Protocol):
    """Runs the networks of a model."""

    spec: ClipSpec
    """The model input."""
    name: str
    """For reports."""
    weights: str
    """SHA-256 of the weights."""
    crop_px: int
    """Side of the face crops that ``encode_faces`` takes, in pixels."""
    colour: str
    """Colour of those crops, "rgb" or "grey"."""
    temperature: float
    """Divisor of the logits before softmax."""
    thresholds: dict[str, float]
    """See :func:`~avtca.runtime.bundle.thresholds_of`."""
    training_files: frozenset[str]
    """The first :data:`DIGEST_CHARACTERS` characters of the SHA-256 of media files that the model
    was trained on, as far as its card has them."""

    def encode_faces(self, crops: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Face crops to video steps for ``preprocess.video_window``.

        Args:
            crops: ``(n, px, px)`` luma or ``(n, px, px, 3)`` RGB.

        Returns:
            Features ``(n, f)``, or the crops themselves if the model reads pixels.
        """

    def logits(self, batch: ModelInput) -> NDArray[np.float32]:
        """Logits ``(b, n_labels)`` before calibration."""

    def attend(self, batch: ModelInput) -> tuple[NDArray[np.float32], AttentionMaps]:
        """Logits and attention maps of the windows, from one run.

        The maps are empty for a network without attention.
        """


class OnnxBackend:
    """An exported model in onnxruntime.

    Args:
        bundle: The model.
        threads: Threads of onnxruntime, by default one, beside which video is decoded; 0 lets it
            choose.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3

        def session(part: str) -> Any:
            file = bundle.folder / bundle.card["files"][part]
            try:
                return onnxruntime.InferenceSession(
                    file, options, providers=["CPUExecutionProvider"]
                )
            except Exception as error:  # onnxruntime has no base class of its errors
                line = str(error).splitlines()[0][:200]
                raise CheckpointError(
                    f"load {file}", f"not a network ({line})", "export it again"
                ) from None

        self.spec, self.name, self.card = bundle.spec, bundle.name, bundle.card
        self.temperature = float(bundle.card["calibration"]["temperature"])
        self.weights = str(bundle.card["weights_sha256"])
        self.thresholds = thresholds_of(bundle.card["calibration"])
        self.training_files = training_files_of(bundle.card.get("provenance") or {})
        self._fusion = session("fusion")
        self._times = bundle.card.get("attention", {})
        self._face = session("face") if "face" in bundle.card["files"] else None
        face = bundle.card.get("face", {})
        self.crop_px = int(face.get("crop_px", self.spec.crop_px))
        self.colour = str(face.get("colour", self.spec.colour))
        if self.spec.video == "features" and self._face is None:
            packaged = packaged_face(self.spec, str(bundle.folder), threads=threads)
            self._face, self.weights = packaged._face, self.weights + packaged.weights
            self.crop_px, self.colour = packaged.crop_px, packaged.colour
        n_inputs = len(self._fusion.get_inputs())
        if n_inputs != 4 or "logits" not in [each.name for each in self._fusion.get_outputs()]:
            raise CheckpointError(
                f"load the model in {bundle.folder}",
                f"its network has {n_inputs} inputs, or no output named logits",
                "export it again",
            )

    def encode_faces(self, crops: NDArray[np.uint8]) -> NDArray[np.generic]:
        """See :meth:`Backend.encode_faces`."""
        if self._face is None:
            return crops
        pixels = crops.astype(np.float32) / np.float32(255)
        pixels = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, -1, 1)
        parts = [
            self._run(self._face, [], {"crops": pixels[at : at + FACE_BATCH]})[0]
            for at in range(0, max(1, len(pixels)), FACE_BATCH)
        ]
        values = np.concatenate(parts)
        return check_outputs(values, (len(crops), *self.spec.step_shape), self.name)

    def logits(self, batch: ModelInput) -> NDArray[np.float32]:
        """See :meth:`Backend.logits`."""
        (values,) = self._run(self._fusion, ["logits"], self._inputs(batch))
        return check_outputs(values, (len(batch.video), len(self.spec.labels)), self.name)

    def attend(self, batch: ModelInput) -> tuple[NDArray[np.float32], AttentionMaps]:
        """See :meth:`Backend.attend`."""
        if not self._times:
            return self.logits(batch), {}
        outputs = [name.replace(".", "_") for name in self._times]
        values, *found = self._run(self._fusion, ["logits", *outputs], self._inputs(batch))
        logits = check_outputs(values, (len(batch.video), len(self.spec.labels)), self.name)
        out = {}
        for (name, times), weights in zip(self._times.items(), found, strict=True):
            query, key = times["query_times"], times["key_times"]
            heads = weights.shape[1] if weights.ndim == 4 else 0
            shape = (len(batch.video), heads, len(query), len(key))
            out[name] = AttentionMap.of(check_outputs(weights, shape, self.name), query, key)
        return logits, out

    def _inputs(self, batch: ModelInput) -> dict[str, NDArray[Any]]:
        # By position: models exported by avtca 0.1 have other input names.
        names = [item.name for item in self._fusion.get_inputs()]
        arrays = (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
        return dict(zip(names, arrays, strict=True))

    def _run(
        self, session: Any, outputs: list[str], inputs: dict[str, NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """These outputs, or all; an error where the network does not fit its card."""
        try:
            return [np.asarray(value) for value in session.run(outputs or None, inputs)]
        except Exception as error:  # onnxruntime has no base class of its errors
            line = str(error).splitlines()[0][:200]
            raise CheckpointError(f"run {self.name}", line, "export the model again") from error


def packaged_face(spec: ClipSpec, model: str, *, threads: int = 0) -> OnnxBackend:
    """The packaged model, for its face network, which a model without one reads features of.

    Raises:
        CheckpointError: The model reads other features.
    """
    face = OnnxBackend(read_bundle(), threads=threads)
    made, wanted = face.spec.video_features, spec.video_features
    if made != wanted:
        raise CheckpointError(
            f"recognise with {model}",
            f"it reads {wanted!r} features, and only {made!r} can be made from video",
            "train on pixels, or prepare the corpus with the packaged face network",
        )
    return face


class TorchBackend:
    """A checkpoint of avtca's training in PyTorch (the ``train`` extra).

    A checkpoint trained on video features gets them from the packaged face network.

    Args:
        path: The checkpoint.
        device: A device of PyTorch.

    Raises:
        CheckpointError: If the checkpoint cannot be loaded, the device is not there, or the
            packaged face network makes other features than the checkpoint reads.
        MissingExtra: If PyTorch is not installed.
    """

    def __init__(self, path: Path, *, device: str = "cpu") -> None:
        try:
            import torch

            from avtca.model.checkpoint import load_checkpoint, pair_at
            from avtca.runtime.card import check_calibration
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
        try:
            check_calibration(card.calibration)
        except ValueError as error:
            raise CheckpointError(
                f"load {path}", f"broken card ({error})", "copy or train it again"
            ) from None
        self.name = f"{card.variant} ({path})"
        self.temperature = float(card.calibration.get("temperature", 1.0))
        self.thresholds = thresholds_of(card.calibration)
        self.training_files: frozenset[str] = frozenset()
        blob, _ = pair_at(path, existing=True)
        self.weights = hashlib.sha256(blob.read_bytes()).hexdigest()
        self.crop_px, self.colour = self.spec.crop_px, str(self.spec.colour)
        self._face: OnnxBackend | None = None
        if self.spec.video == "features":
            self._face = packaged_face(self.spec, str(path))
            self.crop_px, self.colour = self._face.crop_px, self._face.colour
            self.weights += self._face.weights

    def encode_faces(self, crops: NDArray[np.uint8]) -> NDArray[np.generic]:
        """See :meth:`Backend.encode_faces`."""
        return crops if self._face is None else self._face.encode_faces(crops)

    def logits(self, batch: ModelInput) -> NDArray[np.float32]:
        """See :meth:`Backend.logits`."""
        return self._checked(self._run(batch), batch)

    def attend(self, batch: ModelInput) -> tuple[NDArray[np.float32], AttentionMaps]:
        """See :meth:`Backend.attend`."""
        output = self._run(batch, return_attention=True)
        out = {}
        for name, found in output.attention.items():
            weights = found.weights * found.query_mask[:, None, :, None]
            tensors = (weights, found.query_times, found.key_times)
            out[name] = AttentionMap.of(*(one.float().cpu().numpy() for one in tensors))
        return self._checked(output, batch), out

    def _checked(self, output: Any, batch: ModelInput) -> NDArray[np.float32]:
        values = output.logits.float().cpu().numpy()
        return check_outputs(values, (len(batch.video), len(self.spec.labels)), self.name)

    def _run(self, batch: ModelInput, **options: bool) -> Any:
        torch = self._torch
        arrays = (batch.video, batch.audio, batch.video_mask, batch.audio_mask)
        with torch.inference_mode():
            return self._network(*(torch.from_numpy(a).to(self.device) for a in arrays), **options)


def load_backend(
    model: str | Path = PACKAGED, *, device: str = "cpu", threads: int = 1
) -> OnnxBackend | TorchBackend:
    """The backend for a model.

    Args:
        model: "default", "avt-ca", a folder that avtca exported (ONNX), or a checkpoint of avtca's
            training (needs the ``train`` extra), or its folder, of which the best one is taken.
        device: "cpu", or for a checkpoint any device of PyTorch.
        threads: Threads of onnxruntime, by default one, beside which video is decoded; 0 lets it
            choose.

    Raises:
        CheckpointError: If the model cannot be used.
        MissingExtra: If it is a checkpoint and PyTorch is not installed.
    """
    path = model_path(model)
    if path != PACKAGED and not (path / CARD_FILE).is_file():
        return TorchBackend(_run_checkpoint(path), device=device)
    bundle = read_bundle(path)
    if device != "cpu":
        raise CheckpointError(
            f"run on device {device}",
            f"{path.name} is an ONNX model, which runs on the CPU here",
            "leave --device out, or give a checkpoint of avtca's training",
        )
    return OnnxBackend(bundle, threads=threads)


def _run_checkpoint(path: Path) -> Path:
    """The best checkpoint in the folder of a training, or the path itself.

    Raises:
        CheckpointError: The folder has several trainings, or none that has a checkpoint.
    """
    if not path.is_dir():
        return path
    if any(path.glob("seed*/fold*")):
        raise CheckpointError(
            f"load {path}",
            "it is a cross-validation, whose networks are for testing one fold each",
            f"name one of them, such as {path / 'seed0' / 'fold0'}, or train one with avtca train",
        )
    found = best_checkpoint(path)
    if found == path:
        problem = "it has no exported model, and no checkpoint of a training"
        raise CheckpointError(f"load {path}", problem, "name a model's folder, or train to the end")
    return found
