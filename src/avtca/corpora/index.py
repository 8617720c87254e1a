"""The index of a corpus: where its samples are, before anything is decoded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.errors import CorpusError
from avtca.text import printable

if TYPE_CHECKING:
    from avtca.preprocess import RawSample

VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".flv", ".m4v", ".mpg", ".mpeg", ".wmv"}
AUDIO_SUFFIXES = {".wav", ".flac", ".mp3", ".m4a", ".aac", ".ogg", ".opus", ".aiff", ".wma"}
SYNTHETIC = "SYNTHETIC: drawn faces and computed voices, results say nothing about real people"
"""In every summary, audit and report of a corpus named "synthetic"."""


def is_synthetic(root: Path) -> bool:
    """Whether a folder, or a folder inside of one, was made by ``avtca synth``."""
    return any((folder / "synth.json").is_file() for folder in (root, root.parent))


class Series(Protocol):
    """Features over time that a corpus ships; must be picklable."""

    @property
    def name(self) -> str:
        """Identifies the series: file and key."""
        ...

    @property
    def path(self) -> Path:
        """The file that holds it."""
        ...

    def load(self) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Ascending times ``(n,)`` in seconds from the sample's start, finite values ``(n, f)``."""
        ...


@dataclass(frozen=True)
class SampleSource:
    """The files of one sample.

    Attributes:
        sample_id: Unique within the corpus.
        speaker: Name of the speaker; empty if unknown.
        label: Emotion; empty for none.
        video: Media file of the video.
        audio: Media file of the audio, the same as ``video`` where that holds both.
        start_s: Start of a segment of these files, in seconds.
        end_s: End of the segment.
        video_series: Shipped features instead of ``video``, where the ClipSpec wants features.
        audio_series: Shipped features instead of ``audio``.
        fallback_audio: ``video`` or nothing; used where ``audio`` is unreadable or silent.
        fields: Further columns of the manifest.
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
        """The audio file, where it is not the video file."""
        return self.audio if self.video and self.audio != self.video else None

    def files(self) -> list[Path]:
        """All files of the sample, each once."""
        series = [one.path for one in (self.video_series, self.audio_series) if one]
        media = [path for path in (self.video, self.audio) if path]
        return list(dict.fromkeys([*media, *series]))


@dataclass(frozen=True)
class CorpusIndex:
    """All samples of a corpus.

    Attributes:
        corpus: Name of the corpus.
        root: Its folder.
        labels: Its labels.
        sources: Its samples.
        language: ISO 639-1 code; empty if unknown.
        targets: Named groups of manifest columns, each in the order of ``labels``: soft labels
            ("both"), multi-label targets ("multi"), intensities ("value").
        classes: Manifest columns with categorical values, and these values in order.
        skipped: ``(file, reason)`` of files that are in no sample.
        notes: Lines for the summary.
        problems: One line for each file, or part of one, that cannot be used.
        unusable: Returns why a decoded sample must be rejected, "" to accept it. A module-level
            function, since worker processes import it by name.
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
    problems: tuple[str, ...] = ()
    unusable: "Callable[[RawSample], str] | None" = None

    def relative(self, path: Path) -> str:
        """A file's path relative to the corpus for messages and manifests, with forward slashes."""
        inside = path.is_relative_to(self.root)
        return printable(path.relative_to(self.root).as_posix() if inside else path.name)


def list_files(root: Path) -> list[Path]:
    """Every file below a folder, sorted, without hidden files and Mac resource forks.

    Pipes and broken links are among them; each fails when it is prepared.
    """
    return sorted(
        path
        for path in root.rglob("*")
        if not path.is_dir()
        and not any(part.startswith((".", "__MACOSX")) for part in path.relative_to(root).parts)
    )


def list_audio(root: Path, spec: ClipSpec, action: str) -> list[Path]:
    """Every audio file below the folder of a speech corpus.

    Raises:
        CorpusError: There is no such folder, or the spec wants features.
    """
    if not root.is_dir():
        raise CorpusError(action, "no such folder", "give the folder of its clips")
    require_media_spec(spec, action, video=False)
    return [path for path in list_files(root) if path.suffix.lower() in AUDIO_SUFFIXES]


def require_media_spec(spec: ClipSpec, action: str, *, video: bool) -> None:
    """Refuse a spec that wants features, for a corpus that ships media alone.

    Args:
        spec: The spec of the cache.
        action: What is done, for the message.
        video: Whether the corpus holds video.
    """
    for name, missing in (
        ("video", video and spec.video == "features"),
        ("audio", spec.audio == "features"),
    ):
        if missing:
            raise CorpusError(
                action,
                f"the ClipSpec has {name}='features', the corpus ships none",
                "use a ClipSpec of pixels and of mfcc or logmel",
            )
