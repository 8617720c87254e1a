"""Scores of a clip or a person, and whether they can be trusted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

NO_PERSON = -1
"""Person number of timeline rows that were recognised from the audio alone."""
DIGITS = 4
"""Decimal places of scores in JSON and CSV, and of the comparison with a threshold."""
MIN_DECODED = 0.9
"""Share of a file that must be decoded for a confident prediction."""
MIN_FACE_S = 1.0
"""Seconds for which a face must be seen for a confident prediction, or the length of a clip."""
PARTLY, STILL_FACE, FEW_FRAMES = "partly decoded", "still face", "few frames"
BRIEF_FACE, SHARED_AUDIO, TRAINED_ON = "brief face", "shared audio", "training clip"
SHORT_WINDOW, SHORT_TRACK = "short window", "short track"
DOUBTS = {
    PARTLY: f"less than {MIN_DECODED:.0%} of the file could be decoded",
    STILL_FACE: "the face that was read never moves; it may be a photograph beside another's voice",
    FEW_FRAMES: "most of the video repeats the frame before",
    BRIEF_FACE: f"the face was seen for less than {MIN_FACE_S:g} s",
    SHARED_AUDIO: "several people are in view, and it is undecided who speaks",
    SHORT_TRACK: f"audio or video ends before {MIN_DECODED:.0%} of the other",
    TRAINED_ON: "the model was trained on this file",
    SHORT_WINDOW: "a live recording has only begun, and is shorter than a window",
}
"""Reasons for which a prediction is never confident, and what they mean."""
INPUTS = {
    "both": "face and voice",
    "face": "video only",
    "voice": "audio only",
    "mixed": "mixed input",
}
"""Text for each value of :attr:`Prediction.streams`."""

Box = tuple[float, float, float, float]
"""``x0 y0 x1 y1`` in pixels of the upright frame, from its upper left corner."""


def top_label(scores: Mapping[str, float]) -> str:
    """The label with the highest score; the first where :data:`DIGITS` places are equal."""
    return max(scores, key=lambda name: round(scores[name], DIGITS))


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores as in JSON and CSV."""
    return {name: round(score, DIGITS) for name, score in scores.items()}


def rounded_box(box: Box | None) -> list[int] | None:
    """A box as in JSON and CSV, in whole pixels."""
    return None if box is None else [round(edge) for edge in box]


def reaches(confidence: float, threshold: float | None) -> bool | None:
    """Whether a confidence reaches its threshold, as shown; ``None`` without a threshold."""
    if threshold is None:
        return None
    return round(confidence, DIGITS) >= round(threshold, DIGITS)


@dataclass(frozen=True)
class TimelineRow:
    """The result for one person in one window.

    Attributes:
        start_s: Start of the window in seconds of the clip.
        end_s: End of the window in seconds of the clip.
        scores: Calibrated probability of each label; empty without face and voice.
        modalities: What was used, of "face" and "voice".
        face: Share of the window with this face, 0..1.
        voice: Share of the window with a voice, 0..1.
        person: Person number, :data:`NO_PERSON` without a face.
        box: Median face box over the window.
        speaking: Share of the window in which this person speaks, 0..1; ``None`` without a face or
            audio, and where it is undecided.
        others: Numbers of the other people in view whose faces move; not in JSON.
        still: Whether the face never moves; not in JSON.
    """

    start_s: float
    end_s: float
    scores: dict[str, float]
    modalities: tuple[str, ...]
    face: float
    voice: float
    person: int = NO_PERSON
    box: Box | None = None
    speaking: float | None = None
    others: tuple[int, ...] = field(default=(), compare=False)
    still: bool = field(default=False, compare=False)

    @property
    def top(self) -> str | None:
        """The label with the highest score."""
        return top_label(self.scores) if self.scores else None

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "person": None if self.person == NO_PERSON else self.person,
            "top": self.top,
            "scores": rounded(self.scores),
            "modalities": list(self.modalities),
            "face": round(self.face, 3),
            "voice": round(self.voice, 3),
            "box": rounded_box(self.box),
            "speaking": None if self.speaking is None else round(self.speaking, 3),
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "TimelineRow":
        """The inverse of :meth:`to_dict`."""
        plain = {name: row[name] for name in ("start_s", "end_s", "scores", "face", "voice")}
        return cls(
            **plain,
            modalities=tuple(row["modalities"]),
            person=NO_PERSON if row["person"] is None else row["person"],
            box=None if row["box"] is None else tuple(row["box"]),
            speaking=row.get("speaking"),
        )


@dataclass(frozen=True)
class Coverage:
    """How much of a clip was decoded and used.

    Attributes:
        read: Decoded length over the length in the header (1 without a reliable header), less
            stretches of the video that could not be decoded; 0..1.
        face: Share of the decoded clip with a face, 0..1.
        voice: Share of the decoded clip with a voice, 0..1.
    """

    read: float
    face: float
    voice: float

    def to_dict(self) -> dict[str, float]:
        """JSON-serialisable values."""
        return {name: round(share, 3) for name, share in vars(self).items()}


