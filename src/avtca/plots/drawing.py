"""Figures as PNG and SVG files, and as SVG inside a page, in the colours of the page."""

import hashlib
import io
import re
from collections.abc import Callable

import matplotlib as mpl
from matplotlib.figure import Figure

from avtca.plots.style import THEME

PHONE_IN, PAGE_IN = 3.5, 8.0
"""Widths in inches in which a page has each figure: for phones, and for wider windows."""
PX_PER_IN = 96
"""CSS pixels of an inch."""
SCREEN_DPI, PRINT_DPI = 110, 300
"""Pixels per inch of a PNG: beside a page, and of a figure for print."""

Draw = Callable[..., Figure]
"""Draws a figure at a width: ``draw(width_in=8)``."""


def theme_css() -> str:
    """CSS variables of :data:`THEME` for a light and for a dark page."""
    light = "".join(f"{name}: {colour}; " for colour, (name, _) in THEME.items())
    dark = "".join(f"{name}: {colour}; " for name, colour in THEME.values())
    return f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark}}} }}"


def png_bytes(figure: Figure, dpi: int = SCREEN_DPI) -> bytes:
    """A figure as a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=dpi)
    return data.getvalue()


def svg_bytes(figure: Figure) -> bytes:
    """A figure as an SVG file, its text as text."""
    data = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "avtca"}):
        figure.savefig(data, format="svg", metadata={"Date": None, "Creator": None})
    return data.getvalue()


def figure_bytes(figure: Figure, format: str) -> bytes:
    """A figure for print as an "svg", "png" or "pdf" file."""
    if format == "svg":
        return svg_bytes(figure)
    if format == "png":
        return png_bytes(figure, PRINT_DPI)
    data = io.BytesIO()
    with mpl.rc_context({"pdf.fonttype": 42}):  # fonts that journals accept
        figure.savefig(data, format=format, metadata={"CreationDate": None})
    return data.getvalue()


def inline_svg(figure: Figure) -> str:
    """A figure as SVG markup for a page: transparent, in its font, in colours of :data:`THEME`."""
    figure.patch.set_visible(False)
    text = svg_bytes(figure).decode()
    for pattern, new in (
        (r"^.*?<svg[^>]*>", ""),
        (r"<metadata>.*?</metadata>\s*", ""),
        (r"<defs>\s*<style.*?</style>\s*</defs>\s*", ""),
        (r"<!--.*?-->\s*", ""),
        (r'<g id="[^"]*"', "<g"),  # not unique among figures, and never referenced
        (r"font-family: [^;]*; ", ""),
        (r"(\.\d\d)\d+", r"\1"),
    ):
        text = re.sub(pattern, new, text, flags=re.DOTALL)
    for colour, (name, _) in THEME.items():
        text = text.replace(colour, f"var({name})")
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    text = re.sub(r'(id="|href="#|url\(#)(\w+)', rf"\g<1>c{mark}\2", text)
    width, height = (72 * inches for inches in figure.get_size_inches())
    size = f'viewBox="0 0 {width:g} {height:g}" style="max-width: {width / 72 * PX_PER_IN:g}px"'
    return f'<svg aria-hidden="true" {size}>{text}'
