"""Figures of an evaluation report."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from avtca.plots.drawing import PAGE_IN, Draw
from avtca.plots.style import (
    ACCENT,
    INK,
    MUTED,
    PAPER,
    PRIMARY,
    SERIES,
    label_order,
    new_figure,
    style_axes,
)

if TYPE_CHECKING:
    from avtca.evaluation.report import (
        AbstentionReport,
        Baselines,
        CalibrationReport,
        Estimate,
        EvaluationReport,
        GroupMetrics,
        Modality,
    )

METRIC_NAMES = {
    "accuracy": "accuracy",
    "uar": "balanced accuracy (UAR)",
    "weighted_f1": "weighted F1",
    "macro_f1": "macro F1",
}
"""Names of the metrics in figures and tables."""
HEAT = LinearSegmentedColormap.from_list("heat", ["#eef2f7", PRIMARY])
NARROW_IN = 5.0
"""Below this width, figures are drawn for phones and columns of a paper."""
CLOSE = 0.03
"""Baselines that are closer share a line."""


def evaluation_figures(report: "EvaluationReport") -> dict[str, Draw]:
    """The figures of an evaluation report by name, each drawn at a width in inches."""
    out: dict[str, Draw] = {}
    metrics = report.metrics
    if metrics.confusion:
        out["confusion"] = partial(confusion_figure, metrics.confusion, metrics.labels)
    out["modalities"] = partial(modalities_figure, report.modalities)
    if report.calibration:
        out["reliability"] = partial(reliability_figure, report.calibration)
    if report.abstention:
        out["abstention"] = partial(abstention_figure, report.abstention, metrics.baselines)
    for column, groups in report.groups.items():
        out[f"by_{column}"] = partial(group_figure, groups)
    return out


def confusion_figure(
    confusion: Sequence[Sequence[float]], labels: Sequence[str], width_in: float = PAGE_IN
) -> Figure:
    """Draw a confusion matrix: counts, and the share of the true label in %, as colour too.

    Args:
        confusion: Counts, true labels in rows and predicted ones in columns.
        labels: Names of rows and columns.
        width_in: Width in inches.
    """
    order = label_order(labels)
    names = [labels[i] for i in order]
    counts = np.array(confusion, float)[np.ix_(order, order)]
    totals = counts.sum(1, keepdims=True)
    percent = 100 * counts / np.maximum(totals, 1)
    width_in = min(width_in, 0.8 * len(labels) + 1.6)
    figure = new_figure(width_in, max(2.4, 0.82 * width_in))
    axes = figure.subplots()
    axes.pcolormesh(percent, cmap=HEAT, vmin=0, vmax=100, edgecolors=PAPER, linewidth=1)
    size = float(np.clip(52 * (width_in - 1.2) / len(labels) / 5, 5, 9))
    for (i, j), value in np.ndenumerate(percent):
        if totals[i] > 0:
            text = f"{counts[i, j]:g}\n{value:.0f} %" if counts[i, j] else "0"
            colour = PAPER if value > 55 else INK
            axes.text(j + 0.5, i + 0.5, text, ha="center", va="center", color=colour, size=size)
    places = np.arange(len(labels)) + 0.5
    axes.set_xticks(places, names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(places, [f"{name} ({n:g})" for name, (n,) in zip(names, totals, strict=True)])
    axes.invert_yaxis()
    style_axes(axes)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted label")
    axes.set_ylabel("true label (samples)")
    return figure


def reliability_figure(calibration: "CalibrationReport", width_in: float = PAGE_IN) -> Figure:
    """Share of correct predictions over confidence, before and after temperature scaling."""
    wide = width_in > 5.5
    figure = new_figure(width_in, 0.47 * width_in if wide else 1.75 * width_in)
    figure.set_layout_engine("constrained", wspace=0.06, hspace=0.06)
    panels = figure.subplots(1, 2, sharey=True) if wide else figure.subplots(2, 1)
    curves = {"before": calibration.before, "after": calibration.after}
    for axes, (name, curve) in zip(panels, curves.items(), strict=True):
        edges = 100 * np.array(curve.edges)
        heights = [100 * (value or 0) for value in curve.accuracy]
        axes.bar(edges[:-1], heights, np.diff(edges), align="edge", color=PRIMARY, edgecolor=PAPER)
        axes.plot([0, 100], [0, 100], color=INK, linestyle="--", linewidth=1)
        axes.text(2, 101, "dashed: ideal", size=8, color=MUTED)
        for left, right, height, n in zip(edges, edges[1:], heights, curve.count, strict=False):
            if n:
                box = {"facecolor": PAPER, "linewidth": 0, "pad": 0.5}
                x, y = (left + right) / 2, height + 2
                axes.text(x, y, f"{n}", ha="center", size=7.5, color=INK, bbox=box)
        title = f"{name} scaling: off by {100 * curve.ece:.1f} points (ECE)"
        axes.set_title(title, size=9.5, color=INK, loc="left")
        axes.set_xlabel("confidence, % (number: samples in the bin)")
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 108)
        axes.set_yticks(range(0, 101, 20))
        style_axes(axes, grid="y")
        axes.set_ylabel("correct predictions, %" if axes is panels[0] or not wide else "")
    return figure


def abstention_figure(
    curve: "AbstentionReport",
    baselines: "Baselines | None" = None,
    width_in: float = PAGE_IN,
) -> Figure:
    """Accuracy over the share of samples with an answer, with the fitted thresholds.

    Args:
        curve: The curve and the thresholds.
        baselines: Chance and majority, drawn as lines.
        width_in: Width in inches.
    """
    width_in = min(width_in, 6.5)
    figure = new_figure(width_in, 0.3 * width_in + 1.8)
    axes = figure.subplots()
    axes.plot(_percents(curve.coverage), _percents(curve.accuracy), color=PRIMARY, linewidth=2)
    for i, point in enumerate(curve.thresholds):
        if point.accuracy is not None:
            x, y = 100 * point.answered, 100 * point.accuracy
            axes.plot(x, y, SERIES[i % len(SERIES)].marker, color=ACCENT, markersize=7)
            axes.annotate(
                f"threshold for {point.wanted:.0%}",
                (x, y),
                xytext=(-6, 7),
                textcoords="offset points",
                ha="right",
                size=8,
                color=INK,
            )
    axes.set_xlabel("samples that get an answer, %")
    axes.set_ylabel("accuracy of these, %")
    axes.set_xlim(0, 102)
    least = 0 if baselines is not None else 100 * min(0.5, *curve.accuracy)
    axes.set_ylim(least, 108)
    axes.set_yticks([tick for tick in range(0, 101, 20) if tick >= least])
    if baselines is not None:
        draw_baselines(axes, baselines, scale=100)
    style_axes(axes, grid="both")
    return figure


def draw_baselines(
    axes: Axes, baselines: "Baselines", *, metric: str = "accuracy", scale: float = 1
) -> None:
    """Horizontal lines of chance and majority with their names, for accuracy or UAR."""
    majority = baselines.majority if metric == "accuracy" else baselines.majority_uar
    lines = {
        "chance": (baselines.chance, ":"),
        f"always {baselines.majority_label}": (majority, "--"),
    }
    if majority - baselines.chance < CLOSE:
        lines = {" / ".join(lines): (majority, ":")}
    for name, (value, style) in lines.items():
        axes.axhline(scale * value, color=MUTED, linestyle=style, linewidth=1.2)
        place = axes.get_yaxis_transform()
        axes.text(0.01, scale * (value + 0.01), name, transform=place, size=8, color=MUTED)


def modalities_figure(
    modalities: Mapping["Modality", "GroupMetrics"], width_in: float = PAGE_IN
) -> Figure:
    """Accuracy with both modalities and with each alone, on the samples that have them."""
    return metric_figure(modalities, "accuracy", width_in)


def group_figure(groups: Mapping[str, "GroupMetrics"], width_in: float = PAGE_IN) -> Figure:
    """Balanced accuracy of each group of samples."""
    return metric_figure(groups, "uar", width_in)


def metric_figure(
    groups: Mapping[Any, "GroupMetrics"],
    metric: Literal["accuracy", "uar"],
    width_in: float = PAGE_IN,
) -> Figure:
    """A metric of groups of samples, with the number of samples, chance and majority."""
    rows = [(f"{name} (n = {group.samples})", group[metric]) for name, group in groups.items()]
    bases = [group.baselines for group in groups.values()]
    known = [base for base in bases if base is not None]
    majority = "majority" if metric == "accuracy" else "majority_uar"
    return intervals_figure(
        rows,
        METRIC_NAMES[metric],
        chance=known[0].chance if known else None,
        majority=[None if base is None else getattr(base, majority) for base in bases],
        width_in=width_in,
    )


def intervals_figure(
    rows: Sequence[tuple[str, "Estimate"]],
    metric: str,
    *,
    chance: float | None = None,
    majority: Sequence[float | None] = (),
    width_in: float = PAGE_IN,
) -> Figure:
    """Horizontal bars with confidence intervals.

    Args:
        rows: Names and estimates.
        metric: Name for the axis.
        chance: Value of guessing, 0..1, drawn across all bars.
        majority: Value of the most frequent label for each bar, drawn across the bar.
        width_in: Width in inches.
    """
    narrow = width_in < NARROW_IN
    lines = 0 if chance is None else 2 if narrow else 1
    figure = new_figure(width_in, 0.4 * len(rows) + 0.75 + 0.22 * lines)
    axes = figure.subplots()
    if chance is not None:
        axes.axvline(100 * chance, color=MUTED, linestyle=":", linewidth=1.6, label="chance")
    label: str | None = "always the most frequent label"
    for y, base in enumerate(majority):
        if base is not None:
            x = 100 * base
            axes.plot([x, x], [y - 0.42, y + 0.42], color=ACCENT, linewidth=2.5, label=label)
            label = None
    if chance is not None:
        columns = 1 if narrow else 2
        figure.legend(
            loc="outside lower left", ncols=columns, frameon=False, fontsize=8, labelcolor=INK
        )
    for y, (_, estimate) in enumerate(rows):
        value, low, high = in_percent(estimate)
        axes.barh(y, value, color=PRIMARY, height=0.62)
        axes.plot([low, high], [y, y], color=INK, linewidth=1.4)
        text = "no value" if np.isnan(value) else f"{value:.1f}"
        x = np.nanmax([0, value, high]) + 1
        box = {"facecolor": PAPER, "linewidth": 0, "pad": 0.5}
        axes.text(x, y, text, va="center", size=9, color=INK, bbox=box)
    names = [name.replace(" (n =", "\n(n =") if narrow else name for name, _ in rows]
    axes.set_yticks(range(len(rows)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 120 if narrow else 108)
    axes.set_xticks(range(0, 101, 20))
    axes.set_xlabel(f"{metric}, %")
    style_axes(axes, grid="x")
    return figure


def _percents(values: Sequence[float]) -> list[float]:
    return [100 * value for value in values]


def in_percent(estimate: "Estimate") -> tuple[float, float, float]:
    """Value, lower and upper bound in percent, NaN for ``None``."""
    value, low, high = (float("nan") if x is None else 100 * x for x in estimate)
    return value, low, high
