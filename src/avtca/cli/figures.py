"""`--figures`: figures as files, at a width in millimetres."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avtca import cli
from avtca.errors import ConfigError
from avtca.files import write_atomic
from avtca.text import file_name

if TYPE_CHECKING:
    from avtca.plots.drawing import Draw

FORMATS = ("svg", "png", "pdf")
MM_PER_IN = 25.4
WIDTH_MM = 180.0
"""Default width: two columns of a journal."""
MIN_MM, MAX_MM = 60.0, 1000.0


@dataclass(frozen=True)
class FigureFiles:
    """Format and width of figures that are written as files."""

    format: str
    width_mm: float = WIDTH_MM

    @property
    def width_in(self) -> float:
        """The width in inches."""
        return self.width_mm / MM_PER_IN

    def write(self, figures: Mapping[str, "Draw"], folder: Path) -> None:
        """Write figures by name, and print where they are.

        Raises:
            ConfigError: The folder cannot be written.
        """
        from avtca.plots.drawing import figure_bytes

        with cli.writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name, draw in figures.items():
                drawn = figure_bytes(draw(width_in=self.width_in), self.format)
                stem = file_name(name).replace(" ", "_").replace("/", "_")
                write_atomic(folder / f"{stem}.{self.format}", drawn)
        cli.err.print(f"figures: {folder / f'*.{self.format}'} ({len(figures)} file(s))")


def figure_files(text: str) -> FigureFiles:
    """Format and width as in ``svg`` or ``png:85``; raises :class:`ConfigError` for others."""
    action = f"--figures {text}"
    kind, _, width = text.lower().partition(":")
    if kind not in FORMATS:
        raise ConfigError(action, "there is no such format", f"choose one of {', '.join(FORMATS)}")
    if not width:
        return FigureFiles(kind)
    fix = f"give millimetres from {MIN_MM:g} to {MAX_MM:g}, for example {kind}:85"
    try:
        width_mm = float(width.removesuffix("mm"))
    except ValueError:
        raise ConfigError(action, f"{width!r} is no width", fix) from None
    if not MIN_MM <= width_mm <= MAX_MM:
        raise ConfigError(action, "the width is out of range", fix)
    return FigureFiles(kind, width_mm)


Figures = Annotated[
    FigureFiles | None,
    typer.Option(
        help="Also write the figures as files: svg, png or pdf, with a width in mm if wanted, "
        f"as in svg:85 [default width: {WIDTH_MM:g}]",
        parser=figure_files,
        metavar="FORMAT[:MM]",
    ),
]
