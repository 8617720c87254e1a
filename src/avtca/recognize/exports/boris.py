"""Segments as a BORIS project with one observation."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avtca.errors import AvtcaError
from avtca.media import open_media
from avtca.recognize.exports.segments import RULE, by_track, make_segments

if TYPE_CHECKING:
    from avtca.recognize.report import Report

_KEYS = "abcdefghijklmnopqrstuvwxyz"
"""Keys of the behaviours, one each."""


def boris_text(report: "Report") -> str:
    """BORIS project: a subject for each person, a state event for each label.

    A state event has two rows, its start and its stop. The comment of the start has the
    confidence, marked as in the report. The media file is linked where it exists.
    """
    segments = make_segments(report)
    # A stop goes before a start at the same time, since both rows of a state look alike.
    events = []
    for one in segments:
        events.append((one.start_s, 1, one.track, one.label, one.certainty))
        events.append((one.end_s, 0, one.track, one.label, ""))
    events.sort()
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    media = Path(report.file)
    observation: dict[str, Any] = {
        "file": {
            "1": [str(media.resolve())] if media.is_file() else [],
            **{str(player): [] for player in range(2, 9)},
        },
        "type": "MEDIA",
        "date": date,
        "description": f"{RULE}; model {report.model}; file {report.file}",
        "time offset": 0.0,
        "events": [
            [time_s, track, label, "", comment, "NA"] for time_s, _, track, label, comment in events
        ],
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "close_behaviors_between_videos": False,
        "media_info": _media_info(media, report.duration_s),
    }
    project: dict[str, Any] = {
        "time_format": "hh:mm:ss",
        "project_date": date,
        "project_name": media.stem,
        "project_description": f"Emotions recognised by avtca, model {report.model}. {RULE}",
        "project_format_version": "7.0",
        "subjects_conf": {
            str(i): {"key": "", "name": track, "description": ""}
            for i, track in enumerate(by_track(segments))
        },
        "behaviors_conf": {
            str(i): {
                "type": "State event",
                "key": _KEYS[i] if i < len(_KEYS) else "",
                "code": label,
                "description": "",
                "color": "",
                "category": "emotion",
                "modifiers": {},
                "excluded": "",
                "coding map": "",
            }
            for i, label in enumerate(report.labels)
        },
        "observations": {media.stem or "observation": observation},
        "behavioral_categories": ["emotion"],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
    }
    return json.dumps(project, indent=1, ensure_ascii=False) + "\n"


def _media_info(media: Path, duration_s: float) -> dict[str, dict[str, object]]:
    """What BORIS stores of a media file, so that it need not analyse it."""
    info: dict[str, dict[str, object]] = {"offset": {"1": 0.0}}
    if not media.is_file():
        return info
    try:
        opened = open_media(media)
    except AvtcaError:
        return info
    name = str(media.resolve())
    return info | {
        "length": {name: round(duration_s, 3)},
        "fps": {name: opened.info.frame_rate or 0.0},
        "hasVideo": {name: opened.has_video},
        "hasAudio": {name: opened.has_audio},
    }
