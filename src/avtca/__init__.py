"""Audio-video emotion recognition on the AVT-CA network (arXiv 2407.18552).

>>> import avtca
>>> report = avtca.load().predict("clip.mp4")  # doctest: +SKIP
>>> report.top, report.scores, report.timeline  # doctest: +SKIP

Importing is cheap: the decoders and engines are loaded with the first use of a name below.
"""

import importlib
from typing import TYPE_CHECKING, Any

from avtca.errors import AvtcaError

if TYPE_CHECKING:
    from avtca.recognize import Recognizer, Report, load

__version__ = "0.2.0"
__all__ = ["AvtcaError", "Recognizer", "Report", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("Recognizer", "Report", "load"):
        return getattr(importlib.import_module("avtca.recognize"), name)
    raise AttributeError(f"module 'avtca' has no attribute {name!r}")
