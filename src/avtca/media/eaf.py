"""Annotation files of ELAN (EAF)."""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import unquote
from xml.etree import ElementTree


@dataclass(frozen=True)
class Annotation:
    """One annotation.

    Attributes:
        start_s: Its start in seconds of the file's timeline.
        end_s: Its end.
        text: Its value, without line breaks.
        aligned: Whether it has times of its own, not those of a parent annotation.
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
    """

    name: str
    kind: str
    participant: str
    annotations: tuple[Annotation, ...]


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


def parse_eaf(content: str | bytes) -> Eaf:
    """Read the contents of an EAF file.

    An annotation without times of its own has those of its parent, or an equal part of them where
    several have the same parent.

    Raises:
        ValueError, KeyError, ElementTree.ParseError: It is no EAF file, or is damaged.
    """
    root = ElementTree.fromstring(content)
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
        tiers.append(Tier(tier.attrib["TIER_ID"], kind, participant.strip(), tuple(annotations)))
    return Eaf(tuple(media), tuple(tiers))


def _spans(root: ElementTree.Element) -> dict[str, tuple[float, float]]:
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
    while waiting:
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
        if len(later) == len(waiting):
            raise ValueError("annotations without a parent")
        waiting = later
    return spans


def _slots(root: ElementTree.Element) -> dict[str, float]:
    """Seconds of each time slot; those without a time are spread evenly, as ELAN does."""
    slots = list(root.iter("TIME_SLOT"))
    known = [k for k, slot in enumerate(slots) if slot.get("TIME_VALUE") is not None]
    values = {k: int(slots[k].attrib["TIME_VALUE"]) / 1000 for k in known}
    for before, after in pairwise(known):
        step = (values[after] - values[before]) / (after - before)
        values |= {k: values[before] + step * (k - before) for k in range(before + 1, after)}
    return {slots[k].attrib["TIME_SLOT_ID"]: value for k, value in values.items()}
