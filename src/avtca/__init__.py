"""Audio-video emotion recognition with the AVT-CA network (arXiv 2407.18552).

Example:
    >>> import avtca
    >>> report = avtca.load().predict("clip.mp4")  # doctest: +SKIP
    >>> print(report)  # doctest: +SKIP

Decoders and networks are imported with the first use of a name below, so that ``import avtca``
is fast. Messages are logged under ``avtca``. The telemetry of onnxruntime, which is on by default,
is switched off unless ``ORT_DISABLE_TELEMETRY`` is set (docs/privacy.md).
"""

import importlib
import logging
import os
from typing import TYPE_CHECKING, Any

from avtca.errors import AvtcaError
from avtca.progress import ProgressHook

if TYPE_CHECKING:
    from avtca.recognize import Recognizer, Report, load

__version__ = "0.4.0"
__all__ = ["AvtcaError", "ProgressHook", "Recognizer", "Report", "__version__", "load"]

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read when onnxruntime is imported
logging.getLogger("avtca").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name in ("Recognizer", "Report", "load"):
        return getattr(importlib.import_module("avtca.recognize"), name)
    raise AttributeError(f"module 'avtca' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
