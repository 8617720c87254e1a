"""Segments of many files as a database of audformat: a folder with a header and a table."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from avtca.recognize.exports.segments import RULE, make_segments

if TYPE_CHECKING:
    from avtca.recognize.report import Report

_TABLE = "segments"
_SCHEMES = {
    "emotion": "recognised emotion",
    "confidence": "mean score of the emotion over the segment",
    "sure": "whether the confidence reaches the threshold; missing where none was measured",
    "track": "person, numbered by face, or audio where no face was used",
    "certainty": "the confidence as text, with the reason where it is not sure",
}


def audformat_files(*reports: "Report") -> dict[str, str]:
    """Content of ``db.yaml`` and of the table, by name.

    Files are given by their full path where they exist, since a database may lie anywhere.
    """
    return {"db.yaml": _header(*reports), f"db.{_TABLE}.csv": _table(*reports)}


def _header(*reports: "Report") -> str:
    """The header as JSON, which is YAML too."""
    labels = list(dict.fromkeys(name for report in reports for name in report.labels))
    models = sorted({report.model for report in reports})
    types = {"confidence": {"dtype": "float", "minimum": 0, "maximum": 1}}
    types |= {"sure": {"dtype": "bool"}, "emotion": {"dtype": "str", "labels": labels}}
    header = {
        "name": "avtca",
        "description": f"Emotions recognised by avtca. {RULE}",
        "source": "avtca predict",
        "usage": "unrestricted",
        "languages": [],
        "raters": {"avtca": {"description": f"model {', '.join(models)}", "type": "machine"}},
        "schemes": {
            name: {"description": text} | types.get(name, {"dtype": "str"})
            for name, text in _SCHEMES.items()
        },
        "tables": {
            _TABLE: {
                "type": "segmented",
                "description": RULE,
                "columns": {name: {"scheme_id": name, "rater_id": "avtca"} for name in _SCHEMES},
            }
        },
    }
    return json.dumps(header, indent=1, ensure_ascii=False) + "\n"


def _table(*reports: "Report") -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["file", "start", "end", *_SCHEMES])
    for report in reports:
        media = Path(report.file)
        file = str(media.resolve()) if media.is_file() else report.file
        for one in make_segments(report):
            confidence = f"{one.confidence:.4f}"
            row = [file, _timedelta(one.start_s), _timedelta(one.end_s), one.label, confidence]
            writer.writerow([*row, one.confident, one.track, one.certainty])
    return text.getvalue()


def _timedelta(seconds: float) -> str:
    """As pandas writes it: 0 days 00:00:01.500000."""
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    hours, minute = divmod(minutes, 60)
    return f"{hours // 24} days {hours % 24:02}:{minute:02}:{rest / 1000:09.6f}"
