"""What corpora ship beside media: face sequences, raters' votes, computational sequences."""

import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.corpora.cremad import LABELS as CREMAD_LABELS
from avtca.corpora.cremad import RATED
from avtca.corpora.mosei import AUDIO, VIDEO
from avtca.corpora.mosei import LABELS as MOSEI_LABELS
from avtca.corpora.ravdess import FRAME_RATE
from avtca.errors import CorpusError
from avtca.files import write_atomic
from avtca.labels import FER2013, MOSEI
from avtca.synthetic.layouts import Layout, SyntheticSample

EDGE_FRAMES = 25
"""Frames without a face at both ends of RAVDESS's sequences."""
UNITS = [f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)]
UNIT_COLUMNS = [f"{u}_r" for u in UNITS] + [f"{u}_c" for u in (*UNITS[:-1], "AU28", "AU45")]
CSD_SERIES = {AUDIO: (74, 100), VIDEO["facet42"]: (35, 30)}
"""File of CMU-MOSEI -> features of a step, and steps per second."""
RATERS, RIGHT = 10, 7
"""Raters of a clip of CREMA-D, and those of them who vote for the intended emotion."""


def write_tables(
    out: Path, layout: Layout, samples: Sequence[SyntheticSample], seed: int, seconds: float
) -> None:
    """Write the tables of a corpus; the same arguments give the same bytes.

    Raises:
        CorpusError: A file cannot be written.
    """
    write = _WRITERS.get(layout)
    if write is None:
        return
    try:
        write(out, samples, seed, seconds)
    except OSError as error:
        why = error.strerror or str(error)
        raise CorpusError(f"write {out}", why, "check the folder and the disk's space") from error


def _random(sample: SyntheticSample, seed: int, kind: int) -> np.random.Generator:
    return np.random.default_rng([seed, kind, *sample.sample_id.encode()])


def _sequences(out: Path, samples: Sequence[SyntheticSample], seed: int, seconds: float) -> None:
    """``face_sequences.npz`` and ``action_units_clip.csv``: noisy signs of the emotion."""
    n = round(seconds * FRAME_RATE)
    edge = min(EDGE_FRAMES, n // 4)
    frames = np.arange(edge + 1, n - edge + 1, dtype=np.int16)
    arrays: dict[str, NDArray[Any]] = {}
    rows = []
    for sample in samples:
        rng = _random(sample, seed, 0)
        likely = FER2013.index("neutral" if sample.acted == "calm" else sample.acted)
        weights = np.full(len(FER2013), 0.6)
        weights[likely] += sample.strength
        arrays[f"{sample.sample_id}/p"] = rng.dirichlet(weights, len(frames)).astype(np.float32)
        arrays[f"{sample.sample_id}/frames"] = frames
        units = rng.gamma(0.5 + (np.arange(len(UNIT_COLUMNS)) % len(FER2013) == likely), 0.4)
        units[len(UNITS) :] = units[len(UNITS) :].clip(0, 1)
        rows.append([sample.sample_id, *(f"{value:.6g}" for value in units)])
    with _replacing(out / "face_sequences.npz") as part, part.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    _csv(out / "action_units_clip.csv", ["clip", *UNIT_COLUMNS], rows)


def _cremad(out: Path, samples: Sequence[SyntheticSample], seed: int, seconds: float) -> None:
    """``VideoDemographics.csv``, and ``tabulatedVotes.csv`` with ten raters a clip."""
    people = []
    for speaker in sorted({sample.speaker for sample in samples}):
        sex = "Male" if speaker % 2 else "Female"
        people.append([1000 + speaker, 20 + 7 * speaker % 50, sex, "Synthetic", "Synthetic"])
    head = ["ActorID", "Age", "Sex", "Race", "Ethnicity"]
    _csv(out / "VideoDemographics.csv", head, people)
    rows = []
    for kind in RATED:
        for number, sample in enumerate(samples, 1):
            rng, right = _random(sample, seed, int(kind)), CREMAD_LABELS.index(sample.emotion)
            votes = np.bincount(rng.integers(0, 6, RATERS - RIGHT), minlength=6)
            votes[right] += RIGHT
            rows.append([f"{kind}{number:05d}", *votes, sample.sample_id, RATERS])
    head = ["", *"ADFHNS", "fileName", "numResponses"]
    _csv(out / "processedResults" / "tabulatedVotes.csv", head, rows)


def _mosei(out: Path, samples: Sequence[SyntheticSample], seed: int, seconds: float) -> None:
    """``CMU_MOSEI_Labels.csd``, COVAREP and FACET: segments follow each other in a video."""
    videos = [
        (name, list(segments))
        for name, segments in groupby(samples, lambda one: one.sample_id.partition("[")[0])
    ]
    spans = seconds * np.arange(1000)[:, None] + [0.0, seconds]
    with _csd(out, MOSEI_LABELS[0]) as write:
        for name, segments in videos:
            write(name, spans[: len(segments)], np.stack([_labels(one, seed) for one in segments]))
    for kind, (file, (width, rate)) in enumerate(CSD_SERIES.items()):
        with _csd(out, file) as write:
            for name, segments in videos:
                n = round(seconds * len(segments) * rate)
                starts = np.arange(n) / rate
                values = _random(segments[0], seed, 10 + kind).standard_normal((n, width))
                place = np.minimum((starts / seconds).astype(int), len(segments) - 1)
                shown = np.array([MOSEI.index(one.emotion) for one in segments])[place]
                values[np.arange(n), shown] += 2
                write(name, np.stack([starts, starts + 1 / rate], axis=1), values)


def _labels(sample: SyntheticSample, seed: int) -> NDArray[np.float32]:
    """Sentiment -3..3, and the six emotions: the acted one, and sometimes a second."""
    rng = _random(sample, seed, 20)
    out = np.zeros(7, np.float32)
    out[1 + MOSEI.index(sample.emotion)] = rng.integers(1, 4)
    if rng.random() < 0.3:
        out[1 + rng.integers(6)] = 1
    sign = {"happy": 1, "surprise": 0}.get(sample.emotion, -1)
    out[0] = np.clip(round(3 * (sign * 2 + rng.standard_normal())) / 3, -3, 3)
    return out


@contextmanager
def _csd(out: Path, name: str) -> "Iterator[Callable[[str, NDArray, NDArray], None]]":  # type: ignore[type-arg]
    """A computational sequence: writes the intervals and features of one video."""
    import h5py

    with _replacing(out / f"{name}.csd") as part, h5py.File(part, "w") as file:
        data = file.create_group(f"{name}/data")

        def write(video: str, intervals: NDArray[np.float64], values: NDArray[np.float64]) -> None:
            entry = data.create_group(video)
            entry["intervals"], entry["features"] = intervals, values.astype(np.float32)

        yield write


def _csv(path: Path, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text.getvalue())


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A path beside the file, which takes its place at the end."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


_WRITERS = {"sequences": _sequences, "cremad": _cremad, "mosei": _mosei}
