"""Segments as subtitles: WebVTT and SRT."""

from collections.abc import Iterable
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
    segments = in_time(make_segments(report))
    return write_vtt(notes, [(one.start_s, one.end_s, one.track, _cue(one)) for one in segments])


def write_vtt(notes: Iterable[str], cues: Iterable[tuple[float, float, str, str]]) -> str:
    """WebVTT.

    Args:
        notes: Comments before the cues.
        cues: Start and end in seconds, voice and text.
    """
    # An arrow would make a note a cue.
    blocks = ["WEBVTT", *(f"NOTE {note.replace('-->', '->')}" for note in notes)]
    for i, (start_s, end_s, voice, text) in enumerate(cues, start=1):
        times = f"{_clock(start_s, '.')} --> {_clock(end_s, '.')}"
        words = escape(text, quote=False)
        blocks.append(f"{i}\n{times}\n<v {escape(voice, quote=False)}>{words}</v>")
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
