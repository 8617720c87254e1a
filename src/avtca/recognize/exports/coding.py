"""Coded ranges as files of annotation programs, and as a sheet of labelled clips."""

import csv
import io
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from avtca.media.eaf import EXCLUDE_TYPE
from avtca.recognize.exports.eaf_document import EafTier, Vocabulary, write_eaf
from avtca.recognize.exports.subtitles import write_vtt
from avtca.recognize.exports.textgrid import Span, write_textgrid
from avtca.text import csv_cell

if TYPE_CHECKING:
    from avtca.recognize.coding import Coding, Interval

EXCLUDE = "exclude"
"""Label of a range that is left out. Annotation files have such ranges in a tier "NAME exclude"."""
NOTES = "notes"
"""Tier of a TextGrid with the notes, and property of an EAF file, "avtca:notes:NAME"."""
_COLUMNS = ("path", "start", "end", "label", "speaker", "tier", "coder", "notes")


def coding_eaf(coding: "Coding") -> str:
    """ELAN annotation file, with the recording linked as a file beside it."""
    tiers: list[EafTier] = []
    for one in coding.tiers:
        about = EafTier(
            one.name, _spans(one.coded()), annotator=one.coder, participant=one.participant
        )
        tiers.append(about)
        if excluded := _spans(one.excluded()):
            name = f"{one.name} {EXCLUDE}"
            tiers.append(about._replace(name=name, annotations=excluded, kind=EXCLUDE_TYPE))
    media = (f"file:///{coding.media}", f"./{coding.media}") if coding.media else None
    notes = {f"avtca:{NOTES}:{one.name}": one.notes for one in coding.tiers if one.notes}
    return write_eaf(tiers, Vocabulary("labels of the coder", coding.labels), media, notes)


def coding_textgrid(coding: "Coding") -> str:
    """Praat TextGrid with an interval tier for each tier; ranges without a label are left out."""
    tiers: dict[str, list[Span]] = {}
    for one in coding.tiers:
        tiers[one.name] = [span for span in _spans(one.coded()) if span[2]]
        if excluded := _spans(one.excluded()):
            tiers[f"{one.name} {EXCLUDE}"] = excluded
    ends = [end_s for spans in tiers.values() for _, end_s, _ in spans]
    end_s = max([coding.duration_s or 0.0, 0.001, *ends])
    if notes := _notes(coding):
        tiers[NOTES] = [(0.0, end_s, "; ".join(notes))]
    return write_textgrid(tiers, end_s)


def coding_vtt(coding: "Coding") -> str:
    """WebVTT with a cue for each range; the voice is the tier."""
    tiers = [(one.name, one.coded()) for one in coding.tiers]
    tiers += [(f"{one.name} {EXCLUDE}", one.excluded()) for one in coding.tiers]
    cues = sorted(
        (one.start_s, one.end_s, name, one.label)
        for name, intervals in tiers
        for one in intervals
        if one.label
    )
    notes = [f"file: {coding.media}"] if coding.media else []
    return write_vtt([*notes, *_notes(coding)], cues)


def coding_csv(coding: "Coding") -> str:
    """A sheet with a row for each labelled range, as ``avtca evaluate`` and ``finetune`` read it.

    Ranges that are left out, or have no label, are not in it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for one in coding.tiers:
        about = (one.participant, one.name, one.coder, one.notes)
        for start_s, end_s, label in _spans(one.coded()):
            if label:
                row = (coding.media, _seconds(start_s), _seconds(end_s), label, *about)
                writer.writerow(map(csv_cell, row))
    return text.getvalue()


def coding_json(coding: "Coding") -> str:
    """The coding as it is."""
    return json.dumps(asdict(coding), indent=1, ensure_ascii=False) + "\n"


CODING_EXPORTS: dict[str, tuple[str, Callable[["Coding"], str]]] = {
    "eaf": (".eaf", coding_eaf),
    "textgrid": (".TextGrid", coding_textgrid),
    "vtt": (".vtt", coding_vtt),
    "csv": (".csv", coding_csv),
    "json": (".json", coding_json),
}
"""Suffix and function of each format."""


def _spans(intervals: Iterable["Interval"]) -> list[Span]:
    return [(one.start_s, one.end_s, one.label) for one in intervals]


def _notes(coding: "Coding") -> list[str]:
    return [f"{one.name}: {one.notes}" for one in coding.tiers if one.notes]


def _seconds(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")
