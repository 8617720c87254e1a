"""A timeline on a page: places in percent and paths of an SVG drawing that is stretched to fit."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from avtca.plots.faces import MAX_FACES, FaceStrip
from avtca.plots.style import label_colours, label_order, text_colour
from avtca.plots.timeline_values import (
    Band,
    Float,
    coverage_steps,
    person_spans,
    place_of,
    score_bands,
    ticks,
    time_title,
)

if TYPE_CHECKING:
    from avtca.recognize.report import Person, Report

WIDTH, HEIGHT = 1000, 100
"""Units of a drawing."""
MAX_PEOPLE = 12
"""Largest number of people with their own timeline: those seen longest."""


class Place(NamedTuple):
    """Something at a place of the timeline, in percent."""

    text: str
    left: float
    width: float = 0.0
    top: float = 0.0
    colour: str = ""
    background: str = ""


class Path(NamedTuple):
    """The band of a label."""

    label: str
    colour: str
    d: str


class Bar(NamedTuple):
    """The overall score of a label."""

    label: str
    score: float
    colour: str


class Scores(NamedTuple):
    """Scores over time."""

    paths: list[Path]
    labels: list[Place]
    empty: list[Place]
    """Without a face and a voice."""


class TimelineView(NamedTuple):
    """What the card of a file shows; ``scores`` is ``None`` for a clip of one window."""

    bars: list[Bar]
    faces: list[Place]
    scores: Scores | None
    face: str
    voice: str
    spans: list[Place]
    """Changes of the person whose scores are drawn; empty without a change."""
    ticks: list[Place]
    time_title: str
    people: list[tuple["Person", Scores | None]]
    more_people: int


def timeline_view(report: "Report", strip: FaceStrip | None) -> TimelineView:
    """The timeline of a report.

    Args:
        report: The report.
        strip: Faces above the timeline.
    """
    end_s = max(report.duration_s, 1e-3)
    one_window = len(report.main_timeline) < 2
    people = shown_people(report)
    edges, coverage = coverage_steps(report)
    faces = [
        Place("", 100 * place_of(time, end_s, MAX_FACES)) for time in (strip.times if strip else ())
    ]
    return TimelineView(
        bars=score_bars(report),
        faces=faces,
        scores=None if one_window else _scores(report, end_s),
        face=area(edges, coverage[:, 0], end_s),
        voice=area(edges, coverage[:, 1], end_s),
        spans=_spans(report, end_s),
        ticks=[Place(text, 100 * time / end_s) for time, text in ticks(end_s)],
        time_title=time_title(end_s),
        people=[(person, None if one_window else _scores(person, end_s)) for person in people],
        more_people=max(0, len(report.people) - MAX_PEOPLE),
    )


def shown_people(report: "Report") -> list["Person"]:
    """The people with their own timeline, by number; none where one window shows one person."""
    if len(report.people) == len(report.timeline) == 1:
        return []
    longest = sorted(report.people, key=lambda person: -person.seen_s)[:MAX_PEOPLE]
    return sorted(longest, key=lambda person: person.number)


def score_bars(one: "Report | Person") -> list[Bar]:
    """The overall score of each label, in the order of all figures."""
    labels = tuple(one.scores)
    colours = label_colours(labels)
    return [Bar(labels[i], one.scores[labels[i]], colours[i]) for i in label_order(labels)]


def _spans(report: "Report", end_s: float) -> list[Place]:
    spans = person_spans(report)
    if len(spans) < 2:
        return []
    return [
        Place(
            span.name,
            100 * span.start_s / end_s,
            100 * (min(span.end_s, end_s) - span.start_s) / end_s,
        )
        for span in spans
    ]


def _scores(one: "Report | Person", end_s: float) -> Scores:
    edges, bands = score_bands(one)
    paths = [Path(band.label, band.colour, band_path(edges, band, end_s)) for band in bands]
    labels = [
        Place(
            band.label,
            100 * band.at[0] / end_s,
            top=100 * (1 - band.at[1]),
            colour=text_colour(band.colour),
            background=band.colour,
        )
        for band in bands
        if band.at is not None
    ]
    gaps = np.isnan(bands[0].high)
    empty = [
        Place("", 100 * edges[a] / end_s, 100 * (edges[b] - edges[a]) / end_s)
        for a, b in runs(gaps)
    ]
    return Scores([path for path in paths if path.d], labels, empty)


def band_path(edges: Float, band: Band, end_s: float) -> str:
    """The outline of a band in steps, for the attribute ``d`` of an SVG path."""
    parts = []
    if np.nanmax(band.high - band.low, initial=0) < 1e-4:
        return ""
    for first, last in runs(~np.isnan(band.high)):
        x = [_number(WIDTH * edge / end_s) for edge in edges[first : last + 1]]
        high = [_number(HEIGHT * (1 - y)) for y in band.high[first:last]]
        low = [_number(HEIGHT * (1 - y)) for y in band.low[first:last]]
        there = "".join(f"V{y}H{after}" for y, after in zip(high, x[1:], strict=True))
        back = "".join(f"V{y}H{before}" for y, before in zip(low[::-1], x[:-1][::-1], strict=True))
        parts.append(f"M{x[0]} {high[0]}{there}{back}Z")
    return "".join(parts)


def area(edges: Float, values: Float, end_s: float) -> str:
    """The outline of a share over time, from 0 up."""
    return band_path(edges, Band("", "", values * 0, values, None), end_s)


def runs(mask: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> list[tuple[int, int]]:
    """First and last index (exclusive) of each run of True."""
    changes = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return list(zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True))


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
