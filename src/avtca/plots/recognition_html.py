"""One self-contained HTML page for the reports of a call."""

import base64
import html
import io
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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
  #f0b429; padding-left: 10px } tr.person td { padding: 4px 12px; color: var(--soft) }
  tr.person td:first-child { padding-left: 28px } tr.person img { width: 40px; height: 40px;
  border-radius: 6px; vertical-align: middle; margin-right: 10px }
  .bad { border-left: 3px solid #c8443f; padding-left: 10px }
"""

CAUTION = (
    "Scores say which expression the face and voice resemble, not what a person feels. The model "
    "learned from acted studio speech. It must not be used to judge people at work or in schools "
    "(EU AI Act, Art. 5(1)(f)), nor for decisions about anybody; see MODEL_CARD.md."
)


KINDS = {"both": "face and voice together", "face": "a face alone", "voice": "a voice alone"}
"""What answers are read from."""
SHOWN = 30
"""People of a file that table and page name; of more, those seen longest."""


class Entry(NamedTuple):
    """A report, its picture as PNG, and the emotion that the file is labelled with, if known.

    ``thumbnails``: a PNG of each person, by number, as far as there is one.
    """

    report: "Report"
    png: bytes
    label: str | None = None
    thumbnails: tuple[tuple[int, bytes], ...] = ()


def page(
    entries: Sequence["Entry"],
    failures: Sequence[tuple[str, str]] = (),
    *,
    title: str = "avtca report",
    lead: str = "",
) -> str:
    """HTML with a table of all files, and the people in them, and the timeline of each file.

    ``failures``: file and the line that says why.
    """
    names = short_names([entry.report.file for entry in entries] + [name for name, _ in failures])
    labelled = any(entry.label for entry in entries)
    rows = [
        row
        for name, entry in zip(names, entries, strict=False)
        for row in _rows(name, entry, labelled=labelled)
    ]
    head = "".join(f"<th>{cell}</th>" for cell in table_heads(labelled))
    table = f"<div class=wide><table><tr>{head}</tr>{''.join(rows)}</table></div>"
    cards = "".join(_card(name, entry) for name, entry in zip(names, entries, strict=False))
    failed = "".join(
        f"<section><h2>{html.escape(name)}</h2><p class='note bad'>{html.escape(why)}</p></section>"
        for name, (_, why) in zip(names[len(entries) :], failures, strict=True)
    )
    explained = "<br>".join(map(html.escape, legend([entry.report for entry in entries])))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{html.escape(title)}</title><style>{STYLE}</style><main>"
        f"<h1>{html.escape(title)}</h1><p class=lead>{html.escape(lead)}</p>{table}"
        f"<p class=note>{explained}</p>{cards}{failed}"
        f"<p class=note>{html.escape(CAUTION)}</p></main></html>\n"
    )


def table_heads(labelled: bool) -> list[str]:
    """Heads of the table of files, on the page and on the console."""
    middle = ["labelled"] if labelled else []
    return ["file", *middle, "recognised", "confidence", "face seen", "voice heard"]


def table_cells(name: str, report: "Report") -> list[list[str]]:
    """Cells below :func:`table_heads`, less ``labelled``: the file's, then each person's."""
    seen, heard = f"{report.coverage.face:.0%}", f"{report.coverage.voice:.0%}"
    cells = [[name, report.top, report.certainty, seen, heard]]
    shown = sorted(report.people, key=lambda person: -person.seen_s)[:SHOWN]
    for person in sorted(shown, key=lambda person: person.number):
        label = f"person {person.number}"
        cells.append([label, person.top, person.certainty, f"{person.seen_s:.1f} s", ""])
    if len(report.people) > SHOWN:
        cells.append([f"{len(report.people) - SHOWN} more, in JSON and CSV", "", "", "", ""])
    return cells


def legend(reports: Sequence["Report"]) -> list[str]:
    """What the table's words mean, as far as they occur: a line each."""
    said = ["face seen, voice heard: share of the file with one"]
    answers = [answer for report in reports for answer in (report, *report.people)]
    thresholds = {name: x for report in reports for name, x in report.thresholds.items()}
    if any(answer.certainty.endswith("(partly decoded)") for answer in answers):
        said.append("partly decoded: less than 90% of the file could be decoded")
    if any(answer.certainty.endswith("(below threshold)") for answer in answers):
        listed = [f"confidence under {x:.0%} with {KINDS[name]}" for name, x in thresholds.items()]
        said.append("below threshold: " + ", or ".join(listed))
    if any("(no threshold" in answer.certainty for answer in answers):
        measured = " and ".join(KINDS[name] for name in thresholds)
        said.append(
            "no threshold: some windows had a face or a voice alone; the confidence threshold was "
            f"measured with {measured} only"
        )
    return said


def short_names(files: Sequence[str]) -> list[str]:
    """The last part of each path, with as many of the parts before it as tell files apart."""
    parts = [file.replace("\\", "/").rstrip("/").split("/") for file in files]
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


def _rows(name: str, entry: "Entry", *, labelled: bool) -> list[str]:
    thumbnails = {f"person {number}": _picture(png) for number, png in entry.thumbnails}
    rows = []
    for i, (first, *cells) in enumerate(table_cells(name, entry.report)):
        face = f"<img alt='' src='{thumbnails[first]}'>" if i and first in thumbnails else ""
        label = [entry.label or "" if i == 0 else ""] if labelled else []
        tail = "".join(f"<td>{html.escape(cell)}</td>" for cell in [*label, *cells])
        kind = " class=person" if i else ""
        rows.append(f"<tr{kind}><td>{face}{html.escape(first)}</td>{tail}</tr>")
    return rows


def _picture(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _card(name: str, entry: "Entry") -> str:
    report = entry.report
    described = f"{report.top}, {report.certainty}"
    described += f" (labelled {entry.label})" if entry.label else ""
    warnings = "".join(f"<p class='note warn'>{html.escape(w)}</p>" for w in report.warnings)
    return (
        f"<section><h2>{html.escape(name)}</h2>"
        f"<p class=note>{html.escape(described)}; {report.duration_s:.1f} s; model "
        f"{html.escape(report.model)}</p>{warnings}"
        f"<img alt='timeline of {html.escape(name)}: {html.escape(described)}' "
        f"src='{_picture(entry.png)}'></section>"
    )


def png_bytes(figure: "Figure") -> bytes:
    """A figure as a PNG file."""
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=110)
    return data.getvalue()
