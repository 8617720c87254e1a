"""Segments as a table with a row for each: TSV and Parquet."""

import csv
import io
from typing import TYPE_CHECKING, Any

from avtca.recognize.exports.segments import RULE, make_segments
from avtca.text import csv_cell, label_columns

if TYPE_CHECKING:
    from avtca.recognize.report import Report

HEAD = ["file", "track", "person", "start_s", "end_s", "label"]
HEAD += ["confidence", "sure", "sure_from", "streams", "certainty"]
"""Columns before the labels."""
TAIL = ["model", "rule"]
"""Columns after the labels."""
TEXTS = ("file", "track", "label", "streams", "certainty", "model", "rule")
"""Columns of text."""


def segment_rows(*reports: "Report") -> list[dict[str, Any]]:
    """A row for each segment of each report, ``None`` for empty cells."""
    rows = []
    for report in reports:
        columns = label_columns(report.labels, [*HEAD, *TAIL])
        for one in make_segments(report):
            fields = one.confidence_fields()
            row: dict[str, Any] = {"file": report.file, "track": one.track, "person": one.person}
            row |= {"start_s": one.start_s, "end_s": one.end_s, "label": one.label}
            row |= {name: fields[name] for name in ("confidence", "sure", "sure_from", "streams")}
            row |= {"certainty": one.certainty}
            row |= {columns[name]: score for name, score in one.scores.items()}
            rows.append(row | {"model": report.model, "rule": RULE})
    return rows


def segment_columns(*reports: "Report") -> list[str]:
    """Columns of :func:`segment_rows`, also where there are no rows."""
    labels = dict.fromkeys(name for report in reports for name in report.labels)
    return [*HEAD, *label_columns(labels, [*HEAD, *TAIL]).values(), *TAIL]


def tsv_text(*reports: "Report") -> str:
    """Tab-separated values with a row for each segment; ``sure`` is true, false or empty."""
    text = io.StringIO()
    names = segment_columns(*reports)
    writer = csv.DictWriter(text, names, delimiter="\t", restval="", lineterminator="\n")
    writer.writeheader()
    for row in segment_rows(*reports):
        sure = None if row["sure"] is None else str(row["sure"]).lower()
        writer.writerow({name: csv_cell(cell) for name, cell in (row | {"sure": sure}).items()})
    return text.getvalue()


def parquet_bytes(*reports: "Report") -> bytes:
    """Parquet with the columns of :func:`tsv_text`; ``sure`` is true, false or null.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    import pyarrow
    from pyarrow import parquet

    types = {"person": pyarrow.int64(), "sure": pyarrow.bool_()}
    types |= dict.fromkeys(TEXTS, pyarrow.string())
    names = segment_columns(*reports)
    schema = pyarrow.schema(
        [(name, types.get(name, pyarrow.float64())) for name in names], {"avtca": RULE}
    )
    out = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(segment_rows(*reports), schema), out)
    return out.getvalue()
