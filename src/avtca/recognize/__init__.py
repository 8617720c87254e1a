"""Files in, reports out."""

from avtca.recognize.recognizer import Recognizer, load
from avtca.recognize.report import Coverage, Report, TimelineRow

__all__ = ["Coverage", "Recognizer", "Report", "TimelineRow", "load"]
