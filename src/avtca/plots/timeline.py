"""The timeline of a recognition report as a figure."""

import os
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from avtca.plots.style import EMPTY, MUTED, label_colour, new_figure, style_axes

if TYPE_CHECKING:
    from avtca.recognize.report import Person, Report, Thumbnail, TimelineRow

MAX_FACES = 9
"""Largest number of faces above the timeline."""
FACE_WIDTH = 0.085
"""Smallest distance of two faces, as a share of the timeline."""
MAX_PEOPLE = 12
"""Largest number of people with their own timeline: those seen longest."""
WIDTH_IN, HEIGHT_IN, PERSON_HEIGHT_IN = 11, 4.2, 1.0
"""Size of the figure in inches; each person adds height."""
THUMBNAIL_ZOOM = 0.56


def timeline_figure(report: "Report", *, title: str | None = None) -> Figure:
    """Draw faces, scores over time, coverage, overall scores, and the people of a report.

    Where windows overlap, their mean is drawn; hatching marks times without a face or a voice.

    Args:
        report: Report of one file.
        title: Title of the figure; by default the file's name, the label and its confidence.
    """
    people = sorted(report.people, key=lambda person: -person.seen_s)[:MAX_PEOPLE]
    people.sort(key=lambda person: person.number)
    figure = new_figure(WIDTH_IN, HEIGHT_IN + PERSON_HEIGHT_IN * len(people))
    ratios = (1.15, 3, 0.55, *(1.05 for _ in people))
    grid = figure.add_gridspec(3 + len(people), 2, width_ratios=(4.2, 1), height_ratios=ratios)
    faces = figure.add_subplot(grid[0, 0])
    scores = figure.add_subplot(grid[1, 0], sharex=faces)
    coverage = figure.add_subplot(grid[2, 0], sharex=faces)
    end_s = max(report.duration_s, 1e-3)
    _draw_faces(faces, report.thumbnails, end_s)
    _draw_scores(scores, report, report.labels)
    _draw_coverage(coverage, report.main_timeline)
    coverage.set_xlim(0, end_s)
    coverage.set_xlabel("seconds")
    _draw_overall(figure.add_subplot(grid[:3, 1]), report)
    for i, person in enumerate(people, start=3):
        timeline = figure.add_subplot(grid[i, 0], sharex=faces)
        _draw_scores(timeline, person, report.labels)
        timeline.set_yticks([])
        timeline.set_ylabel(f"person {person.number}", rotation=0, ha="right", va="center")
        _draw_person(figure.add_subplot(grid[i, 1]), person)
    if more := len(report.people) - len(people):
        figure.supxlabel(f"{more} more people, seen for a shorter time, in JSON and CSV", size=9)
    if title is None:
        name = report.file.replace(os.sep, "/").rsplit("/", 1)[-1]
        title = f"{name}: {report.top} {report.certainty}"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", parse_math=False)
    return figure


def _draw_faces(axes: Axes, thumbnails: Sequence["Thumbnail"], end_s: float) -> None:
    axes.set_ylim(0, 1)
    axes.axis("off")
    while len(thumbnails) > MAX_FACES:
        thumbnails = thumbnails[::2]
    free = -np.inf
    for face in thumbnails:
        x = min(max(face.time_s / end_s, 0.03), 0.97)
        if x >= free:
            _draw_thumbnail(axes, face, (x * end_s, 0.5))
            free = x + FACE_WIDTH
    if not thumbnails:
        axes.text(end_s / 2, 0.5, "no face", ha="center", va="center", color=MUTED)


def _draw_thumbnail(axes: Axes, face: "Thumbnail", xy: tuple[float, float]) -> None:
    image = OffsetImage(face.rgb, zoom=THUMBNAIL_ZOOM)
    axes.add_artist(AnnotationBbox(image, xy, frameon=False, pad=0))


def _draw_scores(axes: Axes, one: "Report | Person", labels: tuple[str, ...]) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])
    axes.tick_params(labelbottom=False)
    style_axes(axes)
    edges, scores = one.mean_scores()
    bottom = np.zeros(len(scores))
    for label, heights in zip(labels, np.nan_to_num(scores).T, strict=True):
        colour = label_colour(label, labels)
        axes.bar(edges[:-1], heights, np.diff(edges), bottom, align="edge", color=colour)
        bottom = bottom + heights
    for i in np.flatnonzero(np.isnan(scores).any(axis=1)):
        axes.axvspan(edges[i], edges[i + 1], color=EMPTY, hatch="//", ec="#c9d0d6", lw=0)


def _draw_coverage(axes: Axes, rows: Sequence["TimelineRow"]) -> None:
    for row in rows:
        for y, share in ((1, row.face), (0, row.voice)):
            colour = (0.17, 0.35, 0.45, 0.08 + 0.72 * share)
            axes.barh(y, row.end_s - row.start_s, 0.8, row.start_s, color=colour, lw=0)
    axes.set_yticks([1, 0], ["face", "voice"])
    axes.set_ylim(-0.5, 1.5)
    style_axes(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)


def _draw_person(axes: Axes, person: "Person") -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.axis("off")
    if person.thumbnail is not None:
        _draw_thumbnail(axes, person.thumbnail, (0.17, 0.5))
    summary, _, reason = f"{person.top} {person.certainty}".partition(" (")
    lines = [summary, *textwrap.wrap(f"({reason}" if reason else "", 20)]
    text = "\n".join([*lines, f"seen {person.seen_s:.1f} s"])
    axes.text(0.42, 0.5, text, va="center", fontsize=9)


def _draw_overall(axes: Axes, report: "Report") -> None:
    names = sorted(report.labels, key=lambda name: report.scores[name])
    values = [report.scores[name] for name in names]
    axes.barh(names, values, color=[label_colour(name, report.labels) for name in names])
    for y, value in enumerate(values):
        axes.text(value + 0.02, y, f"{value:.0%}", va="center", fontsize=9)
    axes.set_xlim(0, 1.15)
    axes.set_xticks([])
    style_axes(axes)
    axes.spines["bottom"].set_visible(False)
    axes.tick_params(left=False)
    axes.set_title("overall", fontsize=10)
