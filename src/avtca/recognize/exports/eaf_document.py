"""Tiers as an ELAN annotation file."""

import mimetypes
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from avtca.media.eaf import EXCLUDE_TYPE
from avtca.recognize.exports.segments import milliseconds

LABELS_TYPE, CONFIDENCE_TYPE, SPEECH_TYPE = "emotion", "confidence", "speech"
"""Types of tiers: labels of a controlled vocabulary, values below them, and speakers."""
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


class EafTier(NamedTuple):
    """A tier to write."""

    name: str
    annotations: Sequence[tuple[float, float, str]]
    """Start and end in seconds, and value."""
    kind: str = LABELS_TYPE
    annotator: str = ""
    participant: str = ""
    confidences: Sequence[str] | None = None
    """Values of a tier below it, "NAME confidence", one for each annotation."""


class Vocabulary(NamedTuple):
    """The controlled vocabulary of the tiers of labels."""

    description: str
    labels: Sequence[str]

    def entries(self) -> dict[str, str]:
        """Identifier of the entry of each label."""
        return {label: f"cveid{i}" for i, label in enumerate(self.labels)}


def write_eaf(
    tiers: Sequence[EafTier],
    vocabulary: Vocabulary,
    media: tuple[str, str] | None,
    properties: Mapping[str, str],
) -> str:
    """ELAN annotation file.

    Args:
        tiers: The tiers; no two have the same name.
        vocabulary: Labels offered for the tiers of labels, which may have others too.
        media: Full and relative URL of the media file, if it is linked.
        properties: Properties of the header.
    """
    root = Element("ANNOTATION_DOCUMENT")
    root.set("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
    root.set("xsi:noNamespaceSchemaLocation", _SCHEMA)
    date = datetime.now(UTC).replace(microsecond=0).isoformat()
    root.attrib |= {"AUTHOR": "avtca", "DATE": date, "FORMAT": "3.0", "VERSION": "3.0"}
    spans = [(start_s, end_s) for tier in tiers for start_s, end_s, _ in tier.annotations]
    _header(root, media, {**properties, "lastUsedAnnotationId": str(2 * len(spans))})
    times = SubElement(root, "TIME_ORDER")
    for i, (start_s, end_s) in enumerate(spans):
        for slot, time_s in ((2 * i + 1, start_s), (2 * i + 2, end_s)):
            time = str(milliseconds(time_s))
            SubElement(times, "TIME_SLOT", TIME_SLOT_ID=f"ts{slot}", TIME_VALUE=time)
    first = 0
    for tier in tiers:
        _tier(root, tier, first, vocabulary.entries())
        first += len(tier.annotations)
    kinds = {tier.kind for tier in tiers}
    kinds |= {CONFIDENCE_TYPE for tier in tiers if tier.confidences is not None}
    _definitions(root, kinds | {LABELS_TYPE}, vocabulary)
    ElementTree.indent(root, space="    ")
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _header(root: Element, media: tuple[str, str] | None, properties: Mapping[str, str]) -> None:
    header = SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    if media is not None:
        SubElement(
            header,
            "MEDIA_DESCRIPTOR",
            MEDIA_URL=media[0],
            MIME_TYPE=mimetypes.guess_type(media[1].rpartition("/")[2])[0] or "unknown",
            RELATIVE_MEDIA_URL=media[1],
        )
    for name, value in properties.items():
        SubElement(header, "PROPERTY", NAME=name).text = value


def _tier(root: Element, tier: EafTier, first: int, entries: Mapping[str, str]) -> None:
    """A tier and the one below it; ``first`` is the number of its first annotation."""
    shared = {"ANNOTATOR": tier.annotator, "PARTICIPANT": tier.participant}
    shared = {name: value for name, value in shared.items() if value}
    element = SubElement(root, "TIER", shared, LINGUISTIC_TYPE_REF=tier.kind, TIER_ID=tier.name)
    for i, (_, _, text) in enumerate(tier.annotations, start=first):
        is_entry = tier.kind == LABELS_TYPE and text in entries
        annotation = SubElement(
            SubElement(element, "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            {"CVE_REF": entries[text]} if is_entry else {},
            ANNOTATION_ID=f"a{2 * i + 1}",
            TIME_SLOT_REF1=f"ts{2 * i + 1}",
            TIME_SLOT_REF2=f"ts{2 * i + 2}",
        )
        SubElement(annotation, "ANNOTATION_VALUE").text = text
    if tier.confidences is None:
        return
    below = SubElement(
        root,
        "TIER",
        shared,
        LINGUISTIC_TYPE_REF=CONFIDENCE_TYPE,
        PARENT_REF=tier.name,
        TIER_ID=f"{tier.name} confidence",
    )
    for i, confidence in enumerate(tier.confidences, start=first):
        annotation = SubElement(
            SubElement(below, "ANNOTATION"),
            "REF_ANNOTATION",
            ANNOTATION_ID=f"a{2 * i + 2}",
            ANNOTATION_REF=f"a{2 * i + 1}",
        )
        SubElement(annotation, "ANNOTATION_VALUE").text = confidence


def _definitions(root: Element, kinds: set[str], vocabulary: Vocabulary) -> None:
    """Tier types, the vocabulary, and what ELAN expects in every file."""
    types = {
        LABELS_TYPE: {"CONTROLLED_VOCABULARY_REF": _VOCABULARY, "TIME_ALIGNABLE": "true"},
        EXCLUDE_TYPE: {"TIME_ALIGNABLE": "true"},
        SPEECH_TYPE: {"TIME_ALIGNABLE": "true"},
        CONFIDENCE_TYPE: {"CONSTRAINTS": "Symbolic_Association", "TIME_ALIGNABLE": "false"},
    }
    for kind, attributes in types.items():
        if kind in kinds:
            SubElement(
                root,
                "LINGUISTIC_TYPE",
                attributes,
                GRAPHIC_REFERENCES="false",
                LINGUISTIC_TYPE_ID=kind,
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
    holder = SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=_VOCABULARY)
    SubElement(holder, "DESCRIPTION", LANG_REF=_LANGUAGE).text = vocabulary.description
    for label, entry_id in vocabulary.entries().items():
        entry = SubElement(holder, "CV_ENTRY_ML", CVE_ID=entry_id)
        SubElement(entry, "CVE_VALUE", DESCRIPTION="", LANG_REF=_LANGUAGE).text = label
