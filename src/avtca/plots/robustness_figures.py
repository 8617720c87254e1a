"""Figures of a robustness report."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from avtca.plots.evaluation_figures import METRIC_NAMES, draw_baselines, in_percent
from avtca.plots.style import INK, SERIES, new_figure, style_axes

if TYPE_CHECKING:
    from avtca.evaluation.report import Baselines, Level, MetricName, RobustnessPoint

LEGEND_COLUMNS = 3


def condition_figure(
    curves: Mapping[str, Sequence["RobustnessPoint"]],
    *,
    metric: "MetricName" = "accuracy",
    unit: str = "",
    baselines: "Baselines | None" = None,
) -> Figure:
    """A metric over the levels of one condition.

    Numeric levels become a line per model with its confidence band, named levels become bars.

    Args:
        curves: Points of each model, by its name, all at the same levels.
        metric: Metric to draw.
        unit: Unit of the levels.
        baselines: Chance and majority on the untouched samples, drawn for accuracy and UAR.
    """
    figure = new_figure(7.5, 3.8 + 0.22 * math.ceil(len(curves) / LEGEND_COLUMNS))
    axes = figure.subplots()
    names = [level_name(point.level) for point in next(iter(curves.values()))]
    are_named = any(isinstance(p.level, str) for points in curves.values() for p in points)
    places = list(range(len(names)))
    for i, (model, points) in enumerate(curves.items()):
        colour = SERIES[i % len(SERIES)].colour
        values, low, high = zip(*(in_percent(getattr(p, metric)) for p in points), strict=True)
        if are_named:
            width = 0.8 / len(curves)
            x = [place + (i - (len(curves) - 1) / 2) * width for place in places]
            axes.bar(x, values, width * 0.92, color=colour, label=model)
            axes.vlines(x, low, high, color=INK, linewidth=1)
        else:
            axes.plot(places, values, "o-", color=colour, label=model, markersize=4)
            axes.fill_between(places, low, high, color=colour, alpha=0.12, linewidth=0)
    if baselines is not None and metric in ("accuracy", "uar"):
        draw_baselines(axes, baselines, metric=metric, scale=100)
    axes.set_xticks(places, names, rotation=20 if are_named else 0)
    axes.set_xlabel(unit)
    axes.set_ylabel(f"{METRIC_NAMES[metric]}, %")
    axes.set_ylim(bottom=0)
    style_axes(axes, grid="both")
    figure.legend(loc="outside lower center", ncols=LEGEND_COLUMNS, frameon=False, fontsize=9)
    return figure


def level_name(level: "Level") -> str:
    """A level on axes and in tables; ``None`` is the unchanged sample."""
    if level is None:
        return "unchanged"
    return level if isinstance(level, str) else f"{level:g}"
