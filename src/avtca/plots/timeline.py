"""The picture of a report: faces, scores over time, what was heard and seen, overall scores."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from avtca.plots.style import colour_of

if TYPE_CHECKING:
    from avtca.recognize.report import Person, Report, TimelineRow

MAX_FACES = 9
"""Faces above the timeline."""
MAX_PEOPLE = 12
"""People with a timeline of their own; of more, those seen longest."""
HEIGHT, PERSON_HEIGHT = 4.2, 1.0
"""Inches of the picture, and more for each person."""


def timeline_figure(report: "Report", *, title: str | None = None) -> Figure:
    """Faces on top, stacked scores over seconds, strips of face and voice, bars of the whole.

    Where windows overlap, the mean of those that cover a moment is drawn; grey hatching marks
    moments without face and voice. These are the rows that the report's scores are the mean of;
    below them each person's, where all were asked for, with a picture of the face.
    """
    people = sorted(report.people, key=lambda person: -person.seen_s)[:MAX_PEOPLE]
    people.sort(key=lambda person: person.number)
    height = HEIGHT + PERSON_HEIGHT * len(people)
    figure = Figure(figsize=(11, height), layout="constrained", facecolor="white")
    ratios = (1.15, 3, 0.55, *(1.05 for _ in people))
    grid = figure.add_gridspec(3 + len(people), 2, width_ratios=(4.2, 1), height_ratios=ratios)
    faces = figure.add_subplot(grid[0, 0])
    scores = figure.add_subplot(grid[1, 0], sharex=faces)
    strips = figure.add_subplot(grid[2, 0], sharex=faces)
    bars = figure.add_subplot(grid[:3, 1])
    end = max(report.duration_s, 1e-3)
    rows = report.main_timeline
    edges, shares = moments(rows, report.labels)
    _draw_faces(faces, report, end)
    _draw_scores(scores, edges, shares, report.labels)
    _draw_strips(strips, rows)
    strips.set_xlim(0, end)
    strips.set_xlabel("seconds")
    _draw_bars(bars, report)
    for i, person in enumerate(people):
        timeline = figure.add_subplot(grid[3 + i, 0], sharex=faces)
        _draw_scores(timeline, *moments(list(person.timeline), report.labels), report.labels)
        timeline.set_yticks([])
        timeline.set_ylabel(f"person {person.number}", rotation=0, ha="right", va="center")
        _draw_person(figure.add_subplot(grid[3 + i, 1]), person)
    if len(people) < len(report.people):
        more = len(report.people) - len(people)
        figure.supxlabel(f"{more} more people, seen for a shorter time, in JSON and CSV", size=9)
    name = report.file.replace("\\", "/").rsplit("/", 1)[-1]
    heading = f"{name}: {report.top}, {report.certainty}"
    heading = heading if title is None else title
    figure.suptitle(heading, x=0.01, ha="left", weight="bold", parse_math=False)
    return figure


def moments(rows: list["TimelineRow"], labels: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Edges in seconds ``(n + 1,)`` and mean scores between ``(n, n_labels)``, NaN for none."""
    edges = np.unique([edge for row in rows for edge in (row.start_s, row.end_s)])
    shares = np.full((max(0, len(edges) - 1), len(labels)), np.nan)
    for i, middle in enumerate((edges[:-1] + edges[1:]) / 2):
        over = [row for row in rows if row.scores and row.start_s <= middle < row.end_s]
        if over:
            shares[i] = np.mean([[row.scores[name] for name in labels] for row in over], axis=0)
    return edges, shares


def _draw_faces(axes: Axes, report: "Report", end: float) -> None:
    axes.set_ylim(0, 1)
    axes.axis("off")
    keep = report.thumbnails
    while len(keep) > MAX_FACES:
        keep = keep[::2]
    for face in keep:
        picture = OffsetImage(face.rgb, zoom=0.56)
        where = (min(max(face.time_s, 0.03 * end), 0.97 * end), 0.5)
        axes.add_artist(AnnotationBbox(picture, where, frameon=False, pad=0))
    if not keep:
        axes.text(end / 2, 0.5, "no face", ha="center", va="center", color="#8a94a0")


def _draw_scores(
    axes: Axes, edges: np.ndarray, shares: np.ndarray, labels: tuple[str, ...]
) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"])
    axes.tick_params(labelbottom=False)
    axes.spines[["top", "right"]].set_visible(False)
    if not len(shares):
        return
    width = np.diff(edges)
    bottom = np.zeros(len(shares))
    values = np.nan_to_num(shares)
    for i, label in enumerate(labels):
        axes.bar(
            edges[:-1], values[:, i], width, bottom, align="edge", color=colour_of(label, labels)
        )
        bottom = bottom + values[:, i]
    for gap in np.flatnonzero(np.isnan(shares).any(axis=1)):
        axes.axvspan(edges[gap], edges[gap + 1], color="#e4e8ec", hatch="//", ec="#c9d0d6", lw=0)


def _draw_strips(axes: Axes, rows: list["TimelineRow"]) -> None:
    for y, part in ((1, "face"), (0, "voice")):
        for row in rows:
            share = row.face if part == "face" else row.voice
            colour = (0.17, 0.35, 0.45, 0.08 + 0.72 * share)
            axes.barh(y, row.end_s - row.start_s, 0.8, row.start_s, color=colour, lw=0)
    axes.set_yticks([1, 0], ["face", "voice"])
    axes.set_ylim(-0.5, 1.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)


def _draw_person(axes: Axes, person: "Person") -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.axis("off")
    if person.thumbnail is not None:
        picture = OffsetImage(person.thumbnail.rgb, zoom=0.56)
        axes.add_artist(AnnotationBbox(picture, (0.17, 0.5), frameon=False, pad=0))
    said = f"{person.top}\n{person.certainty}\nseen {person.seen_s:.1f} s"
    axes.text(0.42, 0.5, said, va="center", fontsize=9)


def _draw_bars(axes: Axes, report: "Report") -> None:
    names = sorted(report.labels, key=lambda name: report.scores[name])
    values = [report.scores[name] for name in names]
    axes.barh(names, values, color=[colour_of(name, report.labels) for name in names])
    for y, value in enumerate(values):
        axes.text(value + 0.02, y, f"{value:.0%}", va="center", fontsize=9)
    axes.set_xlim(0, 1.15)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.tick_params(left=False)
    axes.set_title("overall", fontsize=10)
