"""One row for each file, for studies."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from avtca.recognize.report import Report

HEAD = ["file", "top", "confidence", "sure", "sure_from", "streams"]
"""Columns before the labels."""
TAIL = ["read", "face", "voice", "duration_s", "people", "model", "warnings", "error"]
"""Columns after the labels."""


def summary_csv(rows: Iterable[Report | tuple[str, str]], labels: Sequence[str]) -> str:
    """CSV text with a row for each report or failed file; docs/output.md describes the columns.

    Args:
        rows: Reports, and name and error of each file that failed.
        labels: Labels of the network.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [*HEAD, *labels, *TAIL], restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        if isinstance(row, Report):
            writer.writerow(_cells(row))
        else:
            writer.writerow({"file": row[0], "error": row[1]})
    return text.getvalue()


def _cells(report: Report) -> dict[str, Any]:
    plain = report.to_dict()
    sure = "" if report.confident is None else str(report.confident).lower()
    cells: dict[str, Any] = {name: plain[name] for name in HEAD}
    cells |= plain["scores"] | plain["coverage"]
    cells |= {"duration_s": plain["duration_s"], "model": report.model, "sure": sure}
    cells |= {"people": len(report.people) or "", "warnings": " | ".join(report.warnings)}
    return cells
