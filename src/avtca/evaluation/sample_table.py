"""Each test sample with its label, the predicted label, and what a reader must know of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from avtca.data.dataset import EmotionDataset
from avtca.evaluation.evaluated_model import EvaluatedModel
from avtca.evaluation.predictions import Predictions
from avtca.media.media_file import PART_SLACK_S

BRIEF_FACE_S = 1.0
"""A face seen for less than this, in seconds, is marked."""
ENDS_EARLY = "the file ends"
STREAMS = {(True, True): "both", (True, False): "audio only", (False, True): "video only"}
"""Modalities of a sample, by audio and video."""


@dataclass(frozen=True)
class SampleRow:
    """One test sample.

    Attributes:
        sample_id: Its name.
        speaker: Its speaker.
        path: Its file, as the user gave it.
        start: First second of a part of the file, ``None`` for a whole file.
        end: Its last second.
        label: The given label; several are joined by "+". A value for sentiment.
        recognised: The predicted label.
        confidence: Probability of the predicted label; ``None`` for several labels a sample.
        streams: Modalities of the sample: "both", "audio only", "video only", or "".
        trained_on: Whether its speaker had a part in the training of the model.
        notes: What else a reader must know.
    """

    sample_id: str
    speaker: str
    path: str
    start: float | None
    end: float | None
    label: str
    recognised: str
    confidence: float | None
    streams: str
    trained_on: bool
    notes: tuple[str, ...]

    @property
    def agrees(self) -> bool:
        """Whether the two labels are the same."""
        return self.label == self.recognised

    @property
    def ends_early(self) -> bool:
        """Whether the file ends before the part does."""
        return any(note.startswith(ENDS_EARLY) for note in self.notes)

    @property
    def name(self) -> str:
        """The path, with the part of the file."""
        return self.path + ("" if self.start is None else f" {self.start:g}-{self.end:g} s")


def sample_rows(model: EvaluatedModel, predictions: Predictions) -> list[SampleRow]:
    """A row for each test sample, in the order of the predictions.

    Args:
        model: The model.
        predictions: Its predictions on its test data, see :meth:`EvaluatedModel.predict`.
    """
    rows: list[SampleRow] = []
    for fold in model.folds:
        data = fold.test
        sounds = _shared_audio(data)
        streams = data.modalities
        for at, sample in enumerate(data.sample_ids):
            label, recognised, confidence = _labels(predictions, len(rows))
            notes = []
            face = _value(data, "face_coverage", at)
            if face is not None and 0 < face * data.durations[at] < BRIEF_FACE_S:
                notes.append(f"face seen for {face * data.durations[at]:.1f} s")
            start, end = _value(data, "start_s", at), _value(data, "end_s", at)
            if end is not None and (end - (start or 0)) - data.durations[at] > PART_SLACK_S:
                notes.append(f"{ENDS_EARLY} {data.durations[at]:.1f} s after the start")
            if others := sounds[at]:
                notes.append(f"same audio as {', '.join(others)}")
            rows.append(
                SampleRow(
                    sample_id=sample,
                    speaker=data.speakers[at],
                    path=str(_value(data, "path", at) or _value(data, "source", at) or sample),
                    start=start,
                    end=end,
                    label=label,
                    recognised=recognised,
                    confidence=confidence,
                    streams=STREAMS.get((bool(streams[at, 0]), bool(streams[at, 1])), ""),
                    trained_on=data.speakers[at] in fold.training_speakers,
                    notes=tuple(notes),
                )
            )
    return rows


def table_columns(rows: Sequence[SampleRow]) -> dict[str, list[Any]]:
    """Columns of ``evaluation.csv`` beside the sample, its speaker and the probabilities."""
    columns: dict[str, list[Any]] = {"path": [row.path for row in rows]}
    if any(row.start is not None for row in rows):
        columns |= {"start": [row.start for row in rows], "end": [row.end for row in rows]}
    columns |= {
        name: [getattr(row, name) for row in rows]
        for name in ("label", "recognised", "confidence", "streams")
    }
    columns["confidence"] = [None if x is None else round(x, 4) for x in columns["confidence"]]
    columns["trained_on"] = [str(row.trained_on).lower() for row in rows]
    columns["notes"] = [" | ".join(row.notes) for row in rows]
    return columns


def disagreements(rows: Sequence[SampleRow]) -> list[SampleRow]:
    """The samples whose labels differ, the most confident first."""
    differing = [row for row in rows if not row.agrees]
    return sorted(differing, key=lambda row: -(row.confidence or 0))


def _labels(predictions: Predictions, at: int) -> tuple[str, str, float | None]:
    """Given and predicted label, and confidence."""
    truth, probs, names = predictions.targets[at], predictions.probs[at], predictions.labels
    if predictions.output == "linear":
        return f"{truth[0]:g}", f"{probs[0]:.3g}", None
    if predictions.binary:
        chosen = (
            "+".join(n for n, x in zip(names, v, strict=True) if x)
            for v in (truth > 0.5, probs >= 0.5)
        )
        given, found = chosen
        return given, found, None
    top = int(probs.argmax())
    return names[int(truth.argmax())], names[top], float(probs[top])


def _value(data: EmotionDataset, column: str, at: int) -> Any:
    """A cell of the metadata; ``None`` where it is missing."""
    value = data.metadata[column][at] if column in data.metadata else None
    return None if value is None or value != value else value


def _shared_audio(data: EmotionDataset) -> list[list[str]]:
    """For each sample the other speakers of parts of the same file that overlap with it."""
    places = [
        (
            _value(data, "source", at),
            _value(data, "start_s", at) or 0.0,
            _value(data, "end_s", at) or float("inf"),
        )
        for at in range(len(data))
    ]
    by_file: dict[Any, list[int]] = {}
    for at, (file, _, _) in enumerate(places):
        if file:
            by_file.setdefault(file, []).append(at)
    out = []
    for at, (file, start, end) in enumerate(places):
        others = {
            data.speakers[other]
            for other in by_file.get(file, [])
            if places[other][1] < end and start < places[other][2]
        }
        out.append(sorted(others - {data.speakers[at]}))
    return out
