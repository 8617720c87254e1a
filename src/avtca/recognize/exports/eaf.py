"""Segments as an ELAN annotation file."""

import mimetypes
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from avtca.recognize.exports.segments import (
    RULE,
    Segment,
    by_track,
    make_segments,
    milliseconds,
)

if TYPE_CHECKING:
    from avtca.recognize.report import Report

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_VOCABULARY, _LANGUAGE = "emotions", "und"
_STEREOTYPES = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps "
    "allowed within this interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to "
    "the same parent are ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps "
    "are allowed",
}
"""The constraints that ELAN writes to every file."""


def eaf_text(report: "Report", folder: Path) -> str:
    """ELAN annotation file with a tier for each person.

    A second tier below each has the confidence of every annotation, marked as in the report. The
    labels of the network are a controlled vocabulary. The media file is linked where it exists, by
    its full path and by its path from ``folder``, which is the folder of the ELAN file.
    """
    root = Element("ANNOTATION_DOCUMENT")
    root.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
    root.set("xsi:noNamespaceSchemaLocation", _SCHEMA)
    date = datetime.now(UTC).replace(microsecond=0).isoformat()
    root.attrib |= {"AUTHOR": "avtca", "DATE": date, "FORMAT": "3.0", "VERSION": "3.0"}
    segments = make_segments(report)
    _header(root, report, folder, 2 * len(segments))
    times = SubElement(root, "TIME_ORDER")
    for i, segment in enumerate(segments):
        for slot, time_s in ((2 * i + 1, segment.start_s), (2 * i + 2, segment.end_s)):
            time = str(milliseconds(time_s))
            SubElement(times, "TIME_SLOT", TIME_SLOT_ID=f"ts{slot}", TIME_VALUE=time)
    first = 0
    for track, those in by_track(segments).items():
        _tiers(root, track, those, first, report.labels)
        first += len(those)
    _definitions(root, report)
    ElementTree.indent(root, space="    ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _header(root: Element, report: "Report", folder: Path, last_id: int) -> None:
    header = SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    media = Path(report.file)
    if media.is_file():
        SubElement(
            header,
            "MEDIA_DESCRIPTOR",
            MEDIA_URL=_media_url(media.resolve().as_posix()),
            MIME_TYPE=mimetypes.guess_type(media.name)[0] or "unknown",
            RELATIVE_MEDIA_URL=_relative_url(media, folder),
        )
    properties = {
        "avtca:segments": RULE,
        "avtca:model": report.model,
        "avtca:file": report.file,
        "lastUsedAnnotationId": str(last_id),
    }
    for name, value in properties.items():
        SubElement(header, "PROPERTY", NAME=name).text = value


def _media_url(path: str) -> str:
    """Address as ELAN writes it: spaces and other characters stay as they are."""
    return f"file://{'' if path.startswith('/') else '/'}{path}"


def _relative_url(media: Path, folder: Path) -> str:
    """Path from a folder as ELAN writes it, with "./" in front unless it starts with "../"."""
    try:
        path = Path(os.path.relpath(media.parent.resolve(), folder.resolve()), media.name)
    except ValueError:  # on another drive of Windows
        path = Path(media.name)
    return path.as_posix() if path.parts[0] == os.pardir else f"./{path.as_posix()}"


def _tiers(
    root: Element, track: str, segments: list[Segment], first: int, labels: tuple[str, ...]
) -> None:
    """The tier of a track and the tier of its confidences; ``first`` is the number of its first."""
    shared = {"ANNOTATOR": "avtca", "PARTICIPANT": track}
    tier = SubElement(root, "TIER", shared, LINGUISTIC_TYPE_REF="emotion", TIER_ID=track)
    for i, segment in enumerate(segments, start=first):
        annotation = SubElement(
            SubElement(tier, "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            ANNOTATION_ID=f"a{2 * i + 1}",
            CVE_REF=_entry(segment.label, labels),
            TIME_SLOT_REF1=f"ts{2 * i + 1}",
            TIME_SLOT_REF2=f"ts{2 * i + 2}",
        )
        SubElement(annotation, "ANNOTATION_VALUE").text = segment.label
    below = SubElement(
        root,
        "TIER",
        shared,
        LINGUISTIC_TYPE_REF="confidence",
        PARENT_REF=track,
        TIER_ID=f"{track} confidence",
    )
    for i, segment in enumerate(segments, start=first):
        annotation = SubElement(
            SubElement(below, "ANNOTATION"),
            "REF_ANNOTATION",
            ANNOTATION_ID=f"a{2 * i + 2}",
            ANNOTATION_REF=f"a{2 * i + 1}",
        )
        SubElement(annotation, "ANNOTATION_VALUE").text = segment.certainty


def _definitions(root: Element, report: "Report") -> None:
    """Tier types, the vocabulary, and what ELAN expects in every file."""
    SubElement(
        root,
        "LINGUISTIC_TYPE",
        CONTROLLED_VOCABULARY_REF=_VOCABULARY,
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID="emotion",
        TIME_ALIGNABLE="true",
    )
    SubElement(
        root,
        "LINGUISTIC_TYPE",
        CONSTRAINTS="Symbolic_Association",
        GRAPHIC_REFERENCES="false",
        LINGUISTIC_TYPE_ID="confidence",
        TIME_ALIGNABLE="false",
    )
    SubElement(
        root,
        "LANGUAGE",
        LANG_DEF="http://cdb.iso.org/lg/CDB-00130975-001",
        LANG_ID=_LANGUAGE,
        LANG_LABEL="undetermined (und)",
    )
    for name, description in _STEREOTYPES.items():
        SubElement(root, "CONSTRAINT", DESCRIPTION=description, STEREOTYPE=name)
    vocabulary = SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=_VOCABULARY)
    SubElement(vocabulary, "DESCRIPTION", LANG_REF=_LANGUAGE).text = "labels of the network"
    for label in report.labels:
        entry = SubElement(vocabulary, "CV_ENTRY_ML", CVE_ID=_entry(label, report.labels))
        SubElement(entry, "CVE_VALUE", DESCRIPTION="", LANG_REF=_LANGUAGE).text = label


def _entry(label: str, labels: tuple[str, ...]) -> str:
    return f"cveid{labels.index(label)}"
