"""The table of recognised files, as text cells for the console and the HTML page."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from avtca.recognize.report import Report

MAX_PEOPLE_LISTED = 30
"""Largest number of people listed for one file: those seen longest."""
INPUT_NAMES = {
    "both": "face and voice together",
    "face": "a face alone",
    "voice": "a voice alone",
}
"""Input of a prediction, by the keys of ``Report.thresholds``."""


class TableRow(NamedTuple):
    """A row of the table: a file, or one of the people in it.

    Attributes:
        name: First cell.
        cells: Further cells, below :func:`table_heads` without "labelled".
        person: Number of the person, ``None`` for a file.
    """

    name: str
    cells: tuple[str, ...]
    person: int | None = None


def table_heads(labelled: bool) -> list[str]:
    """Column heads of the table.

    Args:
        labelled: Whether the true labels of the files are known.
    """
    return [
        "file",
        *(["labelled"] if labelled else []),
        *("recognised", "confidence", "face seen", "voice heard"),
    ]


def table_rows(name: str, report: "Report") -> list[TableRow]:
    """Rows of one file: the file first, then the people in it.

    Args:
        name: Name of the file in the table.
        report: Its report.
    """
    coverage = f"{report.coverage.face:.0%}", f"{report.coverage.voice:.0%}"
    rows = [TableRow(name, (report.top, report.certainty, *coverage))]
    listed = sorted(report.people, key=lambda person: -person.seen_s)[:MAX_PEOPLE_LISTED]
    for person in sorted(listed, key=lambda person: person.number):
        cells = (person.top, person.certainty, f"{person.seen_s:.1f} s", "")
        rows.append(TableRow(f"person {person.number}", cells, person.number))
    if more := len(report.people) - len(listed):
        rows.append(TableRow(f"{more} more, in JSON and CSV", ("",) * 4, -1))
    return rows


def legend(reports: Sequence["Report"]) -> list[str]:
    """Explanations of the words that occur in the table, one line each."""
    lines = ["face seen, voice heard: share of the file with a face, with a voice"]
    predictions = [one for report in reports for one in (report, *report.people)]
    thresholds = {name: x for report in reports for name, x in report.thresholds.items()}
    lines += sorted({f"{one.doubt}: {one.doubt_text}" for one in predictions if one.doubt})
    if any(one.certainty.endswith("(below threshold)") for one in predictions):
        listed = [f"confidence under {x:.0%} with {INPUT_NAMES[k]}" for k, x in thresholds.items()]
        lines.append("below threshold: " + ", or ".join(listed))
    if any("(no threshold" in one.certainty for one in predictions):
        measured = " and ".join(INPUT_NAMES[name] for name in thresholds)
        why = f"the confidence threshold was measured with {measured} only"
        lines.append(f"no threshold: {why if measured else 'none was measured for this model'}")
    return lines


def short_names(files: Sequence[str]) -> list[str]:
    """The last part of each path, with as many parent folders as make the names distinct."""
    parts = [file.replace(os.sep, "/").rstrip("/").split("/") for file in files]
    taken = [1] * len(parts)
    while True:
        names = ["/".join(part[-n:]) for part, n in zip(parts, taken, strict=True)]
        count = Counter(names)
        longer = [
            n + (count[name] > 1 and n < len(part))
            for part, n, name in zip(parts, taken, names, strict=True)
        ]
        if longer == taken:
            return names
        taken = longer
