"""Ranges of one recording that a coder labelled: read from annotation files, and compared."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from avtca.errors import AvtcaError, CorpusError
from avtca.kappa import kappa, one_against_rest
from avtca.labels import canonical
from avtca.media.eaf import EXCLUDE_TYPE, parse_eaf
from avtca.recognize.exports.coding import EXCLUDE, NOTES
from avtca.recognize.segment_files import read_cues, read_textgrid
from avtca.recognize.sheet import decode_text, parse_sheet, parse_time
from avtca.text import from_csv_cell, printable

UNNAMED = "coding"
"""Tier of ranges whose file names none."""
FORMATS = "ELAN (.eaf), TextGrid, VTT, SRT, CSV or JSON"
MAX_BYTES = 2**24
_MAX_S = 1e7
_MAX_TIERS = 100
_MAX_INTERVALS = 100_000
_COLUMNS = {
    "start": ("start", "start_s"),
    "end": ("end", "end_s"),
    "label": ("label",),
    "tier": ("tier", "track"),
    "media": ("path", "file"),
    "coder": ("coder",),
    "participant": ("speaker",),
    "notes": ("notes",),
}
"""Columns of a sheet."""


@dataclass(frozen=True, order=True)
class Interval:
    """A range; times in seconds, whole milliseconds."""

    start_s: float
    end_s: float
    label: str = ""


@dataclass(frozen=True)
class CodedTier:
    """The ranges of one coder and one person.

    Attributes:
        name: Name of the tier.
        intervals: By time; no two overlap. A range without a label has an empty one.
        coder: The coder, or empty.
        participant: The person that is coded, or empty.
        notes: Remarks on how it was coded, or empty.
    """

    name: str
    intervals: tuple[Interval, ...]
    coder: str = ""
    participant: str = ""
    notes: str = ""

    def coded(self) -> list[Interval]:
        """Ranges that are not left out."""
        return [one for one in self.intervals if one.label != EXCLUDE]

    def excluded(self) -> list[Interval]:
        """Ranges that are left out."""
        return [one for one in self.intervals if one.label == EXCLUDE]


@dataclass(frozen=True)
class Coding:
    """The coding of one recording.

    Attributes:
        media: Name of the recording without folders, or empty.
        duration_s: Its length, if it is known.
        tiers: The tiers.
        labels: The labels that the coder could choose from, if they are known.
        left_out: Tiers that were not read, since their annotations take their times from a parent.
    """

    media: str
    duration_s: float | None
    tiers: tuple[CodedTier, ...]
    labels: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """Agreement of two tiers over the seconds that both have labelled."""

    kappa: float | None
    """Cohen's kappa, ``None`` where it is not defined: nothing compared, or one label alone."""
    per_label: dict[str, dict[str, float | None]]
    """For each label ``kappa`` against all others, and the seconds of ``first``, ``second`` and
    ``both``."""
    agreed_s: float
    compared_s: float


def make_coding(
    action: str,
    media: str,
    duration_s: float | None,
    tiers: Iterable[CodedTier],
    labels: Iterable[str] = (),
    left_out: Iterable[str] = (),
) -> Coding:
    """A coding with checked tiers, ranges by time, and text on one line.

    Args:
        action: What is done, for errors.
        media, duration_s, tiers, labels, left_out: See :class:`Coding`.

    Raises:
        CorpusError: A range has no length, two of a tier overlap, two tiers have the same name, or
            there are too many.
    """

    def fail(problem: str, fix: str) -> CorpusError:
        return CorpusError(action, problem, fix)

    checked: list[CodedTier] = []
    for tier in tiers:
        name = _line(tier.name) or UNNAMED
        ranges = sorted(
            Interval(round(one.start_s, 3), round(one.end_s, 3), _line(one.label))
            for one in tier.intervals
        )
        for one in ranges:
            if not 0 <= one.start_s < one.end_s <= _MAX_S:
                where = f"of tier {name} from {one.start_s:g} to {one.end_s:g} s"
                raise fail(f"the range {where} has no length", "correct its times")
        for before, after in pairwise(ranges):
            if after.start_s < before.end_s:
                problem = f"two ranges of tier {name} overlap at {after.start_s:g} s"
                raise fail(problem, "give each coder and each person a tier, and correct the times")
        if name in [other.name for other in checked]:
            raise fail(f"two tiers are called {name}", "give each tier another name")
        texts = (_line(text) for text in (tier.coder, tier.participant, tier.notes))
        checked.append(CodedTier(name, tuple(ranges), *texts))
    if len(checked) > _MAX_TIERS or sum(len(t.intervals) for t in checked) > _MAX_INTERVALS:
        limits = f"over {_MAX_TIERS} tiers or {_MAX_INTERVALS} ranges"
        raise fail(f"it has {limits}", "give fewer tiers at a time")
    if duration_s is not None and not 0 < duration_s <= _MAX_S:
        raise fail(f"its length is {duration_s:g} s", "give seconds over 0, or none")
    file = _line(re.split(r"[/\\]", media)[-1])
    names = tuple(dict.fromkeys(filter(None, map(_line, labels))))
    return Coding(file, duration_s, tuple(checked), names, tuple(map(_line, left_out)))


