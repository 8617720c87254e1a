"""CMU-MOSEI (Zadeh et al. 2018): the SDK's computational sequences, and its raw videos.

A sample is one labelled segment, named ``video[k]`` as in the SDK. The corpus names no speakers, so
``speaker`` is the video. Several emotions may be present, each from 0 to 3; sentiment is -3..3.
"""

import functools
from collections.abc import Iterator
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
    list_files,
)
from avtca.corpora.splits import SUBSETS, load_folds
from avtca.errors import CorpusError
from avtca.labels import MOSEI, SENTIMENT, SENTIMENT7

VIDEO = {"facet42": "CMU_MOSEI_VisualFacet42", "openface2": "CMU_MOSEI_VisualOpenFace2"}
"""File names of the video sequences, by ``ClipSpec.video_features``."""
AUDIO = "CMU_MOSEI_COVAREP"
LABELS = ("CMU_MOSEI_Labels", "CMU_MOSEI_All_Labels", "All Labels", "All_Labels")
FAR = 1e30
"""Larger values are overflows of the feature extractor and count as infinite."""


@dataclass(frozen=True)
class CsdSeries:
    """Rows of one video in a ``.csd`` file whose middle lies in ``start_s .. end_s``.

    Values that are not finite (COVAREP has -inf and NaN where nothing is voiced) become 0; rows
    of which no value is finite are dropped, and with ``drop_zeros`` rows of zeros, by which the
    video sequences say that no face was found.
    """

    path: Path
    video: str
    start_s: float
    end_s: float
    drop_zeros: bool

    @property
    def name(self) -> str:
        """File and key."""
        return f"{self.path.name}:{self.video}:{self.start_s:.6f}-{self.end_s:.6f}"

    def load(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Seconds from ``start_s`` and values, in the order of time."""
        times, values = _sequence(self.path, self.video)
        order = np.argsort(times, kind="stable")
        order = order[(times[order] >= self.start_s) & (times[order] < self.end_s)]
        times, values = times[order], values[order].astype(np.float64)
        real = np.isfinite(values) & (np.abs(values) < FAR)
        values = np.where(real, values, 0.0)
        keep = real.any(axis=1)
        if self.drop_zeros:
            keep &= np.any(values != 0, axis=1)
        return times[keep] - self.start_s, values[keep].astype(np.float32)


@functools.lru_cache(maxsize=4)
def _open(path: Path, action: str) -> Any:
    """The ``data`` group of a computational sequence, whatever its root is called."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise CorpusError(
            action, f"{path.name} is not HDF5 ({error})", "download it again"
        ) from error
    roots = [name for name in file if "data" in file[name]]
    if len(roots) != 1:
        raise CorpusError(action, f"{path.name} is no computational sequence", "download it again")
    return file[roots[0]]["data"]


@functools.lru_cache(maxsize=8)
def _sequence(path: Path, video: str) -> tuple[NDArray[np.float64], NDArray[Any]]:
    """Middle of each interval in seconds, and the rows; the shorter of the two counts."""
    entry = _open(path, f"read {path.name}")[video]
    intervals = np.asarray(entry["intervals"], np.float64).reshape(-1, 2)
    values = np.asarray(entry["features"])
    values = values.reshape(len(values), -1)
    n = min(len(intervals), len(values))
    return intervals[:n].mean(axis=1), values[:n]


