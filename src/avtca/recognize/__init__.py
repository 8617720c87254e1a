"""Files in, reports out."""

from avtca.recognize.recognizer import Recognizer, load
from avtca.recognize.report import Coverage, Person, Report, TimelineRow

__all__ = ["Coverage", "Person", "Recognizer", "Report", "TimelineRow", "load"]
