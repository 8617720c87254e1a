"""The result of recognition: scores of a clip, over time and by person."""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avtca.errors import MissingExtra
from avtca.files import write_atomic
from avtca.recognize.attention import WindowAttention
from avtca.recognize.prediction import (
    DIGITS,
    INPUTS,
    NO_PERSON,
    Box,
    Coverage,
    Prediction,
    TimelineRow,
    main_rows,
    rounded,
    rounded_box,
)
from avtca.speaker import Turn
from avtca.text import csv_cell, label_columns, printable

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

    from avtca.recognize.exports import Segment

__all__ = ["NO_PERSON", "Coverage", "Person", "Report", "Thumbnail", "TimelineRow"]

MAX_LISTED = 5
"""People listed by ``str(report)``, those seen longest."""


@dataclass(frozen=True)
class Thumbnail:
    """A face crop.

    Attributes:
        time_s: Timestamp in seconds of the clip.
        person: Person number.
        rgb: uint8 ``(px, px, 3)``.
        box: Where the face was in the frame.
    """

    time_s: float
    person: int
    rgb: NDArray[np.uint8] = field(repr=False)
    box: Box | None = None


@dataclass(frozen=True)
class Person(Prediction):
    """One person of a clip that was recognised with ``person="all"``.

    A person who returns after a cut has the same number if they surely look the same. A person who
    does not speak in a window is recognised from the face alone.

    Attributes:
        number: Person number.
        scores: Mean over the person's windows of the calibrated probability of each label.
        timeline: The person's windows.
        coverage: As for the clip; ``face`` is the share of the clip with this face.
        thresholds: As for the clip.
        seen_s: Seconds with this face.
        first_s: First second with this face.
        last_s: Last second with this face.
        box: Where the face was at ``at_s``.
        at_s: Timestamp of the thumbnail in seconds.
        doubts: Reasons for which the prediction is never confident, see :class:`Prediction`.
        thumbnail: The face; absent in reports that were read from JSON.
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
    doubts: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values, without the timeline, which the report has."""
        return {
            "person": self.number,
            **self.confidence_fields(),
            "scores": rounded(self.scores),
            "seen_s": round(self.seen_s, 3),
            "first_s": round(self.first_s, 3),
            "last_s": round(self.last_s, 3),
            "box": rounded_box(self.box),
            "at_s": None if self.at_s is None else round(self.at_s, 3),
        }


