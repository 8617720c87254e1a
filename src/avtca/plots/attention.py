"""Attention between face and voice as a figure."""

import os
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from avtca.plots.style import MUTED, PRIMARY, new_figure, style_axes

if TYPE_CHECKING:
    from avtca.recognize.report import Report
    from avtca.runtime.attention import AttentionMap

GRID_S = 0.1
"""Seconds of a step of the curves over the whole clip."""


def attention_figure(report: "Report") -> Figure:
    """Attention received over the clip, and the maps of its most decided window.

    Above, for the voice and for the face, how much each moment was attended to by the other
    stream, relative to equal attention to all moments, the mean over windows. Below, the map of
    one window in each direction: a row is a moment that attends.

    Args:
        report: A report with attention maps.

    Raises:
        ValueError: The report has no attention maps.
    """
    windows = report.attention
    if not windows:
        raise ValueError("a report without attention maps")
    directions = windows[0].between
    figure = new_figure(11, 7.5)
    grid = figure.add_gridspec(3, 2, height_ratios=(1, 1, 3.2))
    for i, (query, key) in enumerate(directions):
        axes = figure.add_subplot(grid[i, :])
        maps = [window.between[query, key] for window in windows]
        _draw_received(axes, maps, report.duration_s)
        axes.set_ylabel(f"{key}\n(× equal)")
        title = f"how much the {query} attended to each moment of the {key}"
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("seconds of the clip" if i else "")
    scores = {
        (row.start_s, row.person): max(row.scores.values()) for row in report.timeline if row.scores
    }
    one = max(windows, key=lambda window: scores.get((window.start_s, window.person), 0))
    for i, (query, key) in enumerate(directions):
        axes = figure.add_subplot(grid[2, i])
        _draw_map(axes, figure, one.between[query, key])
        axes.set_xlabel(f"attended to: {key}, seconds")
        axes.set_ylabel(f"attending: {query}, seconds")
    name = report.file.replace(os.sep, "/").rsplit("/", 1)[-1]
    title = f"{name}: attention of the window {one.start_s:.1f} to {one.end_s:.1f} s"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", parse_math=False)
    return figure


def received(found: "AttentionMap") -> NDArray[np.float64]:
    """How much each key was attended to, relative to equal attention ``(t_k,)``."""
    rows = max(1, len(found.weights))
    return np.asarray(found.weights.sum(axis=0) / rows * len(found.key_times), np.float64)


def _draw_received(axes: Axes, maps: list["AttentionMap"], end_s: float) -> None:
    steps = max(1, int(np.ceil(end_s / GRID_S)))
    total, count = np.zeros(steps), np.zeros(steps)
    middles = (np.arange(steps) + 0.5) * GRID_S
    for found in maps:
        times = found.key_times
        if len(times):
            half = float(np.diff(times).min()) / 2 if len(times) > 1 else GRID_S / 2
            nearest = np.abs(middles[:, None] - times).argmin(axis=1)
            inside = np.abs(middles - times[nearest]) <= half + 1e-6
            total[inside] += received(found)[nearest[inside]]
            count[inside] += 1
    values = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    edges = np.arange(steps + 1) * GRID_S
    axes.stairs(values, edges, baseline=1, color=PRIMARY, alpha=0.3, fill=True)
    axes.axhline(1, color=MUTED, lw=0.8, ls="--")
    axes.set_xlim(0, max(end_s, GRID_S))
    axes.set_ylim(0, max(2.0, float(np.nanmax(values, initial=1)) * 1.05))
    style_axes(axes, grid="x")


def _draw_map(axes: Axes, figure: Figure, found: "AttentionMap") -> None:
    rows, columns = _on_grid(found.query_times), _on_grid(found.key_times)
    relative = np.full((rows[1][-1] + 1, columns[1][-1] + 1), np.nan)
    relative[np.ix_(rows[1], columns[1])] = found.weights * len(found.key_times)
    scale = TwoSlopeNorm(1, 0, max(2.0, float(np.nanmax(relative))))
    image = axes.pcolormesh(columns[0], rows[0], relative, cmap="RdBu_r", norm=scale)
    axes.invert_yaxis()
    bar = figure.colorbar(image, ax=axes, shrink=0.85)
    bar.set_label("white: as to every moment, red: more")
    bar.outline.set_visible(False)  # type: ignore[operator]


def _on_grid(times: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Edges of equal steps that hold all times, and the step of each time ``(t,)``."""
    step = float(np.diff(times).min()) if len(times) > 1 else GRID_S
    at = np.rint((times - times[0]) / step).astype(np.int64)
    return times[0] + (np.arange(at[-1] + 2) - 0.5) * step, at
