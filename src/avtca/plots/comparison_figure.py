"""The figure of a comparison of systems."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from avtca.plots.evaluation_figures import METRIC_NAMES, in_percent
from avtca.plots.style import INK, MUTED, PRIMARY, new_figure, style_axes

if TYPE_CHECKING:
    from avtca.evaluation.report import ComparisonReport

LONGEST_NAME = 40


def comparison_figure(report: "ComparisonReport") -> Figure:
    """Accuracy of each system, and beside it the difference from the first, with intervals."""
    names = list(report.systems)
    figure = new_figure(9, 1.5 + 0.42 * len(names))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 1))
    for y, one in enumerate(report.systems.values()):
        value, low, high = in_percent(one.accuracy)
        left.plot([low, high], [y, y], color=PRIMARY, linewidth=2)
        left.plot(value, y, "o", color=PRIMARY, markersize=6)
        left.annotate(
            f"{value:.1f}", (value, y), (0, 6), textcoords="offset points", ha="center", fontsize=9
        )
    left.set_yticks(range(len(names)), [_short(name) for name in names])
    left.set_xlabel(f"{METRIC_NAMES['accuracy']}, % (95 % interval)")
    left.set_ylim(len(names) - 0.4, -0.6)
    style_axes(left, grid="x")

    right.axvline(0, color=INK, linewidth=1)
    right.text(0, 0, "  reference", color=MUTED, fontsize=9, va="center")
    differences = {pair.second: pair for pair in report.pairs if pair.first == names[0]}
    for y, name in enumerate(names[1:], 1):
        pair = differences[name]
        d = pair.accuracy
        value, low, high = (
            float("nan") if x is None else -100 * x for x in (d.value, d.low, d.high)
        )
        right.plot([low, high], [y, y], color=PRIMARY, linewidth=2)
        right.plot(value, y, "o", color=PRIMARY, markersize=6)
        p = "" if pair.p_holm is None else f", p {_p(pair.p_holm)}"
        right.annotate(
            f"{value:+.1f}{p}",
            (value, y),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )
    right.set_xlabel(f"points more than {_short(names[0])} (p adjusted by Holm)")
    right.margins(x=0.2)
    style_axes(right, grid="x")
    return figure


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
