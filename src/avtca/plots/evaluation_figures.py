"""Figures of an evaluation report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from avtca.plots.style import ACCENT, INK, MUTED, PRIMARY, new_figure, style_axes

if TYPE_CHECKING:
    from avtca.evaluation.report import (
        AbstentionReport,
        Baselines,
        CalibrationReport,
        Estimate,
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


def confusion_figure(confusion: Sequence[Sequence[float]], labels: Sequence[str]) -> Figure:
    """Draw a confusion matrix, its rows normalised to 100 %.

    Args:
        confusion: Counts, true labels in rows and predicted ones in columns.
        labels: Names of rows and columns.
    """
    counts = np.array(confusion, float)
    percent = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = new_figure(0.75 * len(labels) + 2, 0.65 * len(labels) + 1.4)
    axes = figure.subplots()
    axes.imshow(percent, cmap="Blues", vmin=0, vmax=100)
    for (i, j), value in np.ndenumerate(percent):
        colour = "white" if value > 55 else INK
        axes.text(j, i, f"{value:.0f}", ha="center", va="center", color=colour, fontsize=10)
    axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true, % of the row")
    return figure


def reliability_figure(calibration: "CalibrationReport") -> Figure:
    """Reliability diagrams before and after temperature scaling."""
    figure = new_figure(9, 3.8)
    figure.set_layout_engine("constrained", wspace=0.06)
    curves = {"before": calibration.before, "after": calibration.after}
    for axes, (name, curve) in zip(figure.subplots(1, 2, sharey=True), curves.items(), strict=True):
        heights = [value or 0 for value in curve.accuracy]
        widths = np.diff(curve.edges)
        axes.bar(curve.edges[:-1], heights, widths, align="edge", color=PRIMARY, edgecolor="white")
        axes.plot([0, 1], [0, 1], color=MUTED, linestyle="--", linewidth=1)
        axes.set_title(f"{name} scaling: ECE {100 * curve.ece:.1f} %", fontsize=11)
        axes.set_xlabel("confidence")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        style_axes(axes, grid="both")
    figure.axes[0].set_ylabel("accuracy")
    return figure


def abstention_figure(curve: "AbstentionReport", baselines: "Baselines | None" = None) -> Figure:
    """Accuracy over coverage of selective prediction, with the points of the fitted thresholds.

    Args:
        curve: The curve and the thresholds.
        baselines: Chance and majority, drawn as lines.
    """
    figure = new_figure(6, 3.6)
    axes = figure.subplots()
    if baselines is not None:
        draw_baselines(axes, baselines)
    axes.plot(curve.coverage, curve.accuracy, color=PRIMARY, linewidth=2)
    for point, marker in zip(curve.thresholds, "os^", strict=False):
        if point.accuracy is not None:
            label = f"threshold for {point.wanted:.0%}"
            axes.plot(point.answered, point.accuracy, marker, color=ACCENT, label=label)
    axes.set_xlabel("coverage: share of samples with a prediction")
    axes.set_ylabel("accuracy on those samples")
    axes.set_xlim(0, 1.02)
    axes.set_ylim(0 if baselines is not None else min(0.5, *curve.accuracy), 1.02)
    if len(axes.lines) > 1:
        axes.legend(loc="lower left", frameon=False, fontsize=9)
    style_axes(axes, grid="both")
    return figure


def draw_baselines(
    axes: Axes, baselines: "Baselines", *, metric: str = "accuracy", scale: float = 1
) -> None:
    """Horizontal lines of chance and majority, for accuracy or UAR."""
    majority = baselines.majority if metric == "accuracy" else baselines.majority_uar
    axes.axhline(scale * baselines.chance, color=MUTED, linestyle=":", linewidth=1, label="chance")
    name = f"always {baselines.majority_label}"
    axes.axhline(scale * majority, color=MUTED, linestyle="--", linewidth=1, label=name)


def modalities_figure(modalities: Mapping["Modality", "GroupMetrics"]) -> Figure:
    """Accuracy with both modalities and with each alone, on the samples that have them."""
    return metric_figure(modalities, "accuracy")


def group_figure(groups: Mapping[str, "GroupMetrics"]) -> Figure:
    """Balanced accuracy of each group of samples."""
    return metric_figure(groups, "uar")


def metric_figure(
    groups: Mapping[Any, "GroupMetrics"], metric: Literal["accuracy", "uar"]
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
    )


def intervals_figure(
    rows: Sequence[tuple[str, "Estimate"]],
    metric: str,
    *,
    chance: float | None = None,
    majority: Sequence[float | None] = (),
) -> Figure:
    """Horizontal bars with confidence intervals.

    Args:
        rows: Names and estimates.
        metric: Name for the axis.
        chance: Value of guessing, 0..1, drawn across all bars.
        majority: Value of the most frequent label for each bar, drawn across the bar.
    """
    figure = new_figure(7.5, 0.42 * len(rows) + 0.9 + (0.3 if chance is not None else 0))
    axes = figure.subplots()
    if chance is not None:
        axes.axvline(100 * chance, color=MUTED, linestyle=":", linewidth=1.4, label="chance")
    label: str | None = "always the most frequent label"
    for y, base in enumerate(majority):
        if base is not None:
            x = 100 * base
            axes.plot([x, x], [y - 0.42, y + 0.42], color=ACCENT, linewidth=2, label=label)
            label = None
    if chance is not None:
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    for y, (_, estimate) in enumerate(rows):
        value, low, high = in_percent(estimate)
        axes.barh(y, value, color=PRIMARY, height=0.62)
        axes.plot([low, high], [y, y], color=INK, linewidth=1.4)
        text = "no value" if np.isnan(value) else f"{value:.1f}"
        axes.text(np.nanmax([0, value, high]) + 1, y, text, va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 108)
    axes.set_xlabel(f"{metric}, %")
    style_axes(axes, grid="x")
    return figure


def in_percent(estimate: "Estimate") -> tuple[float, float, float]:
    """Value, lower and upper bound in percent, NaN for ``None``."""
    value, low, high = (float("nan") if x is None else 100 * x for x in estimate)
    return value, low, high
