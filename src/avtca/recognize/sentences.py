"""Sentences of one recording, which is read once, so that its persons have the same numbers."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from avtca.errors import MediaError
from avtca.media import open_media
from avtca.media.types import fragment
from avtca.preprocess import window_starts
from avtca.recognize.checks import has_still_face, shares_audio
from avtca.recognize.prediction import (
    BRIEF_FACE,
    MIN_FACE_S,
    SHARED_AUDIO,
    STILL_FACE,
    Coverage,
    TimelineRow,
    main_rows,
    scores_of,
)
from avtca.recognize.report import Person, Report, person_coverage

if TYPE_CHECKING:
    from avtca.recognize.recognizer import Recognizer

Span = tuple[float, float]
"""Start and end in seconds."""


def predict_sentences(
    recognizer: "Recognizer",
    path: Path,
    sentences: Sequence[Span],
    *,
    window_s: float | None = None,
    hop_s: float | None = None,
    **options: Any,
) -> list[Report | MediaError]:
    """Recognise sentences of a recording, by default from the person who speaks each.

    The recording is read once from the first to the last sentence: who speaks is found with the
    evidence of all of it, and a person has the same number in each sentence. Windows lie within
    the sentences; they start with whole steps of the video, a tenth of a second.

    Args:
        recognizer: The recognizer.
        path: The recording.
        sentences: Start and end of each in seconds of the file; they may overlap.
        window_s: See :meth:`Recognizer.predict`.
        hop_s: See :meth:`Recognizer.predict`.
        options: Further options of :meth:`Recognizer.predict`; ``person`` is "speaker" by default.

    Returns:
        A report for each sentence, as of that part of the file, or an error where the sentence is
        not in the file or has neither a face nor a voice.

    Raises:
        MediaError: The file cannot be read.
        ConfigError: See :meth:`Recognizer.predict`.
    """
    clip = open_media(path)
    found: dict[int, Report | MediaError] = {}
    for k, sentence in enumerate(sentences):
        try:
            clip.part(*sentence)
        except MediaError as error:
            found[k] = error
    inside = {k: sentence for k, sentence in enumerate(sentences) if k not in found}
    if inside:
        first = min(start for start, _ in inside.values())
        last = max(end for _, end in inside.values())
        window, hop = recognizer.steps(window_s, hop_s)
        rate = recognizer.backend.spec.video_rate
        windows = {
            k: _windows(start - first, end - first, window, hop, rate)
            for k, (start, end) in inside.items()
        }
        whole = recognizer.predict(
            path,
            start_s=first,
            end_s=last,
            windows=sorted({one for those in windows.values() for one in those}),
            window_s=window_s,
            hop_s=hop_s,
            **{"person": "speaker", **options},
        )
        name = whole.file.removesuffix(fragment(first, last))
        for k, (start, end) in inside.items():
            found[k] = _of_sentence(whole, windows[k], start, end, first, name)
    return [found[k] for k in range(len(sentences))]


def _windows(start_s: float, end_s: float, window: int, hop: int, rate: float) -> list[Span]:
    """Windows of a sentence in seconds, on whole steps."""
    first = int(np.floor(start_s * rate + 1e-6))
    total = max(1, int(np.ceil(end_s * rate - 1e-6)) - first)
    starts = window_starts(window, hop, lambda end: end < total, lambda: total)
    return [((first + at) / rate, (first + min(at + window, total)) / rate) for at in starts]


def _of_sentence(
    whole: Report, windows: Sequence[Span], start_s: float, end_s: float, offset: float, name: str
) -> Report | MediaError:
    """The report of one sentence.

    Args:
        whole: Report of all of them, whose time zero is ``offset`` in the file.
        windows: Those of the sentence, on the clock of ``whole``.
        start_s: Start of the sentence in seconds of the file.
        end_s: Its end.
        offset: See ``whole``.
        name: The file.
    """
    shift, part = start_s - offset, (start_s, end_s)
    length_s = min(end_s - start_s, whole.duration_s - shift)
    planned = {round(start, 3): min(end, whole.duration_s) for start, end in windows}
    rows = [
        row
        for row in whole.timeline
        if abs(planned.get(round(row.start_s, 3), -1.0) - row.end_s) < 1e-3
    ]
    main = main_rows(rows)
    if not any(row.scores for row in main):
        return MediaError(
            f"recognise {name}{fragment(*part)}",
            "there is neither a face nor a voice",
            "leave the segment out, or correct its times",
        )
    length = max(1e-9, sum(row.end_s - row.start_s for row in main))
    seen_s = sum(row.face * (row.end_s - row.start_s) for row in main)
    voiced_s = sum(row.voice * (row.end_s - row.start_s) for row in main)
    coverage = Coverage(whole.coverage.read, seen_s / length, voiced_s / length)
    used = {(row.start_s, row.end_s) for row in rows}
    return replace(
        whole,
        file=f"{name}{fragment(*part)}",
        duration_s=length_s,
        scores=scores_of(main, whole.labels),
        timeline=_moved(rows, shift, length_s),
        coverage=coverage,
        people=tuple(
            _of_person(person, mine, coverage, shift, length_s)
            for person in whole.people
            if (mine := [row for row in rows if row.person == person.number and row.scores])
        ),
        thumbnails=tuple(
            replace(one, time_s=one.time_s - shift)
            for one in whole.thumbnails
            if 0 <= one.time_s - shift < length_s
        ),
        doubts=_doubts(whole.doubts, main, seen_s, length_s),
        part=part,
        attention=tuple(
            replace(one, start_s=one.start_s - shift, end_s=one.end_s - shift)
            for one in whole.attention
            if (one.start_s, one.end_s) in used
        ),
        speech=tuple(
            replace(
                turn,
                start_s=max(0.0, turn.start_s - shift),
                end_s=min(length_s, turn.end_s - shift),
            )
            for turn in whole.speech
            if turn.start_s - shift < length_s and turn.end_s > shift
        ),
    )


def _of_person(
    person: Person, rows: list[TimelineRow], coverage: Coverage, shift: float, length_s: float
) -> Person:
    seen_s = min(length_s, sum(row.face * (row.end_s - row.start_s) for row in rows))
    return replace(
        person,
        scores=scores_of(rows, tuple(person.scores)),
        timeline=_moved(rows, shift, length_s),
        coverage=person_coverage(coverage, seen_s, length_s),
        doubts=_doubts(person.doubts, rows, seen_s, length_s),
        seen_s=seen_s,
        first_s=max(0.0, person.first_s - shift),
        last_s=min(length_s, person.last_s - shift),
        at_s=None if person.at_s is None else person.at_s - shift,
    )


def _doubts(
    whole: Sequence[str], rows: Sequence[TimelineRow], seen_s: float, length_s: float
) -> tuple[str, ...]:
    """The doubts of the recording, those that depend on windows by those of the sentence."""
    by_windows = {
        STILL_FACE: has_still_face(rows),
        BRIEF_FACE: 0 < seen_s < min(MIN_FACE_S, length_s) - 1e-6,
        SHARED_AUDIO: shares_audio(rows),
    }
    kept = (one for one in whole if one not in by_windows)
    return (*kept, *(one for one, found in by_windows.items() if found))


def _moved(rows: Iterable[TimelineRow], shift: float, length_s: float) -> tuple[TimelineRow, ...]:
    """Rows on the clock of a sentence, within which they lie but for a part of a step."""
    return tuple(
        replace(
            row,
            start_s=max(0.0, row.start_s - shift),
            end_s=min(length_s, row.end_s - shift),
        )
        for row in rows
    )
