"""Segments as subtitles: WebVTT and SRT."""

from collections import defaultdict
from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

from avtca.recognize.exports.file_time import in_file_time
from avtca.recognize.exports.segments import (
    RULE,
    Segment,
    end_of,
    in_time,
    make_segments,
    milliseconds,
)
from avtca.speaker.speech import UNDECIDED

if TYPE_CHECKING:
    from avtca.recognize.report import Report

SPEAKS = ": speaks"
"""Text of the cue of a turn, after the speaker."""

Cue = tuple[float, float, str, str]
"""Start and end in seconds, voice and text."""


def vtt_text(report: "Report") -> str:
    """WebVTT with a cue for each segment, "person 1: happy 79%"; the person is also the voice.

    Where several people are heard or read, each turn of a known speaker is a cue too.
    """
    notes = [RULE, f"file: {report.file}", f"model: {report.model}"]
    return write_vtt(notes, _cues(report, make_segments(report)))


def write_vtt(notes: Iterable[str], cues: Iterable[Cue]) -> str:
    """WebVTT.

    Args:
        notes: Comments before the cues.
        cues: Start and end in seconds, voice (empty for none) and text.
    """
    # An arrow would make a note a cue.
    blocks = ["WEBVTT", *(f"NOTE {note.replace('-->', '->')}" for note in notes)]
    for i, (start_s, end_s, voice, text) in enumerate(cues, start=1):
        times = f"{_clock(start_s, '.')} --> {_clock(end_s, '.')}"
        words = escape(text, quote=False)
        spoken = f"<v {escape(voice, quote=False)}>{words}</v>" if voice else words
        blocks.append(f"{i}\n{times}\n{spoken}")
    return "\n\n".join(blocks) + "\n"


def srt_text(report: "Report") -> str:
    """SubRip subtitles with the text of :func:`vtt_text`.

    The format has no comments. The last subtitle, one millisecond after the end of the clip, has
    the rule.
    """
    segments = make_segments(report)
    end_s = end_of(report, segments)
    cues = [(start_s, end_s, text) for start_s, end_s, _, text in _cues(report, segments)]
    cues.append((end_s, end_s + 0.001, f"{RULE}; model {report.model}"))
    return write_srt(cues)


def write_srt(cues: Iterable[tuple[float, float, str]]) -> str:
    """SubRip subtitles from starts and ends in seconds, and texts."""
    blocks = [
        f"{i}\n{_clock(start, ',')} --> {_clock(end, ',')}\n{text}"
        for i, (start, end, text) in enumerate(cues, start=1)
    ]
    return "\n\n".join(blocks) + "\n"


def sentences_vtt(sentences: Iterable[tuple["Report", str]]) -> str:
    """WebVTT with a cue for each sentence; the voice is the speaker.

    Args:
        sentences: Report of each sentence, a part of a recording, and its text.
    """
    sentences = list(sentences)
    notes = list(dict.fromkeys(f"model: {report.model}" for report, _ in sentences))
    return write_vtt(notes, [_sentence(*one) for one in sentences])


def sentences_srt(sentences: Iterable[tuple["Report", str]]) -> str:
    """SubRip subtitles with the text of :func:`sentences_vtt` after the speaker."""
    cues = [_sentence(*one) for one in sentences]
    return write_srt([(a, b, f"{who}: {text}" if who else text) for a, b, who, text in cues])


def _sentence(report: "Report", text: str) -> Cue:
    """For example (0.5, 2.4, "person 1", "[happy 79%] Dogs are sitting by the door")."""
    moved = in_file_time(report)
    start_s = 0.0 if report.part is None else report.part[0]
    heard: dict[str, float] = defaultdict(float)
    for turn in report.speech:
        heard[turn.speaker] += turn.end_s - turn.start_s
    who = max(heard, key=lambda name: heard[name], default=UNDECIDED)
    said = " ".join(f"[{report.top} {report.certainty}] {text}".split())
    return start_s, moved.duration_s, "" if who == UNDECIDED else who, said


def _cues(report: "Report", segments: list[Segment]) -> list[Cue]:
    """Segments, and turns where they have more than the segments, by time."""
    cues = [(one.start_s, one.end_s, one.track, _cue(one)) for one in in_time(segments)]
    turns = [turn for turn in report.speech if turn.speaker != UNDECIDED]
    if len({one.track for one in segments} | {turn.speaker for turn in turns}) > 1:
        cues += [
            (turn.start_s, turn.end_s, turn.speaker, f"{turn.speaker}{SPEAKS}") for turn in turns
        ]
    return sorted(cues, key=lambda cue: cue[:2])


def _cue(segment: Segment) -> str:
    return f"{segment.track}: {segment.label} {segment.certainty}"


def _clock(seconds: float, point: str) -> str:
    """For example 00:01:02.500, with ``point`` before the milliseconds."""
    whole, ms = divmod(milliseconds(seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{ms:03}"