def read_coding(name: str, data: bytes) -> Coding:
    """The coding in an annotation file.

    Args:
        name: Name of the file, whose suffix is its format.
        data: Its content.

    Raises:
        CorpusError: Its format is unknown, it is damaged, or its ranges cannot be used.
    """
    readers = {
        ".eaf": _eaf,
        ".textgrid": _textgrid,
        ".vtt": _cues,
        ".srt": _cues,
        ".csv": _sheet,
        ".tsv": _sheet,
        ".json": _json,
    }
    path = Path(re.split(r"[/\\]", printable(name))[-1])
    action, suffix = f"read {path}", path.suffix.lower()
    if suffix not in readers:
        raise CorpusError(action, "its format is unknown", f"give {FORMATS}")
    if len(data) > MAX_BYTES:
        raise CorpusError(action, f"it is over {MAX_BYTES >> 20} MB", "give a smaller file")
    try:
        coding = readers[suffix](path, data)
        return make_coding(action, *(getattr(coding, one.name) for one in fields(coding)))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        problem = f"it is no {suffix[1:]} file, or is damaged"
        raise CorpusError(action, problem, "export it again") from error
    except AvtcaError as error:
        raise CorpusError(action, error.problem, error.fix) from error


def agreement(
    first: CodedTier, second: CodedTier, exclude: Sequence[tuple[float, float]] = ()
) -> Agreement:
    """Agreement of two tiers, weighted by time.

    Each millisecond that has a label in both tiers and is not left out counts once. Labels are
    compared by the project's words ("Happiness" is "happy").

    Args:
        first, second: The tiers.
        exclude: Start and end of further ranges that are left out, in seconds.
    """
    left_out = [(one.start_s, one.end_s) for one in (*first.excluded(), *second.excluded())]
    spans = [
        [(one.start_s, one.end_s, canonical(one.label)) for one in tier.coded() if one.label]
        for tier in (first, second)
    ]
    labels = sorted({label for tier in spans for *_, label in tier})
    points = [t for tier in spans for start_s, end_s, _ in tier for t in (start_s, end_s)]
    points += [t for span in (*left_out, *exclude) for t in span]
    edges = np.unique(np.round(np.array(points, np.float64) * 1000).astype(np.int64))
    lengths = np.diff(edges)
    codes = [np.full(len(lengths), -1), np.full(len(lengths), -1)]
    for code, tier in zip(codes, spans, strict=True):
        for start_s, end_s, label in tier:
            code[_part(edges, start_s, end_s)] = labels.index(label)
    for start_s, end_s in (*left_out, *exclude):
        codes[0][_part(edges, start_s, end_s)] = -1
    both = (codes[0] >= 0) & (codes[1] >= 0)
    matrix = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(matrix, (codes[0][both], codes[1][both]), lengths[both])
    per_label = {
        label: {
            "kappa": _value(kappa(one_against_rest(matrix, i))),
            "first_s": float(matrix[i].sum() / 1000),
            "second_s": float(matrix[:, i].sum() / 1000),
            "both_s": float(matrix[i, i] / 1000),
        }
        for i, label in enumerate(labels)
    }
    found = _value(kappa(matrix)) if labels else None
    return Agreement(found, per_label, float(np.trace(matrix) / 1000), float(matrix.sum() / 1000))


def _part(edges: NDArray[np.int64], start_s: float, end_s: float) -> slice:
    first, last = np.searchsorted(edges, [round(start_s * 1000), round(end_s * 1000)])
    return slice(int(first), int(last))


def _value(number: Any) -> float | None:
    return float(number) if math.isfinite(number) else None


def _line(text: str) -> str:
    """Text on one line, printable."""
    return printable(" ".join(text.split()))


