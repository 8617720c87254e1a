"""What a corpus on disk holds, before anything is decoded: one :class:`SampleSource` a sample."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.errors import CorpusError

if TYPE_CHECKING:
    from avtca.corpora.sample_file import RawSample

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv", ".m4v", ".mpg", ".mpeg", ".wmv"}
AUDIO_SUFFIXES = {".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".aiff", ".wma"}
FORMAT = 2
"""Version of the cache."""
READABLE_FORMATS = (1, FORMAT)
"""Format 1, of avtca 0.1, differs in its names alone."""
SYNTHETIC = "SYNTHETIC: drawn faces and computed voices, results say nothing about real people"
"""Said of samples whose corpus is "synthetic", in every summary, audit and report."""
SILENCE = 1e-3
"""Largest sample of an audio that holds nothing: 60 dB under full scale."""


class Series(Protocol):
    """Features over time that a corpus ships: a small frozen object that can be pickled."""

    @property
    def name(self) -> str:
        """What is read, for the record: file and key."""
        ...

    @property
    def path(self) -> Path:
        """The file behind it."""
        ...

    def load(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Seconds ``(n,)`` from the sample's start, ascending, and finite values ``(n, f)``."""
        ...


@dataclass(frozen=True)
class SampleSource:
    """Where one sample comes from.

    ``video`` and ``audio`` are media files (the same one where it holds both), cut to
    ``start_s .. end_s`` where those are given; ``video_series`` and ``audio_series`` stand in
    their place where the ClipSpec asks for features. ``fallback_audio``, ``video`` or nothing, is
    read where ``audio`` cannot be, or is silent. ``fields`` are further manifest columns.
    """

    sample_id: str
    speaker: str
    label: str
    video: Path | None = None
    audio: Path | None = None
    start_s: float | None = None
    end_s: float | None = None
    video_series: Series | None = None
    audio_series: Series | None = None
    fallback_audio: Path | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def separate_audio(self) -> Path | None:
        """The file of the audio where it is not the video's."""
        return self.audio if self.video and self.audio != self.video else None

    def files(self) -> list[Path]:
        """Every file that the sample is made from, once."""
        series = [one.path for one in (self.video_series, self.audio_series) if one]
        media = [path for path in (self.video, self.audio) if path]
        return list(dict.fromkeys([*media, *series]))


@dataclass(frozen=True)
class CorpusIndex:
    """A corpus as its reader found it.

    ``targets`` names groups of manifest columns, each in the order of ``labels``: soft labels
    ("both"), several labels at once ("multi"), intensities ("value"). ``classes`` names columns
    that hold one of a few words, and these words in order. ``skipped`` says
    ``(file, why)`` for files that were not taken; ``notes`` are lines for the summary.
    ``unusable`` says why a sample that was read is none of the corpus's ("" where it is); such a
    sample fails. It is a function of a module: worker processes get it by name.
    """

    corpus: str
    root: Path
    labels: tuple[str, ...]
    sources: tuple[SampleSource, ...]
    language: str = ""
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    unusable: "Callable[[RawSample], str] | None" = None

    def relative(self, path: Path) -> str:
        """A file's name for the manifest: from the corpus's root, with forward slashes."""
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        )


def recipe(source: SampleSource, index: CorpusIndex, spec: ClipSpec, *, lossless: bool) -> str:
    """Hash of all that a sample's file depends on, but for the bytes of its sources.

    ``OSError`` where a source file is gone.
    """
    from dataclasses import replace

    files = [(index.relative(path), path.stat().st_size) for path in source.files()]
    series = [one.name if one else "" for one in (source.video_series, source.audio_series)]
    parts = [
        FORMAT,
        replace(spec, labels=()).hash,
        lossless,
        source.start_s,
        source.end_s,
        files,
        series,
        source.video is not None,
        source.audio is not None,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def sample_path(folder: Path, sample: str) -> Path:
    """Where a sample's file stands in a cache: spread over 256 folders, safe on any file system."""
    digest = hashlib.sha256(sample.encode()).hexdigest()
    return (
        folder / "clips" / digest[:2] / f"{quote(sample, safe='')[:80]}-{digest[2:8]}.safetensors"
    )


def sha256_file(path: Path) -> str:
    """Of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_silent(wave: NDArray[np.float32]) -> bool:
    """Whether a mono waveform ``(n,)``, -1..1, holds nothing; so does one of no samples."""
    return not len(wave) or float(np.abs(wave).max()) <= SILENCE


def visible(root: Path) -> list[Path]:
    """Every file under a folder, sorted by path, hidden ones and Mac resource forks left out."""
    return sorted(
        path
        for path in root.rglob("*")
        if path.is_file()
        and not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(root).parts)
    )


def is_pointer(path: Path) -> bool:
    """Whether a file is what git-lfs leaves in place of one that was not fetched."""
    if path.stat().st_size > 1024:
        return False
    return path.read_bytes().startswith(b"version https://git-lfs")


def require_media_spec(spec: ClipSpec, action: str, *, pictures: bool, audios: bool = True) -> None:
    """Raise :class:`CorpusError` where the spec wants features that the corpus does not ship.

    ``pictures``, ``audios``: whether the corpus holds such media, which would be left out.
    """
    wanted = {
        "video": pictures and spec.video == "features",
        "audio": audios and spec.audio == "features",
    }
    for name in (name for name, missing in wanted.items() if missing):
        raise CorpusError(
            action,
            f"the ClipSpec says {name}='features', the corpus ships none",
            "use a ClipSpec of pixels and of mfcc or logmel",
        )
