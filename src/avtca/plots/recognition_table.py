"""The table of recognised files, as text cells for the console and the HTML page."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from avtca.recognize.prediction import Prediction
    from avtca.recognize.report import Person, Report

MAX_PEOPLE_LISTED = 30
"""Largest number of people listed for one file: those seen longest."""
INPUT_NAMES = {
    "both": "face and voice together",
    "face": "a face alone",
    "voice": "a voice alone",
    "mixed": "a face or a voice in some windows only",
}
"""Input of a prediction, by ``Report.streams``."""


CONFIDENT, BELOW, UNTESTED, DOUBTFUL = "confident", "below threshold", "no threshold", "in doubt"
FAILED = "failed"
STATES = {
    CONFIDENT: "the confidence reaches the threshold for its input",
    BELOW: "the confidence is too low to count on",
    UNTESTED: "none was measured for this input, so that the confidence is not tested",
    DOUBTFUL: "never confident, for the reason that is given",
    FAILED: "the file could not be read",
}
"""States of a file, and what they mean."""


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
    listed = listed_people(report)
    for person in listed:
        cells = (person.top, person.certainty, f"{person.seen_s:.1f} s", "")
        rows.append(TableRow(f"person {person.number}", cells, person.number))
    if more := len(report.people) - len(listed):
        rows.append(TableRow(f"{more} more, in JSON and CSV", ("",) * 4, -1))
    return rows


def listed_people(report: "Report") -> list["Person"]:
    """The people in the table, by number."""
    longest = sorted(report.people, key=lambda person: -person.seen_s)[:MAX_PEOPLE_LISTED]
    return sorted(longest, key=lambda person: person.number)


def state(prediction: "Prediction") -> str:
    """The state of a prediction, of :data:`STATES`."""
    if prediction.doubt:
        return DOUBTFUL
    return {True: CONFIDENT, False: BELOW, None: UNTESTED}[prediction.confident]


def state_text(prediction: "Prediction") -> str:
    """The state of a prediction, or what is doubtful about it."""
    return prediction.doubt or state(prediction)


def count_states(reports: Sequence["Report"], failed: int) -> dict[str, int]:
    """Number of files in each state; of "in doubt" only where there are any."""
    count = Counter(state(report) for report in reports) + Counter({FAILED: failed})
    return {name: count[name] for name in STATES if count[name] or name != DOUBTFUL}


def legend(reports: Sequence["Report"]) -> list[str]:
    """Explanations of the words that occur in the table, one line each."""
    lines = ["face seen, voice heard: share of the file with a face, with a voice"]
    predictions = [one for report in reports for one in (report, *report.people)]
    thresholds = {name: x for report in reports for name, x in report.thresholds.items()}
    lines += sorted({f"{one.doubt}: {one.doubt_text}" for one in predictions if one.doubt})
    states = set(map(state, predictions))
    if thresholds and BELOW in states:
        listed = [
            f"under {x:.0%} with {INPUT_NAMES[name]}"
            if x < 1
            else f"always with {INPUT_NAMES[name]}"
            for name, x in thresholds.items()
        ]
        lines.append("below threshold: confidence " + ", ".join(listed))
    if UNTESTED in states:
        lines.append(f"{UNTESTED}: {STATES[UNTESTED]}")
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
