"""Faces of a report on their way from a worker to its HTML page, as JSON."""

import base64
import io
import json
from typing import TYPE_CHECKING

from avtca.recognize.report import Report

if TYPE_CHECKING:
    from avtca.plots.html import PageEntry


def pack_faces(report: Report) -> bytes:
    """JSON of the faces above the timeline, and of a face of each person; they are not decoded."""
    from PIL import Image

    from avtca.plots.faces import make_strip

    strip = make_strip(report.thumbnails, report.duration_s)
    people = {}
    for person in report.people:
        if person.thumbnail is not None:
            data = io.BytesIO()
            Image.fromarray(person.thumbnail.rgb).save(data, format="png")
            people[person.number] = _text(data.getvalue())
    shown = None
    if strip is not None and isinstance(strip.jpeg, bytes):
        shown = {"jpeg": _text(strip.jpeg), "times": strip.times}
    return json.dumps({"people": people, "strip": shown}).encode()


def page_entry(report: Report, faces: bytes) -> "PageEntry":
    """The entry of a report on a page.

    Args:
        report: The report.
        faces: From :func:`pack_faces`, empty for a result of an earlier version.
    """
    from avtca.plots.faces import FaceStrip
    from avtca.plots.html import PageEntry

    plain = json.loads(faces) if faces else {"people": {}, "strip": None}
    strip = plain["strip"]
    people = tuple((int(number), base64.b64decode(png)) for number, png in plain["people"].items())
    shown = strip and FaceStrip(base64.b64decode(strip["jpeg"]), tuple(map(float, strip["times"])))
    return PageEntry(report, None, shown, people)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
