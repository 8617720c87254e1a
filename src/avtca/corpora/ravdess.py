"""RAVDESS as distributed (Livingstone and Russo 2018), and its audio-only form.

A file is named ``modality-channel-emotion-intensity-statement-repetition-actor``. The files ``01-``
(audio and video), ``02-`` (video) and ``03-`` (audio) with the same rest are one sample, whose id
begins with ``01-``.
"""

import csv
import functools
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.index import (
    AUDIO_SUFFIXES,
    VIDEO_SUFFIXES,
    CorpusIndex,
    SampleSource,
    is_synthetic,
    list_files,
    require_media_spec,
)
from avtca.errors import CorpusError
from avtca.labels import RAVDESS

NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])")
SYNTHETIC_NAME = re.compile(r"(0[123])-(0[12])-(0[1-8])-(0[12])-(0[12])-(\d\d)-(\d\d)")
"""Names of ``avtca synth``, which has more speakers and repetitions."""
FACE_SEQUENCES = "face_sequences.npz"
"""File of the audio-only form with the faces."""
FRAME_RATE = 29.97
"""Hz of ``face_sequences.npz``: frame numbers are 1-based, time = (frame - 1) / 29.97 s."""
SERIES = {"expression7": 7, "action_units35": 35, "expression7+action_units35": 42}
"""Video features of the audio-only form, and their lengths. ``expression7`` is a softmax each
frame in the order of :data:`avtca.labels.FER2013`; ``action_units35`` is the mean over the sample,
held over all of its steps; the third is both, the action units at the frames of the first."""
SPEECH_SAMPLES, SONG_SAMPLES = 1440, 1012


