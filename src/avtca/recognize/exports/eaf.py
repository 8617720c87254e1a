"""Segments as an ELAN annotation file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from avtca.recognize.exports.eaf_document import SPEECH_TYPE, EafTier, Vocabulary, write_eaf
from avtca.recognize.exports.segments import RULE, SPEECH_TIER, by_track, make_segments

if TYPE_CHECKING:
    from avtca.recognize.report import Report


def eaf_text(report: "Report", folder: Path) -> str:
    """ELAN annotation file with a tier for each person.

    A second tier below each has the confidence of every annotation, marked as in the report. The
    last tier, "speech", has the speaker of every turn, where there are any. The
    labels of the network are a controlled vocabulary. The media file is linked where it exists, by
    its full path and by its path from ``folder``, which is the folder of the ELAN file.
    """
    tiers = [
        EafTier(
            track,
            [(one.start_s, one.end_s, one.label) for one in segments],
            annotator="avtca",
            participant=track,
            confidences=[one.certainty for one in segments],
        )
        for track, segments in by_track(make_segments(report)).items()
    ]
    if report.speech:
        turns = [(turn.start_s, turn.end_s, turn.speaker) for turn in report.speech]
        tiers.append(EafTier(SPEECH_TIER, turns, SPEECH_TYPE, annotator="avtca"))
    media = Path(report.file)
    links = None
    if media.is_file():
        links = _media_url(media.resolve().as_posix()), _relative_url(media, folder)
    properties = {
        "avtca:segments": RULE,
        "avtca:model": report.model,
        "avtca:file": report.file,
    }
    return write_eaf(tiers, Vocabulary("labels of the network", report.labels), links, properties)


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
