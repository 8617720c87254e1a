"""Formats of a report: by ``?format=`` or the header ``Accept``."""

import importlib.util
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi.responses import Response

from avtca.recognize.exports import EXPORTS
from avtca.recognize.report import Report
from avtca.serve.problems import Problem
from avtca.text import file_name

JSON = "json"
TYPES = {
    JSON: "application/json",
    "csv": "text/csv",
    "html": "text/html",
    "eaf": "application/eaf+xml",
    "textgrid": "text/x-textgrid",
    "vtt": "text/vtt",
    "srt": "application/x-subrip",
    "rttm": "text/x-rttm",
    "turns": "text/x-rttm",
    "tsv": "text/tab-separated-values",
    "fex": "text/x-fex+csv",
    "bids": "application/x-bids+zip",
    "boris": "application/x-boris+json",
    "audformat": "application/x-audformat+zip",
    "parquet": "application/vnd.apache.parquet",
}
"""Media type of each format."""


def wanted_format(format: str | None, accept: str) -> str:
    """The format of ``?format=``, else the first one that ``Accept`` lists, else JSON.

    Raises:
        Problem: There is no such format.
    """
    if format is not None:
        if format.lower() not in TYPES:
            names = ", ".join(TYPES)
            raise Problem(422, f"write {format[:80]}: no such format; choose one of {names}")
        return _installed(format.lower())
    by_type = {each: name for name, each in TYPES.items()}
    accepted = []
    for entry in accept.split(","):
        name, _, rest = entry.strip().partition(";")
        weight = rest.replace(" ", "").partition("q=")[2]
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            quality = 0.0
        accepted.append((-quality, name.strip().lower()))
    ranked = [name for quality, name in sorted(accepted, key=lambda each: each[0]) if quality < 0]
    for name in ranked:
        if name in by_type:
            return _installed(by_type[name])
        if name in ("*/*", "application/*", ""):
            return JSON
    if not ranked:
        return JSON
    names = ", ".join(dict.fromkeys(TYPES.values()))
    raise Problem(406, f"write {accept[:80]}: no such format; accept one of {names}")


def _installed(name: str) -> str:
    package = EXPORTS[name].package if name in EXPORTS else None
    if package is not None and importlib.util.find_spec(package) is None:
        raise Problem(501, f"write {name}: {package} is not installed in the service; ask for csv")
    return name


def render(plain: dict[str, Any], format: str, faces: bytes = b"") -> Response:
    """A report in a format.

    Args:
        plain: The dictionary of :meth:`Report.to_dict`.
        format: Name of the format.
        faces: The faces of an HTML page, see :mod:`avtca.serve.report_faces`.
    """
    if format == "html":
        content: str | bytes = _html(plain, faces)
    else:
        content = _CONTENT[format](plain) if format in _CONTENT else _export(plain, format)
    stem = file_name(str(plain["file"]).rpartition(".")[0] or str(plain["file"]))
    suffix = EXPORTS[format].suffix if format in EXPORTS else f".{format}"
    suffix = f".{format}.zip" if TYPES[format].endswith("+zip") else suffix
    headers = {"Vary": "Accept"}
    if format not in (JSON, "html"):
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{_quoted(stem + suffix)}"
    if format == "html":  # the page embeds what it needs, and its own policy forbids the rest
        headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; "
            "script-src 'unsafe-inline'; img-src data:; sandbox allow-scripts"
        )
    return Response(content, media_type=TYPES[format], headers=headers)


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "replace"), safe="")


def _json(plain: dict[str, Any]) -> str:
    return json.dumps(plain, ensure_ascii=False)


def _csv(plain: dict[str, Any]) -> str:
    return Report.from_dict(plain).to_csv()


def _html(plain: dict[str, Any], faces: bytes) -> str:
    from avtca.plots.html import recognition_html
    from avtca.serve.report_faces import page_entry

    return "".join(recognition_html([page_entry(Report.from_dict(plain), faces)], []))


def _export(plain: dict[str, Any], format: str) -> str | bytes:
    """The file of a format; formats of several files as an archive."""
    export, report = EXPORTS[format], Report.from_dict(plain)
    if not TYPES[format].endswith("+zip"):
        content: str | bytes = export.content(report)
        return content
    if export.is_folder:
        files: dict[str, str | bytes] = export.content(report)
    else:
        stem = file_name(report.file)
        files = {f"{stem}{suffix}": each for suffix, each in export.files(report, Path()).items()}
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in files.items():
            archive.writestr(name, each)
    return data.getvalue()


_CONTENT: dict[str, Callable[[dict[str, Any]], str | bytes]] = {
    JSON: _json,
    "csv": _csv,
}
