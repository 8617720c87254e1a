"""The timeline of a recognition report as a figure."""

import os
import textwrap
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avtca.plots.faces import MAX_FACES
from avtca.plots.style import EMPTY, INK, MUTED, PAPER, RULE, style_axes, text_colour
from avtca.plots.timeline_values import (
    coverage_steps,
    person_spans,
    place_of,
    score_bands,
    spread,
    ticks,
    time_title,
)
from avtca.plots.timeline_view import MAX_PEOPLE, score_bars, shown_people

if TYPE_CHECKING:
    from avtca.recognize.report import Person, Report

WIDTH_IN = 11.0
"""Width of the figure in inches."""
WIDE_IN = 6.5
"""From this width on, the overall scores are beside the timeline; otherwise below it."""
LEFT_IN, MARGIN_IN, BARS_IN, GAP_IN = 0.6, 0.12, 2.2, 0.07
SHARE_IN, BAR_IN, PERSON_IN, SPEAKER_IN = 0.15, 0.21, 0.6, 0.15
CHARS_PER_IN = 15
"""Characters of small text in an inch."""


def timeline_figure(
    report: "Report", *, title: str | None = None, width_in: float = WIDTH_IN
) -> Figure:
    """Draw faces, scores over time, coverage, overall scores, and the people of a report.

    Where windows overlap, their mean is drawn. A clip of one window has no scores over time.

    Args:
        report: Report of one file.
        title: Title of the figure; by default the file's name, the label and its confidence.
        width_in: Width in inches; the height follows from the content.
    """
    if title is None:
        name = report.file.replace(os.sep, "/").rsplit("/", 1)[-1]
        title = f"{name}: {report.top} {report.certainty}"
    return Sheet(report, width_in).draw(title)


