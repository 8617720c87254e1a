"""What a corpus on disk holds, before anything is decoded: one :class:`TakeSource` a take."""

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
    from avtca.corpora.sample_file import RawTake

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv", ".m4v", ".mpg", ".mpeg", ".wmv"}
SOUND_SUFFIXES = {".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".aiff", ".wma"}
FORMAT = 1
"""Version of the cache."""
SYNTHETIC = "SYNTHETIC: drawn faces and computed voices; figures say nothing about people"
"""Said of takes whose corpus is "synthetic", in every summary, audit and report."""
SILENCE = 1e-3
"""Largest sample of a sound that holds nothing: 60 dB under full scale."""


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
        """Seconds ``(n,)`` from the take's start, ascending, and finite values ``(n, f)``."""
        ...


@dataclass(frozen=True)
class TakeSource:
    """Where one take comes from.

    ``picture`` and ``sound`` are media files (the same one where it holds both), cut to
    ``start_s .. end_s`` where those are given; ``visual_series`` and ``sound_series`` stand in
    their place where the ClipSpec asks for features. ``spare_sound``, ``picture`` or nothing, is
    read where ``sound`` cannot be, or is silent. ``fields`` are further manifest columns.
    """

    take: str
    speaker: str
    label: str
    picture: Path | None = None
    sound: Path | None = None
    start_s: float | None = None
    end_s: float | None = None
    visual_series: Series | None = None
    sound_series: Series | None = None
    spare_sound: Path | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def apart(self) -> Path | None:
        """The file of the sound where it is not the picture's."""
        return self.sound if self.picture and self.sound != self.picture else None

    def files(self) -> list[Path]:
        """Every file that the take is made from, once."""
        series = [one.path for one in (self.visual_series, self.sound_series) if one]
        media = [path for path in (self.picture, self.sound) if path]
        return list(dict.fromkeys([*media, *series]))


@dataclass(frozen=True)
class Layout:
    """A corpus as its reader found it.

    ``targets`` names groups of manifest columns, each in the order of ``labels``: soft labels
    ("both"), several labels at once ("multi"), intensities ("value"). ``classes`` names columns
    that hold one of a few words, and these words in order. ``skipped`` says
    ``(file, why)`` for files that were not taken; ``notes`` are lines for the summary.
    ``unusable`` says why a take that was read is none of the corpus's ("" where it is); such a
    take fails. It is a function of a module: worker processes get it by name.
    """

    corpus: str
    root: Path
    labels: tuple[str, ...]
    sources: tuple[TakeSource, ...]
    language: str = ""
    targets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    unusable: "Callable[[RawTake], str] | None" = None

    def relative(self, path: Path) -> str:
        """A file's name for the manifest: from the corpus's root, with forward slashes."""
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name
        )


def recipe(source: TakeSource, layout: Layout, spec: ClipSpec, *, lossless: bool) -> str:
    """Hash of all that a take's file depends on, but for the bytes of its sources.

    ``OSError`` where a source file is gone.
    """
    from dataclasses import replace

    files = [(layout.relative(path), path.stat().st_size) for path in source.files()]
    series = [one.name if one else "" for one in (source.visual_series, source.sound_series)]
    parts = [
        FORMAT,
        replace(spec, labels=()).hash,
        lossless,
        source.start_s,
        source.end_s,
        files,
        series,
        source.picture is not None,
        source.sound is not None,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def clip_path(folder: Path, take: str) -> Path:
    """Where a take's file stands in a cache: spread over 256 folders, safe on any file system."""
    digest = hashlib.sha256(take.encode()).hexdigest()
    return folder / "clips" / digest[:2] / f"{quote(take, safe='')[:80]}-{digest[2:8]}.safetensors"


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


def require_media_spec(spec: ClipSpec, asked: str, *, pictures: bool, sounds: bool = True) -> None:
    """Raise :class:`CorpusError` where the spec wants features that the corpus does not ship.

    ``pictures``, ``sounds``: whether the corpus holds such media, which would be left out.
    """
    wanted = {
        "visual": pictures and spec.visual == "features",
        "sound": sounds and spec.sound == "features",
    }
    for name in (name for name, missing in wanted.items() if missing):
        raise CorpusError(
            asked,
            f"the ClipSpec says {name}='features', the corpus ships none",
            "use a ClipSpec of pixels and of mfcc or logmel",
        )
