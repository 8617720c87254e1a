"""Colours, the order of emotions, and axes that all figures and pages share."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, RULE, EMPTY = "#1d2730", "#55616d", "#d4dae0", "#e4e8ec"
PAPER = "#ffffff"
PRIMARY, ACCENT = "#2360b0", "#c8560f"


class Series(NamedTuple):
    """How a model is drawn beside others.

    Attributes:
        colour: On a light page and in files.
        dark: On a dark page.
        marker: Marker of matplotlib.
    """

    colour: str
    dark: str
    marker: str


SERIES = (
    Series(PRIMARY, "#7fb0f0", "o"),
    Series(ACCENT, "#f29b5c", "s"),
    Series("#23241a", "#f5f2ea", "^"),
    Series("#dd559c", "#f58fc4", "D"),
    Series("#6b685f", "#a8a498", "v"),
    Series("#9d72f5", "#bfa4f9", "P"),
    Series("#7b0c08", "#e8756a", "X"),
    Series("#0a7f76", "#4fc3b5", "*"),
)
"""Colours and markers of lines and bars, in order."""
THEME = {
    INK: ("--text", "#e6edf3"),
    MUTED: ("--muted", "#a5b4c1"),
    RULE: ("--line", "#3a4651"),
    PAPER: ("--card", "#1b232b"),
    **{one.colour: (f"--series{i}", one.dark) for i, one in enumerate(SERIES)},
}
"""Colours that differ on a dark page: name of the CSS variable, and the dark colour."""

LABEL_COLOURS = {
    "angry": "#b3261e",
    "contempt": "#32121f",
    "disgust": "#86d3ac",
    "fear": "#9a50e6",
    "happy": "#f7d21e",
    "neutral": "#80868c",
    "calm": "#0f6058",
    "boredom": "#e0763f",
    "sad": "#1d3fa8",
    "surprise": "#f4a6e0",
}
"""Colours of emotions, in the order of every figure, table and page.

Any two of the seven of the packaged model differ by a CIEDE2000 of at least 19 in normal sight and
18 in deuteranopia (Machado et al. 2009), neighbours by 28 in both.
"""


def label_order(labels: Sequence[str]) -> list[int]:
    """Indices of labels in the order of :data:`LABEL_COLOURS`, others last in their own order."""
    names = list(LABEL_COLOURS)
    known = [names.index(name) if name in names else len(names) for name in labels]
    return sorted(range(len(labels)), key=lambda i: known[i])


def label_colours(labels: Sequence[str]) -> list[str]:
    """The colour of each label; other labels than those above get colours that are free."""
    free = [colour for name, colour in LABEL_COLOURS.items() if name not in labels]
    free = free or list(LABEL_COLOURS.values())
    others = [name for name in labels if name not in LABEL_COLOURS]
    return [LABEL_COLOURS.get(name) or free[others.index(name) % len(free)] for name in labels]


def text_colour(background: str) -> str:
    """Black or white, whichever has more contrast with a background."""
    return "#000000" if luminance(background) > 0.179 else "#ffffff"


def luminance(colour: str) -> float:
    """Relative luminance of a colour as defined by WCAG 2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def new_figure(width_in: float, height_in: float) -> "Figure":
    """An empty white figure whose parts are laid out without overlaps."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), layout="constrained", facecolor=PAPER)


def style_axes(axes: "Axes", *, grid: Literal["", "x", "y", "both"] = "") -> None:
    """Remove the frame above and on the right; draw a light grid along ``grid``.

    Args:
        axes: Axes to style.
        grid: "x", "y", "both", or "" for no grid.
    """
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelcolor=INK, labelsize=9)
    axes.xaxis.label.set(color=INK, size=9.5)
    axes.yaxis.label.set(color=INK, size=9.5)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(axis=grid, color=RULE, linewidth=0.8)
