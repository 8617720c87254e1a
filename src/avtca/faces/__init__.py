"""Face detection, tracking and alignment."""

from avtca.faces.align import TEMPLATE, align, align_image
from avtca.faces.blazeface import BlazeFaceDetector
from avtca.faces.detectors import Availability, Detector, available_detectors, best_detector
from avtca.faces.slime import SlimeFaceDetector
from avtca.faces.track_faces import rank_people, track_faces
from avtca.faces.tracker import Tracker
from avtca.faces.types import Detection, TrackedCrop, TrackedFace
from avtca.faces.yunet import YuNetDetector

__all__ = [
    "TEMPLATE",
    "Availability",
    "BlazeFaceDetector",
    "Detection",
    "Detector",
    "SlimeFaceDetector",
    "TrackedCrop",
    "TrackedFace",
    "Tracker",
    "YuNetDetector",
    "align",
    "align_image",
    "available_detectors",
    "best_detector",
    "rank_people",
    "track_faces",
]
