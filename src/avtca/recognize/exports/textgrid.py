"""Segments as a Praat TextGrid."""

from typing import TYPE_CHECKING

from avtca.recognize.exports.segments import RULE, Segment, by_track, end_of, make_segments

if TYPE_CHECKING:
    from avtca.recognize.report import Report

RULE_TIER = "rule"
"""Tier with one interval, which holds the rule: the format has no comments."""


def textgrid_text(report: "Report") -> str:
    """Praat TextGrid in the long text format.

    Two interval tiers for each person: the labels, and the confidence of each, marked as in the
    report. Intervals without a label are empty.
    """
    segments = make_segments(report)
    end_s = end_of(report, segments)
    tiers: dict[str, list[tuple[float, float, str]]] = {}
    for track, those in by_track(segments).items():
        tiers[track] = _filled(those, [one.label for one in those], end_s)
        certainties = [one.certainty for one in those]
        tiers[f"{track} confidence"] = _filled(those, certainties, end_s)
    tiers[RULE_TIER] = [(0.0, end_s, f"{RULE}; model {report.model}")]
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
    for number, (name, intervals) in enumerate(tiers.items(), start=1):
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


def _filled(
    segments: list[Segment], texts: list[str], end_s: float
) -> list[tuple[float, float, str]]:
    """Intervals from 0 to ``end_s`` without a gap, as the format demands."""
    intervals, last = [], 0.0
    for segment, text in zip(segments, texts, strict=True):
        if segment.start_s > last:
            intervals.append((last, segment.start_s, ""))
        intervals.append((segment.start_s, segment.end_s, text))
        last = segment.end_s
    if last < end_s:
        intervals.append((last, end_s, ""))
    return intervals


def _time(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
