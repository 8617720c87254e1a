"""Segments as subtitles: WebVTT and SRT."""

from html import escape
from typing import TYPE_CHECKING

from avtca.recognize.exports.segments import (
    RULE,
    Segment,
    end_of,
    in_time,
    make_segments,
    milliseconds,
)

if TYPE_CHECKING:
    from avtca.recognize.report import Report


def vtt_text(report: "Report") -> str:
    """WebVTT with a cue for each segment, "person 1: happy 79%"; the person is also the voice."""
    notes = [RULE, f"file: {report.file}", f"model: {report.model}"]
    # An arrow would make a note a cue.
    blocks = ["WEBVTT", *(f"NOTE {note.replace('-->', '->')}" for note in notes)]
    for i, segment in enumerate(in_time(make_segments(report)), start=1):
        times = f"{_clock(segment.start_s, '.')} --> {_clock(segment.end_s, '.')}"
        text = escape(_cue(segment), quote=False)
        blocks.append(f"{i}\n{times}\n<v {segment.track}>{text}</v>")
    return "\n\n".join(blocks) + "\n"


def srt_text(report: "Report") -> str:
    """SubRip subtitles with the text of :func:`vtt_text`.

    The format has no comments. The last subtitle, one millisecond after the end of the clip, has
    the rule.
    """
    segments = in_time(make_segments(report))
    end_s = end_of(report, segments)
    cues = [(one.start_s, one.end_s, _cue(one)) for one in segments]
    cues.append((end_s, end_s + 0.001, f"{RULE}; model {report.model}"))
    blocks = [
        f"{i}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}"
        for i, (start, end, text) in enumerate(cues, start=1)
    ]
    return "\n\n".join(blocks) + "\n"


def _cue(segment: Segment) -> str:
    return f"{segment.track}: {segment.label} {segment.certainty}"


def _clock(seconds: float, point: str) -> str:
    """For example 00:01:02.500, with ``point`` before the milliseconds."""
    whole, ms = divmod(milliseconds(seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{ms:03}"
