"""One self-contained HTML page for the reports of a call."""

import base64
import html
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from avtca.recognize.report import Report

STYLE = """
:root { color-scheme: light dark; --line: #d9dfe4; --soft: #5c6873; --card: #fff; --page: #f4f6f8;
  --text: #1d2730; }
@media (prefers-color-scheme: dark) { :root { --line: #36414b; --soft: #9fb0be; --card: #1b232b;
  --page: #12181e; --text: #e6edf3; } }
* { box-sizing: border-box } body { margin: 0; background: var(--page); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif } main { max-width: 1080px; margin: 0 auto; padding: 24px }
h1 { font-size: 1.5rem; margin: 0 0 4px } p.lead { color: var(--soft); margin: 0 0 20px }
table { border-collapse: collapse; width: 100%; background: var(--card) } .wide { overflow-x: auto }
th, td { text-align: left; padding: 8px 12px; border-bottom: 1px solid var(--line);
  white-space: nowrap } th { color: var(--soft); font-weight: 600; font-size: .85rem }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px 20px; margin: 20px 0 } section h2 { margin: 0 0 4px; font-size: 1.1rem;
  overflow-wrap: anywhere } section img { width: 100%; height: auto; border-radius: 6px }
.note { color: var(--soft); font-size: .9rem; margin: 4px 0 } .warn { border-left: 3px solid
  #f0b429; padding-left: 10px } .bad { border-left: 3px solid #c8443f; padding-left: 10px }
"""

CAUTION = (
    "Scores say which expression the face and voice resemble, not what a person feels. The model "
    "learned from acted studio speech. It must not be used to judge people at work or in schools "
    "(EU AI Act, Art. 5(1)(f)), nor for decisions about anybody; see MODEL_CARD.md."
)


class Entry(NamedTuple):
    """A report, its picture as PNG, and the emotion that the file is labelled with, if known."""

    report: "Report"
    png: bytes
    label: str | None = None


def page(
    entries: Sequence["Entry"],
    failures: Sequence[tuple[str, str]] = (),
    *,
    title: str = "avtca report",
    lead: str = "",
) -> str:
    """HTML with a table of all files and the timeline picture of each.

    ``failures``: file and the line that says why.
    """
    labelled = any(entry.label for entry in entries)
    head = [
        "file",
        *(["labelled"] if labelled else []),
        "recognised",
        "confidence",
        "face",
        "voice",
    ]
    rows = []
    for report, _, label in entries:
        cells = [_short(report.file), *([label or ""] if labelled else [])]
        cells += [report.top, report.certainty]
        cells += [f"{report.coverage.face:.0%}", f"{report.coverage.voice:.0%}"]
        rows.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    head_row = "".join(f"<th>{cell}</th>" for cell in head)
    table = f"<div class=wide><table><tr>{head_row}</tr>{''.join(rows)}</table></div>"
    cards = "".join(_card(entry) for entry in entries)
    failed = "".join(
        f"<section><h2>{html.escape(_short(name))}</h2><p class='note bad'>{html.escape(why)}</p>"
        "</section>"
        for name, why in failures
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><main>"
        f"<h1>{html.escape(title)}</h1><p class=lead>{html.escape(lead)}</p>{table}{cards}{failed}"
        f"<p class=note>{html.escape(CAUTION)}</p></main></html>\n"
    )


def _card(entry: "Entry") -> str:
    report, png, label = entry
    described = f"{report.top}, {report.certainty}" + (f" (labelled {label})" if label else "")
    picture = "data:image/png;base64," + base64.b64encode(png).decode()
    warnings = "".join(f"<p class='note warn'>{html.escape(w)}</p>" for w in report.warnings)
    return (
        f"<section><h2>{html.escape(_short(report.file))}</h2>"
        f"<p class=note>{html.escape(described)}; {report.duration_s:.1f} s; model "
        f"{html.escape(report.model)}</p>{warnings}"
        f"<img alt='timeline of {html.escape(_short(report.file))}: {html.escape(described)}' "
        f"src='{picture}'></section>"
    )


def png_bytes(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return data.getvalue()


def _short(file: str) -> str:
    return file.replace("\\", "/").rsplit("/", 1)[-1]
