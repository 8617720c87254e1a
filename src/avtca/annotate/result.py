"""The result of one recording, as a line of JSON, and the tables that results become."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from avtca.annotate import remote
from avtca.annotate.recordings import Recording
from avtca.errors import AvtcaError
from avtca.recognize.report import CSV_BOX, CSV_HEAD, NO_PERSON, SPEAKING
from avtca.text import label_columns, printable

if TYPE_CHECKING:
    import pyarrow

    from avtca.recognize import PersonMode, Recognizer, Report

OK, FAILED = "ok", "failed"
"""Values of the column ``status``."""
RECORDING_HEAD = ["id", "path", "start_s", "end_s", "status", "error", "duration_s"]
RECORDING_HEAD += ["top", "confidence", "sure", "sure_from", "streams"]
"""Columns before the labels in the table of recordings."""
RECORDING_TAIL = ["read", "face", "voice", "people", "windows", "doubts", "warnings"]
"""Columns after the labels."""
WINDOW_HEAD = ["id", *CSV_HEAD[1:]]
"""Columns before the labels in the table of windows."""
_TEXTS = {"id", "path", "status", "error", "top", "streams", "doubts", "warnings", "modalities"}
_WHOLE = {"person", "people", "windows", *CSV_BOX}


@dataclass(frozen=True)
class Options:
    """How the recordings of a run are recognised.

    Attributes:
        model: See :func:`avtca.load`.
        detector: See :func:`avtca.load`.
        window_s: See :meth:`Recognizer.predict`.
        hop_s: See :meth:`Recognizer.predict`.
        person: See :meth:`Recognizer.predict`.
        speaker_model: See :func:`avtca.load`.
    """

    model: str | None = None
    detector: str | None = None
    window_s: float | None = None
    hop_s: float | None = None
    person: "PersonMode" = "main"
    speaker_model: str | None = None


@functools.cache
def recognizer(
    model: str | None, detector: str | None, speaker_model: str | None = None
) -> "Recognizer":
    """The recognizer of this process."""
    from avtca.recognize import load

    return load(model, detector=detector, speaker_model=speaker_model)


def annotate_recording(options: Options, recording: Recording) -> str:
    """Recognise a recording.

    Returns:
        A line of JSON with cells for both tables; every failure is a line too.
    """
    if recording.error:
        return failed(recording, recording.error)
    try:
        report = _predict(options, recording)
        rows = [[recording.id, *row[1:]] for row in report.window_rows()]
        return _line(_recording_cells(recording, report), rows)
    except AvtcaError as error:
        return failed(recording, str(error))
    except Exception as error:
        return failed(recording, f"internal error: {remote.describe(error)}")


def failed(recording: Recording, error: str) -> str:
    """The line of a recording that could not be recognised."""
    error = printable(" ".join(error.split()))
    return _line(_identity(recording) | {"status": FAILED, "error": error}, [])


def died(recording: Recording) -> str:
    """The line of a recording whose process ended."""
    error = "the process that read it ended: out of memory, or a crash in a decoder"
    return failed(recording, f"recognise {recording.path}: {error}; convert the file")


def schemas(labels: Sequence[str], model: str) -> dict[str, "pyarrow.Schema"]:
    """The columns of both tables, "recordings" and "windows"."""
    import pyarrow

    def field(name: str) -> Any:
        if name in _TEXTS:
            return pyarrow.field(name, pyarrow.string())
        if name in _WHOLE:
            return pyarrow.field(name, pyarrow.int64())
        return pyarrow.field(name, pyarrow.bool_() if name == "sure" else pyarrow.float64())

    def schema(head: Sequence[str], tail: Sequence[str]) -> Any:
        names = [*head, *label_columns(labels, [*head, *tail]).values(), *tail]
        return pyarrow.schema(map(field, names), {"model": model})

    return {
        "recordings": schema(RECORDING_HEAD, RECORDING_TAIL),
        "windows": schema(WINDOW_HEAD, [*CSV_BOX, SPEAKING]),
    }


def _predict(options: Options, recording: Recording) -> "Report":
    one = recognizer(options.model, options.detector, options.speaker_model)
    choices: dict[str, Any] = {
        "window_s": options.window_s,
        "hop_s": options.hop_s,
        "person": options.person,
        "start_s": recording.start_s,
        "end_s": recording.end_s,
    }
    if not remote.is_address(recording.source):
        return one.predict(recording.source, **choices)
    remote.require_clients(recording.source)
    if path := remote.local_path(recording.source):
        return one.predict(path, **choices)
    with remote.RemoteFile(recording.source) as file:
        return one.predict(file, **choices)  # type: ignore[arg-type]


def _identity(recording: Recording) -> dict[str, Any]:
    names = ("id", "path", "start_s", "end_s")
    return {name: getattr(recording, name) for name in names}


def _recording_cells(recording: Recording, report: "Report") -> dict[str, Any]:
    plain = report.to_dict()
    columns = label_columns(report.labels, [*RECORDING_HEAD, *RECORDING_TAIL])
    cells = _identity(recording) | {"status": OK}
    names = ("duration_s", "top", "confidence", "sure", "sure_from", "streams")
    cells |= {name: plain[name] for name in names}
    cells |= {columns[name]: score for name, score in plain["scores"].items()}
    cells |= plain["coverage"]
    people = {row.person for row in report.timeline} - {NO_PERSON}
    cells |= {"people": len(people), "windows": len(report.timeline)}
    for name in ("doubts", "warnings"):
        cells[name] = " | ".join(getattr(report, name)) or None
    return cells


def _line(recording: dict[str, Any], windows: list[list[Any]]) -> str:
    return json.dumps({"recording": recording, "windows": windows}, allow_nan=False)
