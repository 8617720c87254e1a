"""Scores and face boxes over time in the columns of py-feat's Fex."""

import csv
import io
from bisect import bisect_right
from typing import TYPE_CHECKING, Any

import numpy as np

from avtca.recognize.exports.segments import AUDIO_TRACK, moments
from avtca.recognize.prediction import DIGITS, NO_PERSON
from avtca.text import csv_cell

if TYPE_CHECKING:
    from avtca.recognize.report import Report

FRAME_RATE = 10
"""Frames per second of the table. A report does not have the frames of the video."""
EMOTIONS = {
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprise",
    "neutral": "neutral",
}
"""Emotion columns of py-feat, in its order, and the labels of avtca."""
_HEAD = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
_TAIL = ["input", "frame", "approx_time", "time_s", "Identity", "model", "rule"]
RULE = (
    f"avtca frames: {FRAME_RATE} per second; scores and face box of a frame are the mean of the "
    "windows that cover its middle"
)


def fex_text(*reports: "Report") -> str:
    """CSV with a row for each tenth of a second and person, or the audio alone.

    Emotions that the network does not have are empty; other labels follow the seven of py-feat.
    """
    known = set(EMOTIONS.values())
    others = dict.fromkeys(name for one in reports for name in one.labels if name not in known)
    text = io.StringIO()
    columns = [*_HEAD, *EMOTIONS, *others, *_TAIL]
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for report in reports:
        for row in _rows(report):
            writer.writerow({name: csv_cell(cell) for name, cell in row.items()})
    return text.getvalue()


def _rows(report: "Report") -> list[dict[str, Any]]:
    shared = {"input": report.file, "model": report.model, "rule": RULE}
    columns = {label: name for name, label in EMOTIONS.items()}
    out = []
    for person, rows, edges, scores in moments(report):
        starts, ends = [row.start_s for row in rows], [row.end_s for row in rows]
        for frame in range(int(edges[0] * FRAME_RATE), int(edges[-1] * FRAME_RATE) + 1):
            middle = (frame + 0.5) / FRAME_RATE
            interval = int(np.searchsorted(edges, middle, "right")) - 1
            if not 0 <= interval < len(scores) or np.isnan(scores[interval]).any():
                continue
            now = scores[interval]
            covering = rows[bisect_right(ends, middle) : bisect_right(starts, middle)]
            boxes = [row.box for row in covering if row.box is not None]
            row: dict[str, Any] = {
                columns.get(name, name): round(float(score), DIGITS)
                for name, score in zip(report.labels, now, strict=True)
            }
            if boxes:
                x0, y0, x1, y1 = (round(float(edge), 1) for edge in np.mean(boxes, axis=0))
                row |= dict(
                    zip(_HEAD, (x0, y0, round(x1 - x0, 1), round(y1 - y0, 1)), strict=False)
                )
            second = frame // FRAME_RATE
            row |= {"frame": frame, "approx_time": f"{second // 60:02}:{second % 60:02}"}
            row |= {"time_s": frame / FRAME_RATE}
            row |= {"Identity": AUDIO_TRACK if person == NO_PERSON else f"Person_{person}"}
            out.append(row | shared)
    return sorted(out, key=lambda row: row["frame"])
