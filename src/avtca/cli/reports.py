"""Recognise a file and show reports, for `avtca predict` and `avtca demo`."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from avtca import cli
from avtca.cli.progress import ProgressBar

if TYPE_CHECKING:
    from rich.table import Table

    from avtca.plots.html import PageEntry
    from avtca.recognize import Recognizer, Report

LONG_S = 20.0
"""Files longer than this get a progress bar."""


def recognise_file(recognizer: "Recognizer", source: str | BinaryIO, **options: Any) -> "Report":
    """Recognise one file, with a progress bar for a long one, and print a line on stderr.

    ``options`` are those of :meth:`Recognizer.predict`.
    """
    started = time.monotonic()
    with ProgressBar(transient=True, min_total=LONG_S) as bar:
        report = recognizer.predict(source, **options, progress=bar)
    print_line(report, time.monotonic() - started)
    return report


def print_line(report: "Report", took_s: float) -> None:
    """Print the result of a file and its warnings on stderr."""
    cli.err.print(
        f"{report.file}: {report.top} {report.certainty}, {report.duration_s:.1f} s of media "
        f"in {took_s:.1f} s"
    )
    for warning in report.warnings:
        cli.err.print(f"  warning: {warning}")


def write_report(
    report: "Report", out: Path, *, number: int, label: str | None = None
) -> "PageEntry":
    """Write JSON, CSV and timeline of one report; ``number`` keeps the names unique.

    Returns its entry of the page.
    """
    from avtca.recognize.writers import write_files

    return write_files(report, out, f"{number:03d}_{Path(report.file).stem}", label)


def table(reports: Sequence["Report"], labelled: dict[str, str] | None = None) -> "Table":
    """File, labelled emotion where known, recognised emotion, confidence, coverage; then people."""
    from rich.table import Table
    from rich.text import Text

    from avtca.plots.recognition_table import legend, short_names, table_heads, table_rows

    out = Table(box=None, pad_edge=False, header_style="bold")
    heads = table_heads(bool(labelled))
    for head in heads:
        right = head in heads[-3:]
        out.add_column(head, justify="right" if right else "left", overflow="fold")
    out.caption, out.caption_justify, out.caption_style = (
        Text("\n".join(legend(reports))),
        "left",
        "",
    )
    names = short_names([report.file for report in reports])
    for name, report in zip(names, reports, strict=True):
        label = (labelled or {}).get(Path(report.file).name, "")
        for i, row in enumerate(table_rows(name, report)):
            first = row.name if i == 0 else f"  {row.name}"
            middle = ["" if i else label] if labelled else []
            out.add_row(*map(Text, [first, *middle, *row.cells]))
    return out
