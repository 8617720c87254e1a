"""Segments as a Praat TextGrid."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from avtca.recognize.exports.segments import (
    RULE,
    SPEECH_TIER,
    by_track,
    end_of,
    make_segments,
)

if TYPE_CHECKING:
    from avtca.recognize.report import Report

RULE_TIER = "rule"
"""Tier with one interval, which holds the rule: the format has no comments."""

Span = tuple[float, float, str]
"""Start and end in seconds, and text."""


def textgrid_text(report: "Report") -> str:
    """Praat TextGrid in the long text format.

    Two interval tiers for each person: the labels, and the confidence of each, marked as in the
    report. Intervals without a label are empty. A tier "speech" has the speaker of every turn,
    where there are any.
    """
    segments = make_segments(report)
    end_s = end_of(report, segments)
    tiers: dict[str, Sequence[Span]] = {}
    for track, those in by_track(segments).items():
        tiers[track] = [(one.start_s, one.end_s, one.label) for one in those]
        tiers[f"{track} confidence"] = [(one.start_s, one.end_s, one.certainty) for one in those]
    if report.speech:
        turns = [(turn.start_s, min(turn.end_s, end_s), turn.speaker) for turn in report.speech]
        tiers[SPEECH_TIER] = turns
    tiers[RULE_TIER] = [(0.0, end_s, f"{RULE}; model {report.model}")]
    return write_textgrid(tiers, end_s)


def write_textgrid(tiers: Mapping[str, Sequence[Span]], end_s: float) -> str:
    """Praat TextGrid with an interval tier for each name, from 0 to ``end_s``.

    Args:
        tiers: Intervals by time, which do not overlap.
        end_s: At least the end of the last interval.
    """
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {_time(end_s)}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, labelled) in enumerate(tiers.items(), start=1):
        intervals = _filled(labelled, end_s)
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(name)}",
            "        xmin = 0",
            f"        xmax = {_time(end_s)}",
            f"        intervals: size = {len(intervals)}",
        ]
        for i, (start, end, text) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{i}]:",
                f"            xmin = {_time(start)}",
                f"            xmax = {_time(end)}",
                f"            text = {_quoted(text)}",
            ]
    return "\n".join(lines) + "\n"


def _filled(labelled: Sequence[Span], end_s: float) -> list[Span]:
    """Intervals from 0 to ``end_s`` without a gap, as the format demands."""
    intervals, last = [], 0.0
    for start_s, stop_s, text in labelled:
        if start_s > last:
            intervals.append((last, start_s, ""))
        intervals.append((start_s, stop_s, text))
        last = stop_s
    if last < end_s:
        intervals.append((last, end_s, ""))
    return intervals


def _time(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
