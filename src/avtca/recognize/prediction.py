"""Windows of a file, their mean, and how far to trust it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MAIN = -1
"""Person number of rows that were read from the audio alone."""
DIGITS = 4
"""Decimal places of scores in JSON and CSV; what is compared with a threshold has as many."""
READ_ENOUGH = 0.9
"""Share of a file below which what was read of it is no sure answer about the whole."""

STREAMS = {
    "both": "face and voice",
    "face": "video only",
    "voice": "audio only",
    "mixed": "changing input",
}
"""Names of :attr:`Prediction.streams` in text."""

Box = tuple[float, float, float, float]
"""``x0 y0 x1 y1`` in pixels of the upright picture, from its upper left corner."""


def best(scores: Mapping[str, float]) -> str:
    """The label with the highest score, the first of those equal to :data:`DIGITS` places."""
    return max(scores, key=lambda name: round(scores[name], DIGITS))


def rounded(scores: Mapping[str, float]) -> dict[str, float]:
    """Scores as JSON and CSV have them."""
    return {name: round(score, DIGITS) for name, score in scores.items()}


def pixels(box: Box | None) -> list[int] | None:
    """A box as JSON and CSV have it, in whole pixels."""
    return None if box is None else [round(edge) for edge in box]


@dataclass(frozen=True)
class TimelineRow:
    """One window of one person.

    ``start_s`` and ``end_s`` in seconds of the file; ``scores`` are calibrated probabilities,
    one for each label, empty where the window has neither face nor voice; ``modalities`` are
    those that were used ("face", "voice"); ``face`` and ``voice`` are the shares of the window
    that have one; ``person`` numbers the people of the file, :data:`MAIN` where no face was read;
    ``box`` is where the face was, the median over the window.
    """

    start_s: float
    end_s: float
    scores: dict[str, float]
    modalities: tuple[str, ...]
    face: float
    voice: float
    person: int = MAIN
    box: Box | None = None

    @property
    def top(self) -> str | None:
        """The label with the highest score."""
        return best(self.scores) if self.scores else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "person": None if self.person == MAIN else self.person,
            "top": self.top,
            "scores": rounded(self.scores),
            "modalities": list(self.modalities),
            "face": round(self.face, 3),
            "voice": round(self.voice, 3),
            "box": pixels(self.box),
        }

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "TimelineRow":
        """Out of :meth:`to_dict`."""
        plain = {name: row[name] for name in ("start_s", "end_s", "scores", "face", "voice")}
        return cls(
            **plain,
            modalities=tuple(row["modalities"]),
            person=MAIN if row["person"] is None else row["person"],
            box=None if row["box"] is None else tuple(row["box"]),
        )


@dataclass(frozen=True)
class Coverage:
    """Shares of the file, 0..1: that could be ``read``, with a ``face``, with a ``voice``.

    ``read`` is the length that was decoded over the length that the header gives (1 where the
    header gives none), less stretches of the picture that could not be decoded.
    """

    read: float
    face: float
    voice: float

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return {name: round(share, 3) for name, share in vars(self).items()}


def main_rows(timeline: Iterable[TimelineRow]) -> list[TimelineRow]:
    """The first row of each window: its largest steady face, or the audio alone."""
    first: dict[float, TimelineRow] = {}
    for row in timeline:
        first.setdefault(row.start_s, row)
    return list(first.values())


class Prediction:
    """What a report and each person in it have in common.

    ``scores`` are the mean of the windows' calibrated probabilities. ``thresholds``: by what an
    answer was read from ("both", "face", "voice"), the confidence from which the model was right
    often enough on people held out (its card says how often); what is absent was not measured.
    """

    scores: dict[str, float]
    timeline: tuple[TimelineRow, ...]
    coverage: Coverage
    thresholds: Mapping[str, float]

    @property
    def top(self) -> str:
        """The label with the highest score."""
        return best(self.scores)

    @property
    def confidence(self) -> float:
        """The score of :attr:`top`."""
        return self.scores[self.top]

    @property
    def streams(self) -> str:
        """What every window was read from: "both", "face" or "voice"; "mixed" where they differ."""
        used = {row.modalities for row in main_rows(self.timeline) if row.scores}
        names = {"both" if len(modalities) == 2 else modalities[0] for modalities in used}
        return names.pop() if len(names) == 1 else "mixed"

    @property
    def threshold(self) -> float | None:
        """The threshold for answers that were read as this one; ``None`` if it was not measured."""
        return self.thresholds.get(self.streams)

    @property
    def confident(self) -> bool | None:
        """Whether the confidence reaches :attr:`sure_from`; ``None`` where there is none.

        ``False``, too, where less than :data:`READ_ENOUGH` of the file could be read.
        """
        if self.coverage.read < READ_ENOUGH:
            return False
        if self.threshold is None:
            return None
        return round(self.confidence, DIGITS) >= round(self.threshold, DIGITS)

    @property
    def certainty(self) -> str:
        """The confidence as text, with the reason where it is not :attr:`confident`.

        For example "79%", "36% (below threshold)", "47% (no threshold for audio only)".
        """
        percent = f"{self.confidence:.0%}"
        if self.coverage.read < READ_ENOUGH:
            return f"{percent} (partly decoded)"
        if self.confident is False:
            return f"{percent} (below threshold)"
        if self.confident is None and self.thresholds:
            return f"{percent} (no threshold for {STREAMS[self.streams]})"
        return percent

    def trust(self) -> dict[str, Any]:
        """Plain values for JSON: what is recognised and how far to trust it."""
        threshold = self.threshold
        return {
            "top": self.top,
            "confidence": round(self.confidence, DIGITS),
            "sure": self.confident,
            "sure_from": None if threshold is None else round(threshold, DIGITS),
            "streams": self.streams,
        }
