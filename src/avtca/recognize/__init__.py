"""Recognition: clips in, reports out."""

from avtca.recognize.recognizer import PersonMode, Recognizer, load
from avtca.recognize.report import Coverage, Person, Report, TimelineRow

__all__ = ["Coverage", "Person", "PersonMode", "Recognizer", "Report", "TimelineRow", "load"]