@dataclass(frozen=True, repr=False)
class Report(Prediction):
    """Emotions expressed in one clip: overall, over time, by person, and how far to trust them.

    Attributes:
        file: Path or name of the clip, with control characters and bytes that are not UTF-8
            escaped; "arrays" for arrays.
        duration_s: Decoded length in seconds.
        labels: The labels in the order of the network.
        scores: Mean over the windows of the calibrated probability of each label; in each window
            that of the largest steady face, or of the audio alone.
        timeline: A row for each window and person, the largest steady face first.
        coverage: How much of the clip was decoded and used.
        warnings: What is unusual about the clip, one sentence each.
        model: Name of the network, with the start of its hash.
        people: Each person, with ``person="all"``; otherwise empty.
        thumbnails: A few faces over time; absent in reports that were read from JSON.
        thresholds: Confidence threshold by input, see :class:`Prediction`.
        doubts: Reasons for which the prediction is never confident, see :class:`Prediction`.
        part: First and last second of the part of a file that was recognised, ``None`` for a whole
            file. The times above count from the start of the part.
        attention: Attention maps of each window with a face and a voice, where they were asked
            for; absent in reports that were read from JSON.
        speech: The turns of speech: who speaks when.

    Example:
        >>> report = avtca.load().predict("clip.mp4")  # doctest: +SKIP
        >>> print(report)  # doctest: +SKIP
        clip.mp4: happy 28% (below threshold), 2.6 s
          scores: happy 28%, sad 19%, neutral 19%, fear 12%, angry 11%, disgust 9%, surprise 2%
          input: face and voice; face 95%, voice 42% of the clip
        >>> report.top, report.confident  # doctest: +SKIP
        ('happy', False)
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
    thumbnails: tuple[Thumbnail, ...] = field(default=(), compare=False)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()
    part: tuple[float, float | None] | None = None
    attention: tuple[WindowAttention, ...] = field(default=(), compare=False)
    speech: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "file", printable(self.file))
        object.__setattr__(self, "model", printable(self.model))
        object.__setattr__(self, "warnings", tuple(map(printable, self.warnings)))

    def __repr__(self) -> str:
        return (
            f"<Report {self.file!r}: {self.top} {self.certainty}, {self.duration_s:.1f} s, "
            f"{len(self.main_timeline)} windows, {len(self.people)} people>"
        )

    def __str__(self) -> str:
        """A summary of a few lines."""
        ranked = sorted(self.labels, key=lambda name: -self.scores[name])
        coverage = self.coverage
        lines = [
            f"{self.file}: {self.top} {self.certainty}, {self.duration_s:.1f} s",
            "scores: " + ", ".join(f"{name} {self.scores[name]:.0%}" for name in ranked),
            f"input: {INPUTS[self.streams]}; face {coverage.face:.0%}, "
            f"voice {coverage.voice:.0%} of the clip",
        ]
        for person in sorted(self.people, key=lambda person: -person.seen_s)[:MAX_LISTED]:
            seen = f"seen {person.seen_s:.1f} s"
            lines.append(f"person {person.number}: {person.top} {person.certainty}, {seen}")
        if len(self.people) > MAX_LISTED:
            lines.append(f"{len(self.people) - MAX_LISTED} more people")
        lines += [f"warning: {warning}" for warning in self.warnings]
        return "\n  ".join(lines)

    def _repr_html_(self) -> str:
        """The report as a card with the timeline, in notebooks."""
        from avtca.plots.html import card_html

        return card_html(self)

    @property
    def persons(self) -> dict[int, dict[str, float]]:
        """The scores of each of :attr:`people`, by number."""
        return {person.number: person.scores for person in self.people}

    @property
    def main_timeline(self) -> list[TimelineRow]:
        """One row for each window: those that :attr:`scores` are the mean of."""
        return main_rows(self.timeline)

    @property
    def read_person(self) -> tuple[int | None, float | None]:
        """The person of most windows that :attr:`scores` are the mean of, and its ``speaking``.

        The person is ``None`` where most were recognised from the audio alone. ``speaking`` is the
        mean over the person's windows, ``None`` where it is undecided in half of them.
        """
        rows = [row for row in self.main_timeline if row.scores]
        lengths: dict[int, float] = defaultdict(float)
        for row in rows:
            lengths[row.person] += row.end_s - row.start_s
        person = max(lengths, key=lambda number: lengths[number], default=NO_PERSON)
        if person == NO_PERSON:
            return None, None
        shares = [row.speaking for row in rows if row.person == person]
        decided = [share for share in shares if share is not None]
        if 2 * len(decided) <= len(shares):
            return person, None
        return person, float(np.mean(decided))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modalities that any window used, of "face" and "voice"."""
        used = {name for row in self.timeline for name in row.modalities}
        return tuple(name for name in ("face", "voice") if name in used)

    def without_images(self) -> "Report":
        """A copy without thumbnails and attention maps, to keep many in memory."""
        people = tuple(replace(person, thumbnail=None) for person in self.people)
        return replace(self, people=people, thumbnails=(), attention=())

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values, as printed by ``avtca predict --format json``.

        Returns:
            A dictionary whose fields docs/output.md describes.
        """
        out: dict[str, Any] = {
            "file": self.file,
            **self.confidence_fields(),
            "scores": rounded(self.scores),
            "timeline": [row.to_dict() for row in self.timeline],
            "coverage": self.coverage.to_dict(),
            "warnings": list(self.warnings),
            "model": self.model,
            "duration_s": round(self.duration_s, 3),
            "thresholds": {name: round(x, DIGITS) for name, x in self.thresholds.items()},
        }
        out["speech"] = [turn.to_dict() for turn in self.speech]
        if self.part is not None:
            out["part"] = list(self.part)
        if self.people:
            out["persons"] = {str(one): rounded(scores) for one, scores in self.persons.items()}
            out["people"] = [person.to_dict() for person in self.people]
        return out

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Report":
        """The inverse of :meth:`to_dict`, without thumbnails and with rounded numbers.

        Raises:
            KeyError, TypeError: ``plain`` is not such a dictionary.
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
                doubts=tuple(one.get("doubts", ())),
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
            doubts=tuple(plain.get("doubts", ())),
            part=tuple(plain["part"]) if "part" in plain else None,
            speech=tuple(Turn(**turn) for turn in plain.get("speech", ())),
        )

    def to_csv(self, path: str | Path | None = None) -> str:
        """The timeline as CSV, one row for each window and person.

        Args:
            path: File to write; by default none.

        Returns:
            The CSV text.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.window_columns())
        writer.writerows([csv_cell(cell) for cell in row] for row in self.window_rows())
        if path is not None:
            Path(path).write_text(text.getvalue(), encoding="utf-8")
        return text.getvalue()

    def to_dataframe(self) -> "DataFrame":
        """The timeline as a pandas data frame, with the rows and columns of :meth:`to_csv`.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise MissingExtra(
                "make a data frame", "pandas is not installed", "pip install pandas"
            ) from error
        frame = DataFrame(self.window_rows(), columns=self.window_columns())
        return frame.astype({"speaking": "float64"})  # NaN where all are undecided

    def window_columns(self) -> list[str]:
        """Names of the cells of :meth:`window_rows`."""
        columns = label_columns(self.labels, [*CSV_HEAD, *CSV_BOX, SPEAKING])
        return [*CSV_HEAD, *columns.values(), *CSV_BOX, SPEAKING]

    def window_rows(self) -> list[list[Any]]:
        """The rows of :meth:`to_csv` as values; ``None`` for empty cells."""
        rows = []
        for row in self.timeline:
            plain = row.to_dict()
            cells = [self.file, plain["start_s"], plain["end_s"], plain["person"], plain["top"]]
            cells += ["+".join(row.modalities), plain["face"], plain["voice"]]
            cells += [plain["scores"].get(name) for name in self.labels]
            box = plain["box"] or [None] * len(CSV_BOX)
            rows.append([*cells, *box, plain["speaking"]])
        return rows

    def to_segments(self) -> "list[Segment]":
        """Segments of one label for each person, without overlap, in place of windows.

        docs/output.md describes the rule. All exports below consist of these segments.
        """
        from avtca.recognize.exports import make_segments

        return make_segments(self)

    def to_eaf(self, path: str | Path | None = None) -> str:
        """The segments as an ELAN file; arguments as for :meth:`to_csv`."""
        return self._export("eaf", path)

    def to_textgrid(self, path: str | Path | None = None) -> str:
        """The segments as a Praat TextGrid; arguments as for :meth:`to_csv`."""
        return self._export("textgrid", path)

    def to_vtt(self, path: str | Path | None = None) -> str:
        """The segments as WebVTT subtitles; arguments as for :meth:`to_csv`."""
        return self._export("vtt", path)

    def to_srt(self, path: str | Path | None = None) -> str:
        """The segments as SubRip subtitles; arguments as for :meth:`to_csv`."""
        return self._export("srt", path)

    def to_rttm(self, path: str | Path | None = None) -> str:
        """The segments as RTTM lines; arguments as for :meth:`to_csv`."""
        return self._export("rttm", path)

    def to_turns(self, path: str | Path | None = None) -> str:
        """The turns of speech as RTTM lines; arguments as for :meth:`to_csv`."""
        return self._export("turns", path)

    def to_tsv(self, path: str | Path | None = None) -> str:
        """The segments as tab-separated values; arguments as for :meth:`to_csv`."""
        return self._export("tsv", path)

    def _export(self, name: str, path: str | Path | None) -> str:
        from avtca.recognize.exports import EXPORTS

        folder = Path() if path is None else Path(path).parent
        text = str(EXPORTS[name].content(self, folder=folder))
        if path is not None:
            write_atomic(Path(path), text)
        return text

    def plot(self, width_in: float | None = None) -> "Figure":
        """The timeline as a matplotlib figure.

        Args:
            width_in: Width in inches; narrow figures are laid out for a column of a paper.

        Example:
            >>> report.plot(width_in=3.5).savefig("timeline.svg")  # doctest: +SKIP
        """
        from avtca.plots.timeline import WIDTH_IN, timeline_figure

        return timeline_figure(self, width_in=WIDTH_IN if width_in is None else width_in)


def person_coverage(whole: Coverage, seen_s: float, duration_s: float) -> Coverage:
    """The clip's coverage with one person's share of it as ``face``."""
    return Coverage(whole.read, min(1.0, seen_s / max(duration_s, 1e-9)), whole.voice)


CSV_HEAD = ["file", "start_s", "end_s", "person", "top", "modalities", "face", "voice"]
"""Columns before the labels in :meth:`Report.to_csv`."""
CSV_BOX = ["x0", "y0", "x1", "y1"]
"""Columns after the labels: the face box in pixels of the upright frame, empty without a face."""
SPEAKING = "speaking"
"""Last column: share of the window in which the person speaks, empty where it is undecided."""
