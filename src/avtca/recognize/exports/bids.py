"""Segments as BIDS events: a TSV file, and the JSON file that describes its columns."""

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from avtca.recognize.exports.segments import RULE, RULE_FIELDS, in_time, make_segments
from avtca.text import label_columns

if TYPE_CHECKING:
    from avtca.recognize.report import Report

_COLUMNS = {
    "onset": "Start of the segment, from the start of the recording",
    "duration": "Length of the segment",
    "trial_type": "Recognised emotion. " + RULE,
    "track": "Person, numbered by face, or audio where no face was used",
    "confidence": "Mean score of the recognised emotion over the segment",
    "sure": "Whether the confidence reaches the threshold that was measured on whole recordings of "
    "other speakers; n/a where none was measured for this input",
    "certainty": "The confidence as text, with the reason where it is not sure",
}
_SECONDS = ("onset", "duration")
_MISSING = "n/a"


def bids_events(report: "Report") -> str:
    """Rows of ``events.tsv``, by onset; missing values are n/a."""
    text = io.StringIO()
    columns = label_columns(report.labels, _COLUMNS)
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow([*_COLUMNS, *columns.values()])
    for one in in_time(make_segments(report)):
        sure = _MISSING if one.confident is None else str(one.confident).lower()
        cells = [f"{one.start_s:.3f}", f"{one.end_s - one.start_s:.3f}", one.label, one.track]
        cells += [f"{one.confidence:.4f}", sure, one.certainty]
        writer.writerow([*cells, *(f"{one.scores[name]:.4f}" for name in columns)])
    return text.getvalue()


def bids_sidecar(report: "Report") -> str:
    """``events.json``: the columns of :func:`bids_events`, the rule, the model and the file."""
    out: dict[str, Any] = {name: {"Description": text} for name, text in _COLUMNS.items()}
    for name in _SECONDS:
        out[name]["Units"] = "s"
    out["trial_type"]["Levels"] = {name: f"expression of: {name}" for name in report.labels}
    out["sure"]["Levels"] = {"true": "confident", "false": "not confident"}
    for name, column in label_columns(report.labels, _COLUMNS).items():
        out[column] = {"Description": f"Mean score of {name} over the segment, 0 to 1"}
    out["Segments"] = RULE_FIELDS
    out["Model"] = report.model
    out["File"] = report.file
    return json.dumps(out, indent=2, ensure_ascii=False) + "\n"
