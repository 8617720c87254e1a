"""Figures of a robustness report."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avtca.plots.drawing import PAGE_IN, Draw
from avtca.plots.evaluation_figures import METRIC_NAMES, NARROW_IN, draw_baselines, in_percent
from avtca.plots.style import INK, SERIES, new_figure, style_axes

if TYPE_CHECKING:
    from avtca.evaluation.report import (
        Baselines,
        Level,
        MetricName,
        RobustnessPoint,
        RobustnessReport,
    )


class ConditionWords(NamedTuple):
    """What a page calls a condition, and the axis of its levels."""

    title: str
    axis: str


CONDITIONS = {
    "modality": ConditionWords("Missing modality", "input that is left"),
    "noise": ConditionWords(
        "Pink noise on the audio", "signal-to-noise ratio, dB (the lower, the noisier)"
    ),
    "reverberation": ConditionWords(
        "Reverberation", "reverberation time (RT60), seconds (the longer, the more echo)"
    ),
    "codec": ConditionWords("Audio codecs", "codec that the audio went through"),
    "dropped frames": ConditionWords("Missing video frames", "share of the frames that is missing"),
    "black frames": ConditionWords("Black video frames", "share of the frames that is black"),
    "blur": ConditionWords("Blurred video", "width of the blur, % of the face's width"),
    "occlusion": ConditionWords("Partly covered faces", "share of the face that is covered"),
    "feature noise": ConditionWords(
        "Noise on the video features", "noise, standard deviations of each feature"
    ),
    "shift": ConditionWords(
        "Audio shifted against the video", "delay of the audio, seconds (negative: early)"
    ),
    "length": ConditionWords("Shorter samples", "seconds that are left, from the middle"),
}
LEGEND_COLUMNS = 3
MAX_DIRECT = 5
"""Largest number of models whose names are at the ends of their lines."""

Curves = dict[str, list["RobustnessPoint"]]
"""Points of each model, by its name."""


def curves_by_condition(report: "RobustnessReport") -> dict[str, Curves]:
    """Condition -> model -> points, those of a shift from early to late."""
    conditions: dict[str, Curves] = {}
    for model, curves in report.systems.items():
        for condition, points in curves.items():
            if condition == "shift":
                points = sorted(points, key=lambda point: float(point.level or 0))
            conditions.setdefault(condition, {})[model] = points
    return conditions


def all_levels(curves: Mapping[str, Sequence["RobustnessPoint"]]) -> list["Level"]:
    """The levels of the model that has the most."""
    return max(([point.level for point in points] for points in curves.values()), key=len)


def robustness_figures(
    report: "RobustnessReport", metric: "MetricName" = "accuracy"
) -> dict[str, Draw]:
    """The figure of each condition, drawn at a width in inches."""
    known = list((report.baselines or {}).values())
    alike = known and known.count(known[0]) == len(known)
    return {
        condition: partial(
            condition_figure,
            curves,
            metric=metric,
            axis=axis_of(condition, report.units.get(condition, "")),
            baselines=known[0] if alike and metric in ("accuracy", "uar") else None,
        )
        for condition, curves in curves_by_condition(report).items()
    }


def axis_of(condition: str, unit: str = "") -> str:
    """Title of the axis of a condition's levels."""
    return CONDITIONS[condition].axis if condition in CONDITIONS else unit


def condition_figure(
    curves: Mapping[str, Sequence["RobustnessPoint"]],
    *,
    metric: "MetricName" = "accuracy",
    axis: str = "",
    baselines: "Baselines | None" = None,
    width_in: float = PAGE_IN,
) -> Figure:
    """A metric over the levels of one condition.

    Numeric levels become a line per model with its confidence band, named levels become bars.

    Args:
        curves: Points of each model, by its name; a model may lack levels of another.
        metric: Metric to draw.
        axis: Title of the axis of the levels.
        baselines: Chance and majority on the untouched samples, drawn for accuracy and UAR.
        width_in: Width in inches.
    """
    levels = all_levels(curves)
    are_named = any(isinstance(level, str) for level in levels)
    direct = not are_named and 1 < len(curves) <= MAX_DIRECT and width_in >= NARROW_IN
    columns = LEGEND_COLUMNS if width_in >= NARROW_IN else 1
    rows = 0 if direct or len(curves) == 1 else math.ceil(len(curves) / columns)
    figure = new_figure(width_in, min(3.6, 0.35 * width_in + 1.4) + 0.2 * rows)
    axes = figure.subplots()
    ends = {}
    for i, (model, points) in enumerate(curves.items()):
        look = SERIES[i % len(SERIES)]
        points = [point for point in points if point.level in levels]
        values, low, high = zip(*(in_percent(getattr(p, metric)) for p in points), strict=True)
        places = np.array([levels.index(point.level) for point in points], float)
        if are_named:
            width = 0.8 / len(curves)
            x = places + (i - (len(curves) - 1) / 2) * width
            axes.bar(x, values, width * 0.92, color=look.colour, label=model)
            axes.vlines(x, low, high, color=INK, linewidth=1)
        else:
            axes.plot(
                *(places, values, "-"),
                marker=look.marker,
                color=look.colour,
                label=model,
                markersize=5,
            )
            axes.fill_between(places, low, high, color=look.colour, alpha=0.12, linewidth=0)
            ends[model] = (values[-1], look.colour)
    axes.set_ylim(0, 102)
    if direct:
        _name_lines(axes, ends, len(levels) - 1)
    if baselines is not None and metric in ("accuracy", "uar"):
        draw_baselines(axes, baselines, metric=metric, scale=100)
    turned = are_named and (width_in < NARROW_IN or len(levels) > 4)
    axes.set_xticks(range(len(levels)), [level_name(level) for level in levels])
    if turned:
        axes.tick_params(axis="x", rotation=25)
    axes.set_xlabel("\n".join(_wrapped(axis, width_in)))
    axes.set_ylabel(f"{METRIC_NAMES[metric]}, %")
    style_axes(axes, grid="y")
    if rows:
        figure.legend(
            loc="outside lower left", ncols=columns, frameon=False, fontsize=8.5, labelcolor=INK
        )
    return figure


def _name_lines(axes: Axes, ends: Mapping[str, tuple[float, str]], last: int) -> None:
    """The name of each line behind its end, so that names do not overlap."""
    axes.set_xlim(-0.2, last + 0.16 * max(last, 1) + 0.03 * max(last, 1) * max(map(len, ends)) / 2)
    height = np.inf
    for model, (value, colour) in sorted(ends.items(), key=lambda end: -end[1][0]):
        height = min(height - 6, value)
        axes.annotate(
            model,
            (last, height),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            size=9,
            weight="bold",
        )


def _wrapped(text: str, width_in: float) -> list[str]:
    head, bracket, tail = text.partition(" (")
    return [head, bracket.strip() + tail] if bracket and width_in < NARROW_IN else [text]


def level_name(level: "Level") -> str:
    """A level on axes and in tables; ``None`` is the unchanged sample."""
    if level is None:
        return "unchanged"
    return level if isinstance(level, str) else f"{level:g}"
