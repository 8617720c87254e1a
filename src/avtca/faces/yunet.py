"""OpenCV's YuNet (Wu, Peng, Yu 2023), with a model file given by the user (extra ``yunet``).

The model comes from OpenCV's model zoo, ``face_detection_yunet_2023mar.onnx``; none is included.
This detector was tested with OpenCV 5.0 on a substitute network with YuNet's outputs
(``tests/faces/test_faces_yunet.py``), not on YuNet's weights.
"""

from pathlib import Path
from typing import Any

import numpy as np

from avtca.errors import ConfigError, MissingExtra
from avtca.faces.scale import SIDE, detect_reduced
from avtca.faces.types import Detection, UInt8

MIN_CONFIDENCE = 0.6
"""Fainter detections are dropped."""
OVERLAP = 0.3
"""Of two boxes that overlap by more than this share of their union, the better is kept."""


class YuNetDetector:
    """YuNet. Raises :class:`MissingExtra` without OpenCV, :class:`ConfigError` where
    ``model_path`` is not a model that OpenCV can read.
    """

    name = "yunet"

    def __init__(self, model_path: str | Path) -> None:
        cv2 = _opencv()
        action = f"find faces with YuNet's model {model_path}"
        fix = "give face_detection_yunet_2023mar.onnx of OpenCV's model zoo"
        if not Path(model_path).is_file():
            raise ConfigError(action, "there is no such file", fix)
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(model_path), "", (SIDE, SIDE), MIN_CONFIDENCE, OVERLAP
            )
        except cv2.error as error:
            reason = " ".join(str(error).split())
            raise ConfigError(action, f"OpenCV cannot read it ({reason})", fix) from error

    def detect(self, rgb: UInt8) -> list[Detection]:
        """Faces in ``rgb (h, w, 3)`` uint8, in its pixels, the most confident first."""
        return detect_reduced(rgb, self._detect)

    def _detect(self, rgb: UInt8) -> list[Detection]:
        self._net.setInputSize((rgb.shape[1], rgb.shape[0]))
        _, rows = self._net.detect(np.ascontiguousarray(rgb[:, :, ::-1]))
        return [] if rows is None else [_detection(row) for row in rows]


def _detection(row: Any) -> Detection:
    """From x, y, width, height, five points (right eye first) and the score."""
    x, y, width, height = row[:4]
    return Detection(
        box=np.array([x, y, x + width, y + height], np.float32),
        landmarks=np.asarray(row[4:14], np.float32).reshape(5, 2),
        confidence=float(row[14]),
    )


def opencv_version() -> str:
    """Version of OpenCV. Raises :class:`MissingExtra` where it does not import."""
    return str(_opencv().__version__)


def _opencv() -> Any:
    try:
        import cv2

        cv2.FaceDetectorYN  # noqa: B018
    except (ImportError, AttributeError) as error:
        raise MissingExtra(
            "find faces with YuNet",
            f"OpenCV does not import, or is older than 4.5.4 ({error})",
            "pip install 'avtca[yunet]'",
        ) from error
    return cv2
