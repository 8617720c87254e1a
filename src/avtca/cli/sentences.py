"""The segments of one recording in `avtca predict --segments`, which is read once."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from avtca import cli
from avtca.cli.formats import Format
from avtca.cli.progress import ProgressBar
from avtca.cli.reports import LONG_S
from avtca.text import printable

if TYPE_CHECKING:
    from avtca.cli.predict_call import Call
    from avtca.media import Found
    from avtca.recognize import Recognizer
    from avtca.recognize.pool import Timed


SUBTITLES = Format.vtt, Format.srt
"""Formats that hold all segments of a recording, with their text."""
JOURNAL = "avtca-segments.part"
"""File in the folder of the results from which a stopped reading resumes."""


def sentence_outcomes(
    call: "Call", found: Sequence["Found"]
) -> Iterator["Timed | Exception | None"]:
    """For each segment its report or error.

    ``None`` for those that the folder has already, and for those that are no part with an end.
    After a reading that was stopped all are given, so that they have the same person numbers.

    Args:
        call: The call.
        found: The segments.
    """
    from avtca.recognize.pool import Timed
    from avtca.recognize.sentences import predict_sentences

    resumed = call.folder is not None and (call.folder.folder / JOURNAL).exists()
    new = {
        k: (one.start_s, one.end_s)
        for k, one in enumerate(found)
        if one.error is None and one.path and one.end_s is not None
        if resumed or not call.kept(one, one.path)
    }
    outcomes: dict[int, Timed | Exception] = {}
    if new:
        first = found[min(new)]
        assert first.path is not None
        options = call.predict_options(first)
        del options["start_s"], options["end_s"]
        if resumed:
            cli.err.print(f"note: resumes the reading of {printable(str(first.path))}")
        started = time.monotonic()
        with _recognizer(call) as recognizer, ProgressBar(transient=True, min_total=LONG_S) as bar:
            options["progress"] = bar
            made = predict_sentences(recognizer, first.path, list(new.values()), **options)
        took_s = (time.monotonic() - started) / len(new)
        for k, one in zip(new, made, strict=True):
            outcomes[k] = one if isinstance(one, Exception) else Timed(one, took_s)
    yield from (outcomes.get(k) for k in range(len(found)))


def _recognizer(call: "Call") -> AbstractContextManager["Recognizer"]:
    """The recognizer of the call, which keeps results in its folder."""
    if call.folder is None:
        return nullcontext(call.recognizer)
    from avtca.recognize.journal import journaled

    return journaled(call.recognizer, call.folder.folder / JOURNAL, call.folder.options_id)


def subtitles(call: "Call", format: Format) -> str:
    """The segments as subtitles with their text, as far as the given file has it."""
    from avtca.recognize.exports.subtitles import sentences_srt, sentences_vtt

    assert call.joined is not None
    sheet = call.joined.sheet
    names = [name.casefold() for name in sheet.columns]
    texts = ["" if "text" not in names else row[names.index("text")] for row in sheet.rows]
    found = [
        (result, "" if text is None else str(text))
        for result, text in zip(call.results, texts, strict=False)
        if not isinstance(result, tuple)
    ]
    return sentences_vtt(found) if format is Format.vtt else sentences_srt(found)
