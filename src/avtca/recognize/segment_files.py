"""Segments of one recording, as transcription and annotation programs write them."""

import html
import math
import re
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from avtca.errors import ConfigError, CorpusError, MediaError
from avtca.media import open_media
from avtca.media.eaf import parse_eaf
from avtca.media.media_file import PART_SLACK_S
from avtca.recognize.exports.segments import RULE
from avtca.recognize.exports.subtitles import SPEAKS
from avtca.recognize.sheet import (
    END,
    PATH,
    SHEET_SUFFIXES,
    START,
    Sheet,
    parse_time,
    read_error,
    read_sheet,
    read_text,
)
from avtca.speaker.speech import OFF_SCREEN

_FORMATS = "SRT, VTT, RTTM, TextGrid, EAF, CSV or Excel"
_CUE = re.compile(r"\s*([\d:.,]+)\s+-->\s+([\d:.,]+)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"<[^>]*>|\{\\[^}]*\}")
_PRAAT = re.compile(r'"[^"]*(?:""[^"]*)*"|<\w+>|(?<!\S)-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?!\S)')


_WHISPER_HEADER = "start\tend\ttext"
_WHISPER_ROW = re.compile(r"(\d+)\t(\d+)\t(.*)")
_SURELY_LONGER = 10.0
"""Times over so many lengths of the recording are not seconds."""
_OWN_TURN = re.compile(rf"(person \d+|{OFF_SCREEN}){SPEAKS}")
"""Cue of a turn that avtca exported beside the segments."""
_RULE_START = RULE.partition(";")[0]
"""Start of the last cue of an SRT file that avtca exported."""


class Segment(NamedTuple):
    """A segment of a recording."""

    start_s: float
    end_s: float
    who: str
    """Speaker or tier."""
    text: str = ""


def read_segments(path: Path, media: Path) -> Sheet:
    """The segments of a recording as a sheet, with a row for each.

    Args:
        path: SRT, VTT, RTTM, Praat TextGrid, ELAN EAF, TSV of Whisper in milliseconds, or a sheet
            with columns ``start``, ``end``.
        media: The recording.

    Returns:
        The given sheet; for the other formats one with columns for path, start, end, speaker or
        tier, and text, as far as the file has them. Empty cues and intervals are left out.

    Raises:
        CorpusError: The file cannot be read, has no segments, is for another recording, or its
            times may be seconds or milliseconds.
        MediaError: The length of the recording is needed and cannot be read.
        MissingExtra: It is Excel, and openpyxl is not installed.
    """
    suffix = path.suffix.lower()
    if suffix in SHEET_SUFFIXES and not (suffix == ".tsv" and _in_milliseconds(path, media)):
        return read_sheet(path, (START, END), media)
    readers = {
        ".srt": ("speaker", _cues),
        ".vtt": ("speaker", _cues),
        ".rttm": ("speaker", _rttm),
        ".textgrid": ("tier", _textgrid),
        ".eaf": ("tier", _eaf),
        ".tsv": ("speaker", _whisper),
    }
    if suffix not in readers:
        raise read_error(path, "its format is unknown", f"give {_FORMATS}")
    who, reader = readers[suffix]
    try:
        found = list(reader(path, read_text(path)[0], media))
        if not all(math.isfinite(one.start_s + one.end_s) for one in found):
            raise ValueError("a time is not finite")
    except (ValueError, IndexError, KeyError, TypeError) as error:
        problem = f"it is no {suffix[1:]} file, or is damaged"
        raise read_error(path, problem, "export it again") from error
    if not found:
        raise read_error(path, "it has no segments", "give a file with segments")
    has_who, has_text = any(one.who for one in found), any(one.text for one in found)
    columns = (PATH, START, END, *([who] if has_who else []), *(["text"] if has_text else []))
    rows: list[tuple[Any, ...]] = []
    for one in found:
        times = round(one.start_s, 3), round(one.end_s, 3)
        rows.append(
            (str(media), *times, *([one.who] if has_who else []), *([one.text] if has_text else []))
        )
    return Sheet(path, columns, tuple(rows), tuple(range(1, len(rows) + 1)), media=media)


def given_segments(paths: Sequence[str], segments: Path) -> Sheet:
    """The segments of the one recording that was given.

    Raises:
        ConfigError: Other than one file was given.
        CorpusError, MediaError, MissingExtra: See :func:`read_segments`.
    """
    if len(paths) != 1 or not Path(paths[0]).is_file():
        problem = "segments belong to one file"
        if len(paths) == 1:
            problem += f", and {paths[0]} is none"
        raise ConfigError(f"read the segments {segments}", problem, "give one video or audio file")
    return read_segments(segments, Path(paths[0]))