class Sheet:
    """A figure on which axes are placed from the top down, in inches."""

    def __init__(self, report: "Report", width_in: float) -> None:
        self.report, self.width = report, width_in
        self.wide = width_in >= WIDE_IN
        self.end_s = max(report.duration_s, 1e-3)
        self.one_window = len(report.main_timeline) < 2
        self.people = shown_people(report)
        self.spans = [] if self.one_window else person_spans(report)
        beside = BARS_IN + LEFT_IN if self.wide and not self.one_window else 0.0
        self.plot = width_in - LEFT_IN - MARGIN_IN - beside
        self.parts: list[tuple[Axes, float, float, float, float]] = []
        self.down = 0.0
        self.figure = Figure(figsize=(width_in, 1), facecolor=PAPER)

    def draw(self, title: str) -> Figure:
        """Draw all parts, then give the figure its height."""
        lines = textwrap.wrap(title, int(10.5 * self.width)) or [""]
        self.down = 0.2 + 0.2 * len(lines)
        top = self.down
        if len(self.spans) > 1:
            self._who()
        self._faces()
        if not self.one_window:
            self._scores(self.report, 2.0 if self.wide else 1.5)
            self._speakers()
            self._coverage()
            self._notes()
        if self.one_window:
            self._bars(LEFT_IN, self.down, min(self.plot, 4.0))
        elif self.wide:
            after = self.down
            self._bars(self.width - BARS_IN - MARGIN_IN, top, BARS_IN)
            self.down = max(after, self.down)
        else:
            self._bars(LEFT_IN, self.down, self.plot)
        for person in self.people:
            self._person(person)
        if more := max(0, len(self.report.people) - MAX_PEOPLE):
            self._text(f"{more} more people, seen for a shorter time, in JSON and CSV")
        height = self.down + 0.1
        self.figure.set_size_inches(self.width, height)
        for axes, left, down, width, tall in self.parts:
            x, y = left / self.width, 1 - (down + tall) / height
            axes.set_position((x, y, width / self.width, tall / height))
        self.figure.suptitle(
            "\n".join(lines),
            x=MARGIN_IN / self.width,
            y=1 - 0.1 / height,
            ha="left",
            va="top",
            color=INK,
            size=11,
            weight="bold",
            parse_math=False,
        )
        return self.figure

    def _axes(self, left: float, down: float, width: float, tall: float) -> Axes:
        axes = self.figure.add_axes((0, 0, 1, 1), label=str(len(self.parts)))
        self.parts.append((axes, left, down, width, tall))
        style_axes(axes)
        return axes

    def _row(self, tall: float) -> Axes:
        """Axes over the whole time, below the last ones."""
        axes = self._axes(LEFT_IN, self.down, self.plot, tall)
        axes.set_xlim(0, self.end_s)
        axes.set_ylim(0, 1)
        axes.set_xticks([])
        axes.set_yticks([])
        self.down += tall + GAP_IN
        return axes

    def _who(self) -> None:
        axes = self._row(0.18)
        axes.axis("off")
        free = -np.inf
        for span in self.spans:
            if span.start_s >= free:
                axes.annotate(
                    span.name,
                    (span.start_s, 0.5),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    size=8.5,
                    color=INK,
                )
                free = span.start_s + (len(span.name) + 2) / CHARS_PER_IN / self.plot * self.end_s
            if span is not self.spans[0]:
                axes.axvline(span.start_s, color=INK, linestyle="--", linewidth=1)

    def _faces(self) -> None:
        faces = self.report.thumbnails
        chosen = spread([face.time_s for face in faces], self.end_s, MAX_FACES)
        if not chosen:
            return
        axes = self._row(self.plot / MAX_FACES)
        axes.axis("off")
        half = 0.48 * self.end_s / MAX_FACES
        for i in chosen:
            x = self.end_s * place_of(faces[i].time_s, self.end_s, MAX_FACES)
            extent = (x - half, x + half, 0.02, 0.98)
            axes.imshow(faces[i].rgb, extent=extent, aspect="auto")
        axes.set_xlim(0, self.end_s)
        axes.set_ylim(0, 1)

    def _scores(self, one: "Report | Person", tall: float) -> None:
        axes = self._row(tall)
        edges, bands = score_bands(one)
        gaps = np.isnan(bands[0].high)
        if gaps.any():
            axes.stairs(
                gaps * 1.0, edges, fill=True, color=EMPTY, edgecolor=MUTED, hatch="///", lw=0
            )
        for band in bands:
            low, high = np.nan_to_num(band.low), np.nan_to_num(band.high)
            axes.stairs(
                high, edges, baseline=low, fill=True, color=band.colour, edgecolor=PAPER, lw=0.6
            )
            if band.at is not None and tall > 1:
                x, y = band.at
                box = {"facecolor": band.colour, "linewidth": 0, "pad": 1.5}
                axes.text(
                    *(x, y, band.label),
                    ha="center",
                    va="center",
                    size=9,
                    bbox=box,
                    color=text_colour(band.colour),
                )
        axes.set_xlim(0, self.end_s)
        if tall > 1:
            axes.set_yticks([0, 0.5, 1], ["0", "50", "100"])
            axes.set_ylabel("score, %", labelpad=2)
            for span in self.spans[1:]:
                axes.axvline(span.start_s, color=INK, linestyle="--", linewidth=1)

    def _speakers(self) -> None:
        """A lane of the turns of speech, where somebody in view speaks."""
        turns = self.report.speech
        if not any(turn.visible for turn in turns):
            return
        axes = self._row(SPEAKER_IN)
        for turn in turns:
            length = turn.end_s - turn.start_s
            colour = INK if turn.visible else MUTED if turn.visible is False else RULE
            axes.axvspan(turn.start_s, turn.end_s, color=colour, linewidth=0)
            text = "?" if turn.visible is None else turn.speaker.removeprefix("person ")
            if length / self.end_s * self.plot * CHARS_PER_IN >= len(text) + 1:
                middle = (turn.start_s + turn.end_s) / 2
                ink = PAPER if turn.visible is not None else INK
                axes.text(middle, 0.46, text, size=7, color=ink, ha="center", va="center")
        axes.set_yticks([0.5], ["speaks"])
        axes.tick_params(left=False)

    def _coverage(self) -> None:
        edges, shares = coverage_steps(self.report)
        for name, values in zip(("face", "voice"), shares.T, strict=True):
            axes = self._row(SHARE_IN)
            axes.stairs(np.nan_to_num(values), edges, fill=True, color=MUTED)
            axes.set_yticks([0.5], [name])
            axes.tick_params(left=False)
            axes.spines[:].set_visible(True)
            axes.spines[:].set_color(RULE)
        found = ticks(self.end_s, 8 if self.wide else 5)
        axes.set_xticks([time for time, _ in found], [text for _, text in found])
        axes.set_xlabel(time_title(self.end_s), labelpad=2)
        self.down += 0.4

    def _notes(self) -> None:
        notes = ["height of face and voice: share of each moment's windows with a face, a voice"]
        if any(not row.scores for row in self.report.main_timeline):
            notes.append("hatched: neither a face nor a voice")
        if any(turn.visible for turn in self.report.speech):
            notes.append("speaks: the number of the person who speaks; off screen: nobody in view")
        if len(self.spans) > 1:
            notes.append("dashed: another person's face is read from here on")
        self._text("; ".join(notes))

    def _text(self, text: str) -> None:
        lines = textwrap.wrap(text, int(CHARS_PER_IN * self.plot))
        axes = self._row(0.15 * len(lines))
        axes.axis("off")
        axes.text(0, 1, "\n".join(lines), va="top", size=8, color=MUTED, parse_math=False)

    def _bars(self, left: float, down: float, width: float) -> None:
        bars = score_bars(self.report)
        tall = BAR_IN * len(bars)
        axes = self._axes(left + 0.35, down + 0.25, width - 0.75, tall)
        names = [bar.label for bar in bars]
        places = range(len(bars))
        colours = [bar.colour for bar in bars]
        scores = [bar.score for bar in bars]
        axes.barh(places, scores, 0.7, color=colours, edgecolor=MUTED, linewidth=0.6)
        for y, bar in zip(places, bars, strict=True):
            weight = "bold" if bar.label == self.report.top else "normal"
            axes.text(
                bar.score + 0.02,
                y,
                f"{bar.score:.0%}",
                va="center",
                size=9,
                color=INK,
                weight=weight,
            )
        axes.set_yticks(places, names)
        axes.set_ylim(len(bars) - 0.5, -0.5)
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(left=False)
        axes.set_title("overall score", size=9, color=MUTED, loc="left", pad=4)
        self.down = down + tall + 0.35

    def _person(self, person: "Person") -> None:
        text = (
            f"person {person.number}: {person.top} {person.certainty}, seen {person.seen_s:.1f} s"
        )
        if not self.wide:
            self._text(text)
        down = self.down
        if self.one_window:
            self.down += PERSON_IN
        else:
            self._scores(person, PERSON_IN)
        after, right = self.down, self.width - BARS_IN - MARGIN_IN - 0.3
        if person.thumbnail is not None:
            left = right if self.wide else 0.05
            side = PERSON_IN if self.wide else 0.48
            axes = self._axes(left, down, side, side)
            axes.imshow(person.thumbnail.rgb, aspect="auto")
            axes.axis("off")
        if self.wide:
            axes = self._axes(right + PERSON_IN + 0.1, down, 1.7, PERSON_IN)
            axes.axis("off")
            lines = "\n".join(textwrap.wrap(text, 29))
            axes.text(0, 0.5, lines, va="center", size=8.5, color=INK)
        self.down = after
