"""The types that the media room hands out: :class:`MediaFile`, :class:`Frame`, :class:`MediaInfo`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

END_SLACK_S = 0.25
"""Files that end this much before the header says so are called cut short."""
MAX_GAP_S = 3600
"""A timestamp that leaps further ahead than this is damage."""
PAST_END_S = 60
"""So is one that leaps this far ahead, to this far behind the end that the header gives."""


@dataclass(frozen=True)
class Frame:
    """One picture of a clip.

    ``step`` is its step of the global clock, which covers ``[step / rate, (step + 1) / rate)``
    seconds; ``time_s`` its true timestamp from the clip's time zero; ``rgb`` uint8 ``(h, w, 3)``
    in the order red, green, blue, upright.
    """

    step: int
    time_s: float
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """What the file's headers say. Fields of a missing stream are ``None``."""

    container: str
    """FFmpeg's name of the container format, "mov" for mp4."""
    video_codec: str | None = None
    width: int | None = None
    """Of the upright picture, in pixels."""
    height: int | None = None
    """Of the upright picture, in pixels."""
    rotation: int = 0
    """Degrees by which the stored picture is turned clockwise to be upright: 0, 90, 180, 270."""
    frame_rate: float | None = None
    """Pictures a second by the header: a hint only, timestamps decide."""
    audio_codec: str | None = None
    sample_rate: int | None = None
    """Hz of the stored audio."""
    channels: int | None = None
    audio_tracks: int = 0


@dataclass(kw_only=True)
class MediaFile:
    """A media file, probed but not kept: each call of ``frames`` or ``audio`` reads it anew.

    Time zero is the start of the earlier of the two streams that are read, so that picture and
    audio share one clock; a stream that starts late keeps its delay. ``warnings`` grows while
    frames and audio are drawn (a file that breaks off is only known to when it does), so it is
    complete after both have run out; so is ``read_s``.
    """

    path: Path
    duration_s: float
    """Length by the header, 0 for a picture. Headers err: ``read_s`` is the truth once read."""
    has_video: bool
    """Pictures can be read, a still picture included; cover art of music does not count."""
    has_audio: bool
    is_picture: bool
    """A still picture: one frame at time zero, no audio, no length."""
    info: MediaInfo
    warnings: list[str] = field(default_factory=list)
    decoded_seconds: float = 0.0
    """End of what was read so far, of frames or audio, in seconds: the clip's true length once
    both have run out."""
    zero: Fraction = Fraction(0)
    """Time zero on the file's own clock, in seconds."""
    reliable_header: bool = True
    """Whether ``duration_s`` was written by the file's maker, not estimated."""
    _ran_out: set[str] = field(default_factory=set, repr=False)

    def frames(self, rate: float) -> Iterator[Frame]:
        """Pictures on the global clock of ``rate`` steps a second, read as a stream.

        At most one for each step: the one whose timestamp is nearest the step's middle; steps
        without a timestamp in them are absent. Steps ascend. Empty without video. Raises
        ``ValueError`` for a rate that is not positive, :class:`MediaError` where the file is
        gone.
        """
        from avtca.media.video import read_frames

        _positive(rate)
        return read_frames(self, rate) if self.has_video else iter(())

    def audio(self, rate: int) -> Iterator[NDArray[np.float32]]:
        """Mono audio at ``rate`` Hz as blocks ``float32 (n,)``, -1..1, read as a stream.

        Blocks join without gaps and the first sample is the clip's time zero: a late start and
        missing stretches are zeros. Channels are averaged. Empty without audio. Raises
        ``ValueError`` for a rate that is not positive, :class:`MediaError` where the file is
        gone.
        """
        from avtca.media.audio import read_audio

        _positive(rate)
        return read_audio(self, rate) if self.has_audio else iter(())

    def warn(self, text: str) -> None:
        """Add a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def reached(self, end_s: float) -> None:
        """Note that something was read that ends at ``end_s``."""
        self.decoded_seconds = max(self.decoded_seconds, end_s)

    def timestamp_jump(self, gap_s: float, to_s: float) -> bool:
        """Whether a timestamp ``gap_s`` later than expected, at ``to_s``, is damage; if, warn."""
        past_end = gap_s > PAST_END_S and to_s > self.duration_s + PAST_END_S
        if damage := gap_s > MAX_GAP_S or past_end:
            self.warn("damaged timestamps, which leap far ahead, were passed over")
        return damage

    def exhausted(self, kind: str) -> None:
        """Note that "video" or "audio" was read to its end; warn if the file is cut short."""
        self._ran_out.add(kind)
        whole = {"video"} if self.has_video else set()
        whole |= {"audio"} if self.has_audio else set()
        short = self.duration_s - self.decoded_seconds
        if self.reliable_header and self._ran_out == whole and short > END_SLACK_S:
            self.warn(
                f"cut short: the header says {self.duration_s:.1f} s, "
                f"the file ends after {self.decoded_seconds:.1f} s"
            )


def _positive(rate: float) -> None:
    if not rate > 0:
        raise ValueError(f"rate must be positive, found {rate}")