def _time(text: str, path: Path) -> float:
    try:
        return parse_time(text, f"read {path}") or 0.0
    except MediaError as error:
        raise CorpusError(error.action, error.problem, "correct the time") from error


def _cues(path: Path, text: str, media: Path) -> Iterator[Segment]:
    return read_cues(path, text)


def read_cues(path: Path, text: str) -> Iterator[Segment]:
    """Cues of SRT and WebVTT; the speaker is that of a voice tag.

    In files that avtca exported, the rule and the turns of speech are left out.
    """
    for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = block.strip().split("\n")
        for k, line in enumerate(lines[:2]):
            if cue := _CUE.match(line):
                words = " ".join(lines[k + 1 :])
                voice = _VOICE.search(words)
                spoken = " ".join(html.unescape(_TAG.sub("", words)).split())
                who = html.unescape(voice[1]).strip() if voice else ""
                ours = spoken.startswith(_RULE_START) or _OWN_TURN.fullmatch(spoken)
                if spoken and not ours:
                    yield Segment(_time(cue[1], path), _time(cue[2], path), who, spoken)
                break


def _in_milliseconds(path: Path, media: Path) -> bool:
    """Whether a TSV file is in the form of Whisper, with times too large for seconds."""
    try:
        rows = _whisper_rows(read_text(path)[0])
    except CorpusError:
        return False  # reading it as a sheet raises the same, or succeeds with Excel
    if not rows:
        return False
    last, length_s = max(end for _, end, _ in rows), open_media(media).duration_s
    if last <= length_s + PART_SLACK_S:
        return False
    if last > _SURELY_LONGER * length_s:
        return True
    problem = f"{last} may be seconds or milliseconds, and {media.name} has {length_s:.2f} s"
    raise read_error(path, problem, "write all times as seconds with a decimal point")


def _whisper_rows(text: str) -> list[tuple[int, int, str]]:
    """Start, end and text of each row; none where the file has another form."""
    header, *lines = re.split(r"\r?\n", text.rstrip())
    found = [_WHISPER_ROW.fullmatch(line) for line in lines]
    rows = [(int(row[1]), int(row[2]), row[3]) for row in found if row]
    return rows if header == _WHISPER_HEADER and len(rows) == len(lines) else []


def _whisper(path: Path, text: str, media: Path) -> Iterator[Segment]:
    for start_ms, end_ms, words in _whisper_rows(text):
        if spoken := " ".join(words.split()):
            yield Segment(start_ms / 1000, end_ms / 1000, "", spoken)


def _rttm(path: Path, text: str, media: Path) -> Iterator[Segment]:
    lines = [line.split() for line in text.splitlines() if line.startswith("SPEAKER ")]
    names = sorted({line[1] for line in lines})
    stem = re.sub(r"\s+", "_", media.stem)
    if len(names) > 1 and stem not in names:
        there = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise read_error(path, f"it is for {there}, not for {stem}", "give the file it is for")
    for line in lines:
        if len(names) == 1 or line[1] == stem:
            start_s, length_s = float(line[3]), float(line[4])
            yield Segment(start_s, start_s + length_s, line[7])


def _textgrid(path: Path, text: str, media: Path) -> Iterator[Segment]:
    return read_textgrid(text)


def read_textgrid(text: str) -> Iterator[Segment]:
    """Intervals with text of all interval tiers, in the long and the short form.

    Raises:
        ValueError, IndexError: It is no TextGrid, or is damaged.
    """
    tokens = _PRAAT.findall(text)
    if '"TextGrid"' not in tokens[:2]:
        raise ValueError("no TextGrid")
    values = deque(tokens[tokens.index("<exists>") + 1 :])
    for _ in range(int(values.popleft())):
        kind, name = _quoted(values.popleft()), _quoted(values.popleft())
        _, _, n = (values.popleft() for _ in range(3))
        for _ in range(int(n)):
            start_s = float(values.popleft())
            end_s = float(values.popleft()) if kind == "IntervalTier" else start_s
            label = " ".join(_quoted(values.popleft()).split())
            if label and kind == "IntervalTier":
                yield Segment(start_s, end_s, name, label)


def _quoted(token: str) -> str:
    if not token.startswith('"'):
        raise ValueError(f"{token} is no text")
    return token[1:-1].replace('""', '"')


def _eaf(path: Path, text: str, media: Path) -> Iterator[Segment]:
    """Annotations with times, of all tiers."""
    document = parse_eaf(text.encode())
    names = [link.name for link in document.media if link.name]
    if names and media.stem not in [Path(name).stem for name in names]:
        fix = "give the file it is for, or link this one in ELAN"
        raise read_error(path, f"it is for {', '.join(names)}, not for {media.name}", fix)
    for tier in document.tiers:
        for one in tier.annotations:
            if one.aligned:
                yield Segment(one.start_s, one.end_s, tier.name, one.text)
