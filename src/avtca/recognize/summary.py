"""One row for each file, for studies."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from avtca.recognize.report import Report
from avtca.text import csv_cell, label_columns

HEAD = ["file", "top", "confidence", "sure", "sure_from", "streams"]
"""Columns before the labels."""
TAIL = ["read", "face", "voice", "duration_s", "people", "person", "speaking"]
TAIL += ["model", "warnings", "error"]
"""Columns after the labels."""


def summary_csv(rows: Iterable[Report | tuple[str, str]], labels: Sequence[str]) -> str:
    """CSV text with a row for each report or failed file; docs/output.md describes the columns.

    Args:
        rows: Reports, and name and error of each file that failed.
        labels: Labels of the network.
    """
    text = io.StringIO()
    columns = label_columns(labels, [*HEAD, *TAIL])
    names = [*HEAD, *columns.values(), *TAIL]
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if isinstance(row, Report):
            cells = summary_cells(row, columns)
        else:
            cells = {"file": row[0], "error": row[1]}
        writer.writerow({name: csv_cell(cell) for name, cell in cells.items()})
    return text.getvalue()


def summary_cells(report: Report, columns: Mapping[str, str]) -> dict[str, Any]:
    """Cells of a report by column.

    Args:
        report: The report.
        columns: Column of each label.
    """
    plain = report.to_dict()
    sure = "" if report.confident is None else str(report.confident).lower()
    cells: dict[str, Any] = {name: plain[name] for name in HEAD}
    cells |= {columns[name]: score for name, score in plain["scores"].items()}
    cells |= plain["coverage"]
    cells |= {"duration_s": plain["duration_s"], "model": report.model, "sure": sure}
    cells |= {"people": len(report.people) or "", "warnings": " | ".join(report.warnings)}
    person, speaking = report.read_person
    cells |= {"person": "" if person is None else person}
    cells |= {"speaking": "" if speaking is None else round(speaking, 3)}
    return cells
