"""Colours and axes that all figures share."""

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, MUTED, EMPTY = "#1d2730", "#5c6873", "#e4e8ec"
PRIMARY, ACCENT = "#2b6cb0", "#ee8434"
SERIES_COLOURS = (
    *(PRIMARY, ACCENT, "#6b8f3c", "#7a5aa6"),
    *("#c8443f", "#4c9f9f", "#5f6c7b", "#b5838d"),
)
"""Colours of lines and bars, in order."""
LABEL_COLOURS = {
    "angry": "#c8443f",
    "disgust": "#6b8f3c",
    "fear": "#7a5aa6",
    "happy": "#f0b429",
    "neutral": "#a9b4c0",
    "calm": "#7fb8ad",
    "sad": "#3f6fb5",
    "surprise": "#ee8434",
}
OTHER_LABEL_COLOURS = ("#4c9f9f", "#b5838d", "#5f6c7b", "#d4a5a5")


def label_colour(label: str, labels: Sequence[str]) -> str:
    """Colour of a label; labels outside :data:`LABEL_COLOURS` get one by their index."""
    index = list(labels).index(label)
    return LABEL_COLOURS.get(label) or OTHER_LABEL_COLOURS[index % len(OTHER_LABEL_COLOURS)]


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty white figure whose parts are laid out without overlaps."""
    return Figure(figsize=(width_in, height_in), layout="constrained", facecolor="white")


def style_axes(axes: Axes, *, grid: Literal["", "x", "y", "both"] = "") -> None:
    """Remove the frame above and on the right; draw a light grid along ``grid``.

    Args:
        axes: Axes to style.
        grid: "x", "y", "both", or "" for no grid.
    """
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, alpha=0.25)