def _tiers(found: Iterable[tuple[str, Interval]]) -> Iterator[CodedTier]:
    """Tiers of ranges with the names of their tiers; a tier "NAME exclude" joins "NAME"."""
    tiers: dict[str, list[Interval]] = {}
    for name, one in found:
        tiers.setdefault(name or UNNAMED, []).append(one)
    for name, ranges in tiers.items():
        parent = name.removesuffix(f" {EXCLUDE}")
        if parent == name:
            left_out = tiers.get(f"{name} {EXCLUDE}", [])
            ranges = [*ranges, *(replace(one, label=EXCLUDE) for one in left_out)]
            yield CodedTier(name, tuple(ranges))
        elif parent not in tiers:
            yield CodedTier(parent, tuple(replace(one, label=EXCLUDE) for one in ranges))


def _eaf(path: Path, data: bytes) -> Coding:
    document = parse_eaf(data)
    origin_s = document.media[0].origin_s if document.media else 0.0
    aligned = {
        tier.name: [
            Interval(one.start_s + origin_s, one.end_s + origin_s, one.text)
            for one in tier.annotations
        ]
        for tier in document.tiers
        if all(one.aligned for one in tier.annotations)
    }
    excluded = {tier.name for tier in document.tiers if tier.kind == EXCLUDE_TYPE}
    tiers = []
    for tier in document.tiers:
        parent = tier.name.removesuffix(f" {EXCLUDE}")
        if tier.name not in aligned or (tier.name in excluded and parent in aligned):
            continue
        ranges = list(aligned[tier.name])
        if (more := f"{tier.name} {EXCLUDE}") in excluded:
            ranges += [replace(one, label=EXCLUDE) for one in aligned.get(more, [])]
        notes = document.properties.get(f"avtca:{NOTES}:{tier.name}", "")
        tiers.append(CodedTier(tier.name, tuple(ranges), tier.annotator, tier.participant, notes))
    left_out = tuple(tier.name for tier in document.tiers if tier.name not in aligned)
    if not tiers:
        raise CorpusError("", "no tier has annotations with times", "give a file that has one")
    media = document.media[0].name if document.media else ""
    return Coding(media, None, tuple(tiers), (), left_out)


def _textgrid(path: Path, data: bytes) -> Coding:
    text, _ = decode_text(path, data)
    found = ((one.who, Interval(one.start_s, one.end_s, one.text)) for one in read_textgrid(text))
    tiers = _tiers((name, one) for name, one in found if name != NOTES)
    return Coding("", None, tuple(tiers))


def _cues(path: Path, data: bytes) -> Coding:
    text, _ = decode_text(path, data)
    found = ((one.who, Interval(one.start_s, one.end_s, one.text)) for one in read_cues(path, text))
    return Coding("", None, tuple(_tiers(found)))


def _sheet(path: Path, data: bytes) -> Coding:
    if data.startswith(b"PK"):
        raise CorpusError("", "it is an Excel file", "save it as CSV (UTF-8)")
    sheet = parse_sheet(path, data, ())
    names = [name.casefold() for name in sheet.columns]
    at = {
        key: next((names.index(name) for name in aliases if name in names), None)
        for key, aliases in _COLUMNS.items()
    }
    for key in ("start", "end", "label"):
        if at[key] is None:
            there = ", ".join(map(_line, sheet.columns[:10]))
            raise CorpusError(
                "", f"it has no column {key}, only: {there}", "name the column in the first row"
            )

    def cell(row: Sequence[Any], key: str) -> str:
        column = at[key]
        return "" if column is None else from_csv_cell(str(row[column] or "").strip())

    media = {cell(row, "media") for row in sheet.rows}
    if len(media) > 1:
        raise CorpusError("", f"it is for {len(media)} recordings", "keep the rows of one")
    tiers: dict[str, list[Interval]] = {}
    about: dict[str, tuple[str, ...]] = {}
    for number, row in zip(sheet.numbers, sheet.rows, strict=True):
        start_s, end_s = (parse_time(cell(row, key), "") for key in ("start", "end"))
        if start_s is None or end_s is None:
            raise CorpusError("", f"row {number} has no start or no end", "fill it in")
        name = cell(row, "tier") or UNNAMED
        tiers.setdefault(name, []).append(Interval(start_s, end_s, cell(row, "label")))
        about.setdefault(name, tuple(cell(row, k) for k in ("coder", "participant", "notes")))
    made = (CodedTier(name, tuple(ranges), *about[name]) for name, ranges in tiers.items())
    return Coding(media.pop() if media else "", None, tuple(made))


def _json(path: Path, data: bytes) -> Coding:
    return TypeAdapter(Coding).validate_json(data)
