"""Segments, which annotation formats need, from windows, which overlap."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from avtca.recognize.prediction import (
    DIGITS,
    NO_PERSON,
    Coverage,
    Prediction,
    TimelineRow,
    mean_scores,
)

if TYPE_CHECKING:
    from avtca.recognize.report import Report

HYSTERESIS = 0.1
"""Score by which another label must lead before the label of a segment changes. Chosen by eye, like
:data:`MIN_LENGTH_S`, and not fitted to data."""
MIN_LENGTH_S = 1.0
"""Shorter segments join a neighbour that they touch, if there is one."""
RULE = (
    "avtca segments: the scores of a moment are the mean of the windows that cover it; the label "
    f"changes where another label leads by {HYSTERESIS:g}; a segment under {MIN_LENGTH_S:g} s "
    "joins the neighbour whose label has the higher score in it; where everyone was recognised, "
    "the segments of a person lie between the first and the last second with the face"
)
"""The rule by which segments are made, as text for each file."""
RULE_FIELDS = {
    "scores": "mean of the windows that cover each moment",
    "hysteresis": HYSTERESIS,
    "min_length_s": MIN_LENGTH_S,
}
"""The same for files that hold values."""
SPEECH_TIER = "speech"
"""Tier of the turns of speech."""
AUDIO_TRACK = "audio"
"""Track of the segments that were recognised from the audio alone."""

Moments = tuple[int, list[TimelineRow], NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Segment(Prediction):
    """A stretch of a clip in which a person, or the audio alone, has one label.

    ``confidence``, ``confident`` and ``certainty`` are those of :attr:`label`. The threshold was
    measured on whole recordings, not on segments.

    Attributes:
        start_s: Start in seconds of the clip.
        end_s: End in seconds of the clip.
        person: Person number, ``None`` where the audio was recognised alone.
        label: The label of the segment.
        scores: Mean over the segment of the scores at each moment.
        timeline: The windows that overlap the segment.
        coverage: As for the clip.
        thresholds: As for the clip.
        doubts: As for the person or the clip.
    """

    start_s: float
    end_s: float
    person: int | None
    label: str
    scores: dict[str, float]
    timeline: tuple[TimelineRow, ...] = field(repr=False)
    coverage: Coverage = field(repr=False)
    thresholds: Mapping[str, float] = field(repr=False)
    doubts: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        """The label of the segment, which need not have the highest mean score."""
        return self.label

    @property
    def track(self) -> str:
        """Name of the tier: "person 1", or :data:`AUDIO_TRACK`."""
        return AUDIO_TRACK if self.person is None else f"person {self.person}"


@dataclass
class _Run:
    """Intervals ``first`` to ``stop`` with one label, the column ``label``."""

    first: int
    stop: int
    label: int


def make_segments(report: "Report") -> list[Segment]:
    """The segments of a report by :data:`RULE`.

    Segments of one track never overlap. Numbers are rounded as in JSON, so that a report that was
    read from JSON has the same segments.

    Returns:
        By track, people first in the order of their numbers, and by time.
    """
    doubts = {person.number: person.doubts for person in report.people}
    segments = []
    for number, rows, edges, scores in moments(report):
        starts, ends = [row.start_s for row in rows], [row.end_s for row in rows]
        lengths = np.diff(edges)
        for run in _joined(_runs(scores), lengths, scores):
            start, end = float(edges[run.first]), float(edges[run.stop])
            part = slice(run.first, run.stop)
            mean = np.average(scores[part], axis=0, weights=lengths[part])
            segments.append(
                Segment(
                    start_s=start,
                    end_s=end,
                    person=None if number == NO_PERSON else number,
                    label=report.labels[run.label],
                    scores={
                        name: round(float(score), DIGITS)
                        for name, score in zip(report.labels, mean, strict=True)
                    },
                    timeline=tuple(rows[bisect_right(ends, start) : bisect_left(starts, end)]),
                    coverage=report.coverage,
                    thresholds=report.thresholds,
                    doubts=doubts.get(number, report.doubts),
                )
            )
    return segments


def moments(report: "Report") -> Iterator[Moments]:
    """Windows and mean scores over time of each person, and last of the audio alone.

    Yields:
        Person number, rounded windows by time, and edges and scores as in :func:`mean_scores`. The
        scores are NaN beyond the clip, and before and after the face of one of the report's people.
    """
    people: dict[int, list[TimelineRow]] = {}
    for row in report.timeline:
        people.setdefault(row.person, []).append(TimelineRow.from_dict(row.to_dict()))
    seen = {one.number: (round(one.first_s, 3), round(one.last_s, 3)) for one in report.people}
    for number in sorted(people, key=lambda number: (number == NO_PERSON, number)):
        rows = sorted(people[number], key=lambda row: row.start_s)
        edges, scores = mean_scores(rows, report.labels)
        first_s, last_s = seen.get(number, (0.0, np.inf))
        edges = np.clip(edges, first_s, min(last_s, round(report.duration_s, 3)))
        scores[np.diff(edges) <= 0] = np.nan
        yield number, rows, edges, scores


def by_track(segments: Iterable[Segment]) -> dict[str, list[Segment]]:
    """Segments by the name of their track; one empty track where there are none."""
    tracks: dict[str, list[Segment]] = {}
    for segment in segments:
        tracks.setdefault(segment.track, []).append(segment)
    return tracks or {AUDIO_TRACK: []}


def in_time(segments: Iterable[Segment]) -> list[Segment]:
    """Segments of all tracks by time."""
    return sorted(segments, key=lambda one: (one.start_s, one.end_s))


def end_of(report: "Report", segments: Iterable[Segment]) -> float:
    """Last second of a file of segments: never 0, which some programs refuse."""
    return max([round(report.duration_s, 3), 0.001, *(segment.end_s for segment in segments)])


def milliseconds(seconds: float) -> int:
    """Whole milliseconds."""
    return round(seconds * 1000)


def _runs(scores: NDArray[np.float64]) -> list[_Run]:
    """Intervals joined with hysteresis; those without scores end a run."""
    runs: list[_Run] = []
    for i, now in enumerate(scores):
        if np.isnan(now).any():
            continue
        best = int(now.argmax())
        if runs and runs[-1].stop == i and now[best] - now[runs[-1].label] < HYSTERESIS - 1e-9:
            runs[-1].stop = i + 1
        else:
            runs.append(_Run(i, i + 1, best))
    return runs


def _joined(
    runs: list[_Run], lengths: NDArray[np.float64], scores: NDArray[np.float64]
) -> list[_Run]:
    """Runs of at least the minimum length, or without a neighbour that they touch."""
    done: list[_Run] = []
    left = deque(runs)
    while left:
        run = left.popleft()
        before = done[-1] if done and done[-1].stop == run.first else None
        after = left[0] if left and left[0].first == run.stop else None
        part = slice(run.first, run.stop)
        if before is not None and before.label == run.label:
            before.stop = run.stop
            continue
        touching = [one for one in (before, after) if one is not None]
        if lengths[part].sum() >= MIN_LENGTH_S - 1e-9 or not touching:
            done.append(run)
            continue
        mean = np.average(scores[part], axis=0, weights=lengths[part])
        into = max(touching, key=lambda one: mean[one.label])
        if into is before:
            into.stop = run.stop
        else:
            into.first = run.first
    return done
