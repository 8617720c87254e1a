"""Annotation files of ELAN (EAF)."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

EXCLUDE_TYPE = "exclude"
"""Type of tiers whose ranges are left out; a coder made them beside the labels."""
_MAX_DEPTH = 16
"""Nested elements; EAF files have five."""
_MAX_ELEMENTS = 1_000_000
_MAX_PARENTS = 16
"""Levels of tiers whose annotations have their times from a parent."""


@dataclass(frozen=True)
class Annotation:
    """One annotation.

    Attributes:
        start_s: Its start in seconds of the file's timeline.
        end_s: Its end.
        text: Its value, without line breaks.
        aligned: Whether it has times, rather than those of a parent annotation.
    """

    start_s: float
    end_s: float
    text: str
    aligned: bool = True


@dataclass(frozen=True)
class Tier:
    """One tier.

    Attributes:
        name: Its identifier.
        kind: Its tier type.
        participant: The participant in its attributes, or empty.
        annotations: In their order.
        annotator: The annotator in its attributes, or empty.
    """

    name: str
    kind: str
    participant: str
    annotations: tuple[Annotation, ...]
    annotator: str = ""


@dataclass(frozen=True)
class MediaLink:
    """A linked media file.

    Attributes:
        urls: The relative and the absolute URL, as far as they are given.
        origin_s: Second of the media file at which the timeline starts.
    """

    urls: tuple[str, ...]
    origin_s: float

    @property
    def paths(self) -> tuple[str, ...]:
        """The URLs as paths."""
        without = (re.sub(r"^file:/{0,2}(?=/)", "", unquote(url)) for url in self.urls)
        return tuple(re.sub(r"^/(?=[A-Za-z]:)", "", path) for path in without)

    @property
    def name(self) -> str:
        """The file name."""
        return re.split(r"[/\\]", self.paths[0])[-1]


@dataclass(frozen=True)
class Eaf:
    """The contents of an EAF file."""

    media: tuple[MediaLink, ...]
    tiers: tuple[Tier, ...]
    properties: dict[str, str]
    """Properties of the header by their names."""


def parse_eaf(content: str | bytes) -> Eaf:
    """Read the contents of an EAF file.

    An annotation without times has those of its parent, or an equal part of them where
    several have the same parent. A document type, and with it entities, is refused.

    Raises:
        ValueError: It is no EAF file, or is damaged.
    """
    try:
        return _eaf(_parse(content))
    except (expat.ExpatError, LookupError, OverflowError) as error:
        raise ValueError(str(error)) from error


def _parse(content: str | bytes) -> Element:
    """The elements of an XML document of limited depth and size, without a document type."""
    builder, parser = TreeBuilder(), expat.ParserCreate()
    depth = elements = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > _MAX_DEPTH or elements > _MAX_ELEMENTS:
            raise ValueError("too many elements")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise ValueError("it has a document type")

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    parser.Parse(content, True)
    return builder.close()


def _eaf(root: Element) -> Eaf:
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ValueError(f"it begins with {root.tag}")
    media = []
    for one in root.iter("MEDIA_DESCRIPTOR"):
        urls = tuple(filter(None, (one.get("RELATIVE_MEDIA_URL"), one.get("MEDIA_URL"))))
        if urls:
            media.append(MediaLink(urls, int(one.get("TIME_ORIGIN") or 0) / 1000))
    spans = _spans(root)
    tiers = []
    for tier in root.iter("TIER"):
        annotations = []
        for one in tier.iterfind("ANNOTATION/*"):
            start_s, end_s = spans[one.attrib["ANNOTATION_ID"]]
            text = " ".join((one.findtext("ANNOTATION_VALUE") or "").split())
            annotations.append(Annotation(start_s, end_s, text, one.tag == "ALIGNABLE_ANNOTATION"))
        kind, participant = tier.get("LINGUISTIC_TYPE_REF") or "", tier.get("PARTICIPANT") or ""
        annotator = (tier.get("ANNOTATOR") or "").strip()
        name = tier.attrib["TIER_ID"]
        tiers.append(Tier(name, kind, participant.strip(), tuple(annotations), annotator))
    properties = {one.get("NAME", ""): one.text or "" for one in root.iter("PROPERTY")}
    return Eaf(tuple(media), tuple(tiers), properties)


def _spans(root: Element) -> dict[str, tuple[float, float]]:
    """Start and end of each annotation, by its identifier."""
    times = _slots(root)
    spans = {
        one.attrib["ANNOTATION_ID"]: (
            times[one.attrib["TIME_SLOT_REF1"]],
            times[one.attrib["TIME_SLOT_REF2"]],
        )
        for one in root.iter("ALIGNABLE_ANNOTATION")
    }
    waiting = [
        (tier.attrib["TIER_ID"], one)
        for tier in root.iter("TIER")
        for one in tier.iter("REF_ANNOTATION")
    ]
    siblings = Counter((tier, one.attrib["ANNOTATION_REF"]) for tier, one in waiting)
    placed: Counter[tuple[str, str]] = Counter()
    for _ in range(_MAX_PARENTS):
        later = []
        for tier, one in waiting:
            parent = one.attrib["ANNOTATION_REF"]
            if parent not in spans:
                later.append((tier, one))
                continue
            start_s, end_s = spans[parent]
            step = (end_s - start_s) / siblings[tier, parent]
            at = start_s + placed[tier, parent] * step
            placed[tier, parent] += 1
            spans[one.attrib["ANNOTATION_ID"]] = at, at + step
        waiting = later
    if waiting:
        raise ValueError("annotations without a parent")
    return spans


def _slots(root: Element) -> dict[str, float]:
    """Seconds of each time slot; those without a time are spread evenly, as ELAN does."""
    slots = list(root.iter("TIME_SLOT"))
    known = [k for k, slot in enumerate(slots) if slot.get("TIME_VALUE") is not None]
    values = {k: int(slots[k].attrib["TIME_VALUE"]) / 1000 for k in known}
    for before, after in pairwise(known):
        step = (values[after] - values[before]) / (after - before)
        values |= {k: values[before] + step * (k - before) for k in range(before + 1, after)}
    return {slots[k].attrib["TIME_SLOT_ID"]: value for k, value in values.items()}
