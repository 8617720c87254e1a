"""What the recognizer says about one file."""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAIN = -1
"""Person number of rows that were read from the sound alone."""


@dataclass(frozen=True)
class TimelineRow:
    """One window of one person.

    ``start_s`` and ``end_s`` in seconds of the file; ``scores`` are calibrated probabilities,
    one for each label, empty where the window has neither face nor voice; ``modalities`` are
    those that were used ("face", "voice"); ``face`` and ``voice`` are the shares of the window
    that have one; ``person`` numbers the people of the file, :data:`MAIN` where no face was read.
    """

    start_s: float
    end_s: float
    scores: dict[str, float]
    modalities: tuple[str, ...]
    face: float
    voice: float
    person: int = MAIN

    @property
    def top(self) -> str | None:
        """The label with the highest score."""
        return max(self.scores, key=self.scores.__getitem__) if self.scores else None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "person": None if self.person == MAIN else self.person,
            "top": self.top,
            "scores": {name: round(score, 4) for name, score in self.scores.items()},
            "modalities": list(self.modalities),
            "face": round(self.face, 3),
            "voice": round(self.voice, 3),
        }


@dataclass(frozen=True)
class Coverage:
    """Shares of the file, 0..1: ``read`` by the windows, with a ``face``, with a ``voice``."""

    read: float
    face: float
    voice: float

    def to_dict(self) -> dict[str, float]:
        """Plain values for JSON."""
        return {name: round(share, 3) for name, share in vars(self).items()}


@dataclass(frozen=True)
class Thumbnail:
    """A face as it was read: ``time_s`` of the file, ``rgb`` uint8 ``(px, px, 3)``."""

    time_s: float
    person: int
    rgb: NDArray[np.uint8] = field(repr=False)


@dataclass(frozen=True)
class Report:
    """Emotions expressed in one file: overall, over time, by person, and how far to trust it.

    ``scores`` are the mean of the windows' calibrated probabilities for the person read (the
    largest steady face, or the voice alone); ``persons`` the same for each person where all were
    asked for; ``timeline`` one row a window (and person); ``model`` names the weights.
    """

    file: str
    duration_s: float
    labels: tuple[str, ...]
    scores: dict[str, float]
    timeline: tuple[TimelineRow, ...]
    coverage: Coverage
    warnings: tuple[str, ...]
    model: str
    persons: dict[int, dict[str, float]] = field(default_factory=dict)
    thumbnails: tuple[Thumbnail, ...] = field(default=(), repr=False)
    sure_from: float | None = None
    """Confidence from which the model was right often enough on people held out (its card says
    how often); ``None`` where that was not measured."""

    @property
    def top(self) -> str:
        """The label with the highest score."""
        return max(self.scores, key=self.scores.__getitem__)

    @property
    def confidence(self) -> float:
        """The score of :attr:`top`."""
        return self.scores[self.top]

    @property
    def sure(self) -> bool | None:
        """Whether the confidence reaches :attr:`sure_from`; ``None`` where there is none."""
        return None if self.sure_from is None else self.confidence >= self.sure_from

    @property
    def certainty(self) -> str:
        """The confidence in words: "79%", or "36%, not sure"."""
        return f"{self.confidence:.0%}" + (", not sure" if self.sure is False else "")

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that any window used."""
        used = {name for row in self.timeline for name in row.modalities}
        return tuple(name for name in ("face", "voice") if name in used)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys as ``avtca predict --format json`` prints them."""
        out: dict[str, Any] = {
            "file": self.file,
            "top": self.top,
            "sure": self.sure,
            "scores": {name: round(score, 4) for name, score in self.scores.items()},
            "timeline": [row.to_dict() for row in self.timeline],
            "coverage": self.coverage.to_dict(),
            "warnings": list(self.warnings),
            "model": self.model,
            "duration_s": round(self.duration_s, 3),
        }
        if self.persons:
            out["persons"] = {
                str(person): {name: round(score, 4) for name, score in scores.items()}
                for person, scores in self.persons.items()
            }
        return out

    def to_csv(self, path: str | Path | None = None) -> str:
        """The timeline as CSV text, one row a window; written to ``path`` too where given."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_HEAD + list(self.labels))
        writer.writerows(self.csv_rows())
        if path is not None:
            Path(path).write_text(text.getvalue(), encoding="utf-8")
        return text.getvalue()

    def csv_rows(self) -> list[list[str]]:
        """Cells of each window, in the order of :data:`CSV_HEAD` and the labels."""
        rows = []
        for row in self.timeline:
            plain = row.to_dict()
            cells = [self.file, plain["start_s"], plain["end_s"], plain["person"], plain["top"]]
            cells += ["+".join(row.modalities), plain["face"], plain["voice"]]
            cells += [plain["scores"].get(name) for name in self.labels]
            rows.append(["" if cell is None else str(cell) for cell in cells])
        return rows

    def plot(self) -> "Figure":
        """The timeline as a matplotlib figure; ``report.plot().savefig("timeline.png")``."""
        from avtca.plots.timeline import timeline_figure

        return timeline_figure(self)


CSV_HEAD = ["file", "start_s", "end_s", "person", "top", "modalities", "face", "voice"]
"""Columns before the labels in :meth:`Report.to_csv`."""
