"""The segments of one recording in `avtca predict --segments`, which is read once."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from avtca.cli.formats import Format
from avtca.cli.progress import ProgressBar
from avtca.cli.reports import LONG_S

if TYPE_CHECKING:
    from avtca.cli.predict_call import Call
    from avtca.media import Found
    from avtca.recognize.pool import Timed


SUBTITLES = Format.vtt, Format.srt
"""Formats that hold all segments of a recording, with their text."""


def sentence_outcomes(
    call: "Call", found: Sequence["Found"]
) -> Iterator["Timed | Exception | None"]:
    """For each segment its report or error.

    ``None`` for all if the folder has them all already, so that their person numbers are those of
    one reading, and for those that are no part with an end.

    Args:
        call: The call.
        found: The segments.
    """
    from avtca.recognize.pool import Timed
    from avtca.recognize.sentences import predict_sentences

    parts = {
        k: (one.start_s, one.end_s)
        for k, one in enumerate(found)
        if one.error is None and one.path and one.end_s is not None
    }
    if all(one.path and call.kept(one, one.path) for one in map(found.__getitem__, parts)):
        parts = {}
    outcomes: dict[int, Timed | Exception] = {}
    if parts:
        first = found[min(parts)]
        assert first.path is not None
        options = call.predict_options(first)
        del options["start_s"], options["end_s"]
        started = time.monotonic()
        with ProgressBar(transient=True, min_total=LONG_S) as bar:
            options["progress"] = bar
            made = predict_sentences(call.recognizer, first.path, list(parts.values()), **options)
        took_s = (time.monotonic() - started) / len(parts)
        for k, one in zip(parts, made, strict=True):
            outcomes[k] = one if isinstance(one, Exception) else Timed(one, took_s)
    yield from (outcomes.get(k) for k in range(len(found)))


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