def index_mosei(root: Path, spec: ClipSpec) -> CorpusIndex:
    """Labelled segments of a folder with ``CMU_MOSEI_Labels.csd`` somewhere in it.

    What the ClipSpec calls features is read from ``.csd`` files, the rest from the whole videos
    (``Raw/Videos/Full/Combined/<video>.mp4``), cut by the segments' times. A segment without one
    modality keeps the other. Raises :class:`CorpusError` where labels or all media are missing.
    """
    action = f"prepare CMU-MOSEI from {root}"
    if not root.is_dir():
        raise CorpusError(action, "no such folder", "give the folder with CMU_MOSEI_Labels.csd")
    files = list_files(root)
    csd = {path.stem: path for path in files if path.suffix.lower() == ".csd"}
    labels = next((csd[name] for name in LABELS if name in csd), None)
    if labels is None:
        found = f"only {', '.join(sorted(csd))}" if csd else "no .csd file"
        raise CorpusError(action, f"{found}, no labels", f"put {LABELS[0]}.csd there")
    facet = _needed(csd, VIDEO, spec, action) if spec.video == "features" else None
    audio = _csd(csd, AUDIO, action) if spec.audio == "features" else None
    whole = _whole_videos(files)
    subset_of = _official_subsets()
    sources: list[SampleSource] = []
    skipped: list[tuple[str, str]] = []
    for sample, video, start, end, values in _segments(labels, action):
        if not (np.isfinite([start, end]).all() and 0 <= start < end):
            skipped.append((sample, "its interval is invalid"))
            continue
        if values.shape != (7,) or not np.isfinite(values).all():
            skipped.append((sample, "its labels are not seven numbers"))
            continue
        origin = np.floor(start * spec.video_rate + 1e-6) / spec.video_rate
        series: dict[str, Any] = {}
        for key, path in (("video_series", facet), ("audio_series", audio)):
            if path and video in _open(path, action):
                drop_zeros = key == "video_series"
                series[key] = CsdSeries(path, video, float(origin), float(end), drop_zeros)
        media = whole.get(video) if spec.video == "pixels" or spec.audio != "features" else None
        has_video = media and spec.video == "pixels" and media.suffix in VIDEO_SUFFIXES
        video_file = media if has_video else None
        audio_file = media if spec.audio != "features" else None
        if not (series or video_file or audio_file):
            skipped.append((sample, "neither media nor features of its video"))
            continue
        sources.append(
            SampleSource(
                sample_id=sample,
                speaker=video,
                label=MOSEI[int(values[1:].argmax())] if values[1:].max() > 0 else "",
                video=video_file,
                audio=audio_file,
                start_s=float(start),
                end_s=float(end),
                fields={**_fields(values), "split": subset_of.get(video)},
                **series,
            )
        )
    if not sources:
        raise CorpusError(action, "no segment has media or features", "see the files in the guide")
    unassigned = sum(source.fields["split"] is None for source in sources)
    notes = [f"{unassigned} segments are in no official fold"] if unassigned else []
    return CorpusIndex(
        corpus="mosei",
        root=root,
        labels=MOSEI,
        sources=tuple(sources),
        language="en",
        targets={
            "multi": tuple(f"multi_{label}" for label in MOSEI),
            "value": tuple(f"value_{label}" for label in MOSEI),
            SENTIMENT: (SENTIMENT,),
        },
        classes={
            "sentiment2": ("negative", "positive"),
            "sentiment2_with_zero": ("negative", "nonnegative"),
            "sentiment7": SENTIMENT7,
        },
        skipped=tuple(skipped),
        notes=tuple(notes),
    )


def _csd(csd: dict[str, Path], name: str, action: str) -> Path:
    if name not in csd:
        raise CorpusError(action, f"{name}.csd is missing", "put it there, or use raw videos")
    return csd[name]


def _needed(csd: dict[str, Path], names: dict[str, str], spec: ClipSpec, action: str) -> Path:
    if spec.video_features not in names:
        raise CorpusError(
            action, f"no video features {spec.video_features!r}", f"choose {', '.join(names)}"
        )
    return _csd(csd, names[spec.video_features], action)


def _whole_videos(files: list[Path]) -> dict[str, Path]:
    """Whole recordings by name, video files first; segmented copies are left out."""
    out: dict[str, Path] = {}
    for path in files:
        suffix = path.suffix.lower()
        if "Segmented" in path.parts or suffix not in VIDEO_SUFFIXES | AUDIO_SUFFIXES:
            continue
        if path.stem not in out or suffix in VIDEO_SUFFIXES:
            out[path.stem] = path
    return out


def _official_subsets() -> dict[str, str]:
    fold = load_folds("mosei_official").folds[0]
    return {name: subset for subset, part in zip(SUBSETS, fold, strict=True) for name in part}


def _segments(
    path: Path, action: str
) -> Iterator[tuple[str, str, float, float, NDArray[np.float64]]]:
    data = _open(path, action)
    for video in sorted(data):
        intervals = np.asarray(data[video]["intervals"], np.float64).reshape(-1, 2)
        values = np.asarray(data[video]["features"], np.float64)
        for k in range(min(len(intervals), len(values))):
            yield f"{video}[{k}]", str(video), *intervals[k].tolist(), values[k]


def _fields(values: NDArray[np.float64]) -> dict[str, Any]:
    """Sentiment and emotions; the published metrics use both two-class forms and rounding to 7."""
    sentiment = float(values[0])
    return {
        "sentiment": sentiment,
        "sentiment2": "" if sentiment == 0 else "positive" if sentiment > 0 else "negative",
        "sentiment2_with_zero": "negative" if sentiment < 0 else "nonnegative",
        "sentiment7": str(int(np.clip(np.round(sentiment), -3, 3))),
        **{f"value_{label}": float(v) for label, v in zip(MOSEI, values[1:], strict=True)},
        **{f"multi_{label}": int(v > 0) for label, v in zip(MOSEI, values[1:], strict=True)},
    }