def main_rows(timeline: Iterable[TimelineRow]) -> list[TimelineRow]:
    """The first row of each window: its largest steady face, or the audio alone."""
    first: dict[float, TimelineRow] = {}
    for row in timeline:
        first.setdefault(row.start_s, row)
    return list(first.values())


def scores_of(rows: Iterable[TimelineRow], labels: Sequence[str]) -> dict[str, float]:
    """Mean of the windows that have scores."""
    scored = [row.scores for row in rows if row.scores]
    return {name: float(np.mean([scores[name] for scores in scored])) for name in labels}


def mean_scores(
    rows: Sequence[TimelineRow], labels: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the scores of overlapping windows.

    Args:
        rows: Windows of one person, or one row for each window.
        labels: Labels in the order of the columns.

    Returns:
        Edges of intervals in seconds ``(n + 1,)``, and the mean scores of the windows that cover
        each interval ``(n, n_labels)``, NaN where no window has scores.
    """
    edges = np.unique([edge for row in rows for edge in (row.start_s, row.end_s)])
    total = np.zeros((max(0, len(edges) - 1), len(labels)))
    covering = np.zeros((len(total), 1))
    for row in rows:
        if row.scores:
            covered = slice(*np.searchsorted(edges, (row.start_s, row.end_s)))
            total[covered] += [row.scores[name] for name in labels]
            covering[covered] += 1
    with np.errstate(invalid="ignore"):
        return edges, total / covering


class Prediction:
    """What :class:`Report` and :class:`Person` have in common.

    Attributes:
        scores: Mean over the windows of the calibrated probability of each label.
        timeline: The windows.
        coverage: How much of the clip was decoded and used.
        thresholds: Confidence threshold by input ("both", "face", "voice"), measured on unseen
            speakers; the model card lists the accuracy above it. Missing where not measured.
        doubts: Reasons of :data:`DOUBTS` found by the recognizer.
    """

    scores: dict[str, float]
    timeline: tuple[TimelineRow, ...]
    coverage: Coverage
    thresholds: Mapping[str, float]
    doubts: tuple[str, ...]

    @property
    def top(self) -> str:
        """The label with the highest score."""
        return top_label(self.scores)

    @property
    def confidence(self) -> float:
        """The score of :attr:`top`."""
        return self.scores[self.top]

    def mean_scores(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The scores over time: for each moment the mean of the windows that cover it.

        Returns:
            Edges of intervals in seconds ``(n + 1,)``, and scores of the intervals
            ``(n, n_labels)`` in the order of :attr:`scores`, NaN where no window has scores.
        """
        return mean_scores(main_rows(self.timeline), tuple(self.scores))

    @property
    def streams(self) -> str:
        """The input of every window: "both", "face" or "voice"; "mixed" where it differs."""
        used = {row.modalities for row in main_rows(self.timeline) if row.scores}
        names = {"both" if len(modalities) == 2 else modalities[0] for modalities in used}
        return names.pop() if len(names) == 1 else "mixed"

    @property
    def threshold(self) -> float | None:
        """The confidence threshold for this input; ``None`` where it was not measured."""
        return self.thresholds.get(self.streams)

    @property
    def confident(self) -> bool | None:
        """Whether the confidence reaches :attr:`threshold`; ``None`` without a threshold.

        ``False`` also with a :attr:`doubt`.
        """
        return False if self.doubt else reaches(self.confidence, self.threshold)

    @property
    def doubt(self) -> str | None:
        """The first reason of :data:`DOUBTS`, if any."""
        partly = (PARTLY,) if self.coverage.read < MIN_DECODED else ()
        return next(iter((*partly, *self.doubts)), None)

    @property
    def doubt_text(self) -> str:
        """What :attr:`doubt` means."""
        return DOUBTS.get(self.doubt or "", "")

    @property
    def certainty(self) -> str:
        """The confidence as text, with the reason where it is not :attr:`confident`.

        For example "79%", "36% (below threshold)", "47% (no threshold for audio only)", and
        "47% (no threshold)" of a model without any.
        """
        percent = f"{self.confidence:.0%}"
        if self.doubt:
            return f"{percent} ({self.doubt})"
        if self.confident is False:
            return f"{percent} (below threshold)"
        if self.confident is None:
            which = f" for {INPUTS[self.streams]}" if self.thresholds else ""
            return f"{percent} (no threshold{which})"
        return percent

    def confidence_fields(self) -> dict[str, Any]:
        """The prediction and its confidence, as JSON-serialisable values."""
        threshold = self.threshold
        doubts = {"doubts": list(self.doubts)} if self.doubts else {}
        return {
            "top": self.top,
            "confidence": round(self.confidence, DIGITS),
            "sure": self.confident,
            "sure_from": None if threshold is None else round(threshold, DIGITS),
            "streams": self.streams,
            **doubts,
        }
