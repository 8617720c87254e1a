"""What a timeline shows, on a figure and on a page: values by moment, faces, changes of person."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from avtca.plots.style import label_colours, label_order

if TYPE_CHECKING:
    from avtca.recognize.report import Person, Report

Float = NDArray[np.float64]
MAX_STEPS = 400
"""Most moments that are drawn; of more, means are drawn."""
MIN_HEIGHT, MIN_WIDTH = 0.14, 0.12
"""Smallest share of the score axis and of the time axis for a label inside its band."""


class Band(NamedTuple):
    """The scores of one emotion over time, stacked.

    Attributes:
        label: The emotion.
        colour: Its colour.
        low: Lower edge at each moment, 0..1, NaN without a face and a voice.
        high: Upper edge.
        at: Moment and height of the label inside the band; ``None`` where it has no room.
    """

    label: str
    colour: str
    low: Float
    high: Float
    at: tuple[float, float] | None


class PersonSpan(NamedTuple):
    """The time in which the scores of a clip are of one person; ``None`` for the audio alone."""

    person: int | None
    start_s: float
    end_s: float

    @property
    def name(self) -> str:
        """``person 1``, or ``audio``."""
        return "audio" if self.person is None else f"person {self.person}"


def score_bands(one: "Report | Person") -> tuple[Float, list[Band]]:
    """Edges of the moments in seconds, and the bands of all labels from the top down."""
    edges, scores = one.mean_scores()
    edges, scores = coarser(edges, scores)
    labels = tuple(one.scores)
    colours = label_colours(labels)
    bands, top = [], scores.sum(axis=1)
    for i in label_order(labels):
        low = np.maximum(top - scores[:, i], 0)
        at = label_place(edges, low, top)
        bands.append(Band(labels[i], colours[i], low, top, at))
        top = low
    return edges, bands


def coarser(edges: Float, values: Float) -> tuple[Float, Float]:
    """At most :data:`MAX_STEPS` moments: means over time, NaN where nothing is known.

    Args:
        edges: Edges of the moments ``(n + 1,)``.
        values: Values of the moments ``(n, k)``.
    """
    if len(values) <= MAX_STEPS:
        return edges, values
    known = ~np.isnan(values).any(axis=1)
    widths = np.diff(edges) * known
    sums = np.vstack(
        [np.zeros(values.shape[1]), np.cumsum(np.nan_to_num(values) * widths[:, None], 0)]
    )
    times = np.concatenate([[0], np.cumsum(widths)])
    new = np.linspace(edges[0], edges[-1], MAX_STEPS + 1)
    parts = np.stack([np.diff(np.interp(new, edges, column)) for column in sums.T], 1)
    covered = np.diff(np.interp(new, edges, times))
    with np.errstate(invalid="ignore", divide="ignore"):
        return new, np.where(covered[:, None] > 1e-9, parts / covered[:, None], np.nan)


def label_place(edges: Float, low: Float, high: Float) -> tuple[float, float] | None:
    """Where a label has the most room in its band, as seconds and height; ``None`` for nowhere."""
    best, place = 0.0, None
    lows, highs, times = low.tolist(), high.tolist(), edges.tolist()
    total = times[-1] - times[0]
    for start in range(0, len(lows), 1 + len(lows) // 80):
        bottom, top = lows[start], highs[start]
        for end in range(start, len(lows)):
            bottom, top = max(bottom, lows[end]), min(top, highs[end])
            if not top - bottom >= MIN_HEIGHT:  # also where one of them is NaN
                break
            width = times[end + 1] - times[start]
            room = (top - bottom) * min(width, 0.4 * total)
            if width >= MIN_WIDTH * total and room > best:
                best = room
                place = (times[start] + times[end + 1]) / 2, (bottom + top) / 2
    return place


def coverage_steps(report: "Report") -> tuple[Float, Float]:
    """Edges in seconds, and the shares of face and voice at each moment ``(n, 2)``."""
    rows = report.main_timeline
    edges = np.unique([edge for row in rows for edge in (row.start_s, row.end_s)])
    sums, count = np.zeros((len(edges) - 1, 2)), np.zeros((len(edges) - 1, 1))
    for row in rows:
        first, last = np.searchsorted(edges, (row.start_s, row.end_s))
        sums[first:last] += row.face, row.voice
        count[first:last] += 1
    with np.errstate(invalid="ignore"):
        return coarser(edges, sums / count)


def person_spans(report: "Report") -> list[PersonSpan]:
    """Whose face the scores are of; a change lies in the middle between two windows' centres."""
    spans: list[PersonSpan] = []
    centre = 0.0
    for row in report.main_timeline:
        before, centre = centre, (row.start_s + row.end_s) / 2
        person = row.person if "face" in row.modalities else None
        if spans and spans[-1].person == person:
            spans[-1] = spans[-1]._replace(end_s=row.end_s)
        else:
            start = row.start_s
            if spans:
                start = (before + centre) / 2
                spans[-1] = spans[-1]._replace(end_s=start)
            spans.append(PersonSpan(person, start, row.end_s))
    return spans


def spread(times: Sequence[float], end_s: float, most: int) -> list[int]:
    """Indices of faces that do not overlap if ``most`` of them fill the timeline side by side."""
    chosen: list[int] = []
    free = -np.inf
    for i, time in enumerate(times):
        x = place_of(time, end_s, most)
        if x >= free - 1e-9:
            chosen.append(i)
            free = x + 1 / most
    return chosen


def place_of(time_s: float, end_s: float, most: int) -> float:
    """Centre of a face as a share of the timeline, so that it stays inside."""
    return float(np.clip(time_s / end_s, 0.5 / most, 1 - 0.5 / most))


def ticks(end_s: float, most: int = 7) -> list[tuple[float, str]]:
    """Round times up to the end, and their text: seconds, or minutes and seconds."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)
    step = next((step for step in steps if end_s / step <= most), 28800)
    times = [round(i * step, 3) for i in range(int(end_s / step + 1e-6) + 1)]
    return [(time, clock(time, end_s)) for time in times]


def clock(time_s: float, end_s: float) -> str:
    """A time on an axis that ends at ``end_s``: seconds, m:ss or h:mm:ss."""
    if end_s < 120:
        return f"{time_s:g}"
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours}:{minutes:02d}:{seconds:02d}"
        if hours or end_s >= 3600
        else f"{minutes}:{seconds:02d}"
    )


def time_title(end_s: float) -> str:
    """Title of the time axis."""
    if end_s < 120:
        return "time, seconds"
    return "time, hours:minutes:seconds" if end_s >= 3600 else "time, minutes:seconds"
