"""Faces of a clip: where they are, whose they are, and their aligned crops."""

from avtca.faces.align import TEMPLATE, align
from avtca.faces.detectors import Availability, Detector, available_detectors, best_detector
from avtca.faces.mtcnn import MtcnnDetector
from avtca.faces.reader import FaceReader, choose
from avtca.faces.slime import SlimeFaceDetector
from avtca.faces.tracker import Tracker
from avtca.faces.types import Detection, FaceTrack, TrackedCrop, TrackedFace
from avtca.faces.yunet import YuNetDetector

__all__ = [
    "TEMPLATE",
    "Availability",
    "Detection",
    "Detector",
    "FaceReader",
    "FaceTrack",
    "MtcnnDetector",
    "SlimeFaceDetector",
    "TrackedCrop",
    "TrackedFace",
    "Tracker",
    "YuNetDetector",
    "align",
    "available_detectors",
    "best_detector",
    "choose",
]
