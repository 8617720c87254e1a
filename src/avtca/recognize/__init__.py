"""Recognition: clips in, reports out."""

from avtca.recognize.live import LiveResult, LiveRow, LiveSession
from avtca.recognize.recognizer import Recognizer, load
from avtca.recognize.report import Coverage, Person, Report, TimelineRow
from avtca.recognize.scorer import PersonMode

__all__ = [
    "Coverage",
    "LiveResult",
    "LiveRow",
    "LiveSession",
    "Person",
    "PersonMode",
    "Recognizer",
    "Report",
    "TimelineRow",
    "load",
]