@dataclass(frozen=True)
class RavdessSeries:
    """The video features of one sample in the audio-only form."""

    root: Path
    sample: str
    kind: str
    duration_s: float = 0.0

    @property
    def name(self) -> str:
        """File and key."""
        return f"{self.kind}:{self.sample}"

    @property
    def path(self) -> Path:
        """The file behind it."""
        single = self.kind == "action_units35"
        return self.root / ("action_units_clip.csv" if single else FACE_SEQUENCES)

    def load(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Seconds and values; action units alone are one value at time 0 for the whole sample."""
        if self.kind == "action_units35":
            return np.zeros(1), _units(self.root)[self.sample][None]
        sequences = _sequences(self.root)
        times = (sequences[f"{self.sample}/frames"].astype(np.float64) - 1) / FRAME_RATE
        values = sequences[f"{self.sample}/p"].astype(np.float32)
        if self.kind != "expression7":
            units = np.broadcast_to(_units(self.root)[self.sample], (len(values), 35))
            values = np.concatenate([values, units], axis=1)
        return times, values


@functools.cache
def _sequences(root: Path) -> Any:
    return np.load(root / FACE_SEQUENCES)


@functools.cache
def _units(root: Path) -> dict[str, NDArray[np.float32]]:
    with (root / "action_units_clip.csv").open(newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return {row[0]: np.array(row[1:], np.float32) for row in rows}


def index_ravdess(root: Path, spec: ClipSpec) -> CorpusIndex:
    """Every sample below a folder.

    The audio of a sample is its ``03-`` file, or that of ``01-`` if there is none. Clips of ``avtca
    synth`` are indexed as the corpus "synthetic", so that all results are labelled so.

    Raises:
        CorpusError: The folder is missing, has no RAVDESS file, or lacks the video features of the
            spec.
    """
    action = f"prepare RAVDESS from {root}"
    files = _media(root, action)
    require_media_spec(spec, action, video=False)
    synthetic = is_synthetic(root)
    names = SYNTHETIC_NAME if synthetic else NAME
    samples: dict[str, dict[str, Path]] = defaultdict(dict)
    skipped: list[tuple[str, str]] = []
    for path in files:
        match = names.fullmatch(path.stem)
        name = path.relative_to(root).as_posix()
        if not match:
            skipped.append((name, "not a RAVDESS name"))
        elif match[1] in samples["01" + path.stem[2:]]:
            skipped.append((name, "the same file is there twice"))
        else:
            samples["01" + path.stem[2:]][match[1]] = path
    sources = []
    for sample, parts in sorted(samples.items()):
        if not parts:
            continue
        video = parts.get("01") or parts.get("02")
        sources.append(_source(sample, video, parts.get("03") or parts.get("01"), root, spec))
    if not sources:
        raise CorpusError(
            action,
            f"none of its {len(files)} media files has a RAVDESS name",
            "give the folder with Actor_01 .. Actor_24, or with audio/*.flac",
        )
    return CorpusIndex(
        corpus="ravdess",
        root=root,
        labels=RAVDESS,
        sources=tuple(sources),
        language="en",
        skipped=tuple(skipped),
        notes=tuple(_notes(sources, root, spec)),
    )


def _media(root: Path, action: str) -> list[Path]:
    if not root.is_dir():
        raise CorpusError(action, "no such folder", "give the folder with the unpacked files")
    files = list_files(root)
    media = [p for p in files if p.suffix.lower() in VIDEO_SUFFIXES | AUDIO_SUFFIXES]
    if not media:
        packed = [p.name for p in files if p.suffix.lower() == ".zip"]
        found = f"only packed files ({packed[0]} ...)" if packed else "no media file"
        raise CorpusError(action, found, "unpack the downloads into the folder first")
    return media


def _source(
    sample: str, video: Path | None, audio: Path | None, root: Path, spec: ClipSpec
) -> SampleSource:
    _, channel, emotion, intensity, statement, repetition, actor = sample.split("-")
    series = None
    if spec.video == "features":
        series = _series(sample, root, spec)
        video = None
    units = _units(root).get(sample) if (root / "action_units_clip.csv").is_file() else None
    names = _unit_names(root) if units is not None else []
    return SampleSource(
        sample_id=sample,
        speaker=actor,
        label=RAVDESS[int(emotion) - 1],
        video=video,
        audio=audio,
        video_series=series,
        fields={
            "sex": "male" if int(actor) % 2 else "female",
            "intensity": "strong" if intensity == "02" else "normal",
            "channel": "song" if channel == "02" else "speech",
            "statement": statement,
            "repetition": repetition,
            **(dict(zip(names, units.tolist(), strict=True)) if units is not None else {}),
        },
    )


@functools.cache
def _unit_names(root: Path) -> list[str]:
    with (root / "action_units_clip.csv").open(newline="") as file:
        return next(csv.reader(file))[1:]


def _series(sample: str, root: Path, spec: ClipSpec) -> RavdessSeries | None:
    action = f"read the video features {spec.video_features!r} of RAVDESS"
    if spec.video_features not in SERIES:
        raise CorpusError(
            action, "RAVDESS has no features of that name", f"choose {', '.join(SERIES)}"
        )
    if spec.video_dim != SERIES[spec.video_features]:
        raise CorpusError(
            action,
            f"they have {SERIES[spec.video_features]} values, the ClipSpec has {spec.video_dim}",
            f"set video_dim to {SERIES[spec.video_features]}",
        )
    series = RavdessSeries(root, sample, spec.video_features)
    for path in {
        series.path,
        *([root / "action_units_clip.csv"] if "units" in series.kind else []),
    }:
        if not path.is_file():
            raise CorpusError(action, f"{path} is missing", "put it there, or use video='pixels'")
    if series.kind != "action_units35" and f"{sample}/p" not in _sequences(root):
        return None
    if "units" in series.kind and sample not in _units(root):
        return None
    return series


def _notes(sources: list[SampleSource], root: Path, spec: ClipSpec) -> list[str]:
    notes = []
    for channel, whole in (("speech", SPEECH_SAMPLES), ("song", SONG_SAMPLES)):
        here = [s for s in sources if s.fields["channel"] == channel]
        if here and len(here) < whole:
            actors = {s.speaker for s in here}
            absent = [f"{a:02d}" for a in range(1, 25) if f"{a:02d}" not in actors]
            if channel == "song" and absent == ["18"]:
                absent = []
            missing = f"; no file of actors {', '.join(absent)}" if absent else ""
            notes.append(f"{len(here)} of {whole} {channel} samples are in {root.name}{missing}")
    silent = sum(source.audio is None for source in sources)
    if silent:
        notes.append(f"{silent} samples have video only (02-), no audio")
    blind = sum(not (source.video or source.video_series) for source in sources)
    if blind and spec.video == "pixels":
        shipped = (root / FACE_SEQUENCES).is_file()
        hint = "; its face sequences need a ClipSpec with video='features'" if shipped else ""
        notes.append(f"{blind} samples have audio only (03-), no face{hint}")
    elif blind:
        notes.append(f"{blind} samples have no {spec.video_features}, so no face")
    return notes
