"""Segments as RTTM lines."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from avtca.recognize.exports.segments import HYSTERESIS, MIN_LENGTH_S, make_segments

if TYPE_CHECKING:
    from avtca.recognize.report import Report

_CERTAINTY = {True: "confident", False: "not_confident", None: "no_threshold"}


def rttm_text(*reports: "Report") -> str:
    """RTTM with a line for each segment of each report.

    The name (field 8) is the label, as in emotion diarization, and field 9 its confidence. Readers
    ignore two fields: field 6 has the person, and field 7 whether the segment is confident and the
    rule. Comments would stop some readers.
    """
    rule = f"windows_mean,hysteresis={HYSTERESIS:g},min_s={MIN_LENGTH_S:g}"
    lines = []
    for report in reports:
        name = _word(Path(report.file).stem)
        for one in make_segments(report):
            times = f"{one.start_s:.3f} {one.end_s - one.start_s:.3f}"
            kind = f"{_CERTAINTY[one.confident]},{rule}"
            label = f"{_word(one.label)} {one.confidence:.4f}"
            lines.append(f"SPEAKER {name} 1 {times} {_word(one.track)} {kind} {label} <NA>\n")
    return "".join(lines)


def turns_text(*reports: "Report") -> str:
    """RTTM with a line for each turn of speech, as in speaker diarization.

    The name (field 8) is the speaker: "person_1", "off_screen" or "undecided".
    """
    return "".join(
        f"SPEAKER {_word(Path(report.file).stem)} 1 {turn.start_s:.3f} "
        f"{turn.end_s - turn.start_s:.3f} <NA> <NA> {_word(turn.speaker)} <NA> <NA>\n"
        for report in reports
        for turn in report.speech
    )


def _word(text: str) -> str:
    """Text without white space, which separates the fields."""
    return re.sub(r"\s+", "_", text) or "_"
