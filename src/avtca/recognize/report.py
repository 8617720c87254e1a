"""What the recognizer says about one file."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avtca.recognize.prediction import (
    DIGITS,
    MAIN,
    Box,
    Coverage,
    Prediction,
    TimelineRow,
    main_rows,
    pixels,
    rounded,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["MAIN", "Coverage", "Person", "Report", "Thumbnail", "TimelineRow"]


@dataclass(frozen=True)
class Thumbnail:
    """A face as it was read: ``time_s`` of the file, ``rgb`` uint8 ``(px, px, 3)``, its box."""

    time_s: float
    person: int
    rgb: NDArray[np.uint8] = field(repr=False)
    box: Box | None = None


@dataclass(frozen=True)
class Person(Prediction):
    """One of the people of a file, where all were asked for.

    ``timeline``: this person's windows; ``coverage.face``: the share of the file with this face.
    ``seen_s``: seconds with it, between ``first_s`` and ``last_s``; ``box``: where it was at
    ``at_s``, the moment of the ``thumbnail`` (absent in reports that were read from JSON).
    Tracking ends at cuts: who comes back after one has another ``number``. Whose voice it is, is
    not known: everybody is read with whatever is heard.
    """

    number: int
    scores: dict[str, float]
    timeline: tuple[TimelineRow, ...] = field(repr=False)
    coverage: Coverage
    thresholds: Mapping[str, float]
    seen_s: float
    first_s: float
    last_s: float
    box: Box | None = None
    at_s: float | None = None
    thumbnail: Thumbnail | None = field(default=None, repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, without the timeline, which the report has."""
        return {
            "person": self.number,
            **self.trust(),
            "scores": rounded(self.scores),
            "seen_s": round(self.seen_s, 3),
            "first_s": round(self.first_s, 3),
            "last_s": round(self.last_s, 3),
            "box": pixels(self.box),
            "at_s": None if self.at_s is None else round(self.at_s, 3),
        }


@dataclass(frozen=True)
class Report(Prediction):
    """Emotions expressed in one file: overall, over time, by person, and how far to trust it.

    ``scores`` are the mean of the windows' calibrated probabilities, in each window those of the
    largest steady face, or of the voice alone; ``people`` the same for each person where all were
    asked for; ``timeline`` one row a window (and person, the largest steady face first); ``model``
    names the weights; ``thresholds`` see :class:`~avtca.recognize.prediction.Prediction`.
    """

    file: str
    duration_s: float
    labels: tuple[str, ...]
    scores: dict[str, float]
    timeline: tuple[TimelineRow, ...]
    coverage: Coverage
    warnings: tuple[str, ...]
    model: str
    people: tuple[Person, ...] = ()
    thumbnails: tuple[Thumbnail, ...] = field(default=(), repr=False, compare=False)
    thresholds: Mapping[str, float] = field(default_factory=dict)

    @property
    def persons(self) -> dict[int, dict[str, float]]:
        """The scores of each of :attr:`people`, by number."""
        return {person.number: person.scores for person in self.people}

    @property
    def main_timeline(self) -> list[TimelineRow]:
        """One row a window: those that :attr:`scores` are the mean of."""
        return main_rows(self.timeline)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Those that any window used."""
        used = {name for row in self.timeline for name in row.modalities}
        return tuple(name for name in ("face", "voice") if name in used)

    def without_pictures(self) -> "Report":
        """The same without pictures of faces, to keep many."""
        people = tuple(replace(person, thumbnail=None) for person in self.people)
        return replace(self, people=people, thumbnails=())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys as ``avtca predict --format json`` prints them.

        docs/output.md says what each field means.
        """
        out: dict[str, Any] = {
            "file": self.file,
            **self.trust(),
            "scores": rounded(self.scores),
            "timeline": [row.to_dict() for row in self.timeline],
            "coverage": self.coverage.to_dict(),
            "warnings": list(self.warnings),
            "model": self.model,
            "duration_s": round(self.duration_s, 3),
            "thresholds": {name: round(x, DIGITS) for name, x in self.thresholds.items()},
        }
        if self.people:
            out["persons"] = {str(one): rounded(scores) for one, scores in self.persons.items()}
            out["people"] = [person.to_dict() for person in self.people]
        return out

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Report":
        """Out of :meth:`to_dict`: all but the pictures of faces, numbers as rounded there.

        Raises ``KeyError`` or ``TypeError`` for what is not such a dictionary.
        """
        timeline = tuple(TimelineRow.from_dict(row) for row in plain["timeline"])
        coverage = Coverage(**plain["coverage"])
        people = []
        for one in plain.get("people", ()):
            person = Person(
                number=one["person"],
                scores=dict(one["scores"]),
                timeline=tuple(row for row in timeline if row.person == one["person"]),
                coverage=person_coverage(coverage, one["seen_s"], plain["duration_s"]),
                thresholds=dict(plain["thresholds"]),
                **{name: one[name] for name in ("seen_s", "first_s", "last_s", "at_s")},
                box=None if one["box"] is None else tuple(one["box"]),
            )
            people.append(person)
        return cls(
            **{name: plain[name] for name in ("file", "duration_s", "model")},
            labels=tuple(plain["scores"]),
            scores=dict(plain["scores"]),
            timeline=timeline,
            coverage=coverage,
            warnings=tuple(plain["warnings"]),
            people=tuple(people),
            thresholds=dict(plain["thresholds"]),
        )

    def to_csv(self, path: str | Path | None = None) -> str:
        """The timeline as CSV text, one row a window and person; written to ``path`` if given."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*CSV_HEAD, *self.labels, *CSV_BOX])
        writer.writerows(self.csv_rows())
        if path is not None:
            Path(path).write_text(text.getvalue(), encoding="utf-8")
        return text.getvalue()

    def csv_rows(self) -> list[list[str]]:
        """Cells of each row: those of :data:`CSV_HEAD`, the labels, and :data:`CSV_BOX`."""
        rows = []
        for row in self.timeline:
            plain = row.to_dict()
            cells = [self.file, plain["start_s"], plain["end_s"], plain["person"], plain["top"]]
            cells += ["+".join(row.modalities), plain["face"], plain["voice"]]
            cells += [plain["scores"].get(name) for name in self.labels]
            cells += plain["box"] or [None] * len(CSV_BOX)
            rows.append(["" if cell is None else str(cell) for cell in cells])
        return rows

    def plot(self) -> "Figure":
        """The timeline as a matplotlib figure; ``report.plot().savefig("timeline.png")``."""
        from avtca.plots.timeline import timeline_figure

        return timeline_figure(self)


def person_coverage(whole: Coverage, seen_s: float, duration_s: float) -> Coverage:
    """The file's coverage with one person's share of it as ``face``."""
    return Coverage(whole.read, min(1.0, seen_s / max(duration_s, 1e-9)), whole.voice)


CSV_HEAD = ["file", "start_s", "end_s", "person", "top", "modalities", "face", "voice"]
"""Columns before the labels in :meth:`Report.to_csv`."""
CSV_BOX = ["x0", "y0", "x1", "y1"]
"""Columns after the labels: where the face was, pixels of the upright picture, empty for none."""
