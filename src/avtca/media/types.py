"""Types of the media package: :class:`Media`, :class:`Frame`, :class:`MediaInfo`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avtca.image import Image


@dataclass(frozen=True)
class Moment:
    """A frame of a denser clock, of which little is read.

    Attributes:
        time_s: Timestamp in seconds from the clip's time zero.
        image: The upright image.
    """

    time_s: float
    image: Image


@dataclass(frozen=True)
class Frame:
    """One frame of a clip.

    Attributes:
        step: Step of the global clock; step k covers ``[k / rate, (k + 1) / rate)`` seconds.
        time_s: Timestamp in seconds from the clip's time zero.
        image: The upright image.
        length_s: Seconds until the next frame is due, 0 where unknown.
        held_s: Of a frame that is repeated: seconds since its own step, 0 otherwise.
        dense: Frames of the denser clock since the frame before, where there is such a clock; this
            frame may be one of them.
    """

    step: int
    time_s: float
    image: Image
    length_s: float = 0.0
    held_s: float = 0.0
    dense: tuple[Moment, ...] = ()

    @property
    def rgb(self) -> NDArray[np.uint8]:
        """uint8 ``(h, w, 3)``, upright, in the order red, green, blue."""
        return self.image.rgb


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """Values of the file's headers; ``None`` for a missing stream.

    Attributes:
        container: FFmpeg's name of the container format, "mov" for mp4.
        video_codec: FFmpeg's name of the codec.
        width: Of the upright frame, in pixels.
        height: Of the upright frame, in pixels.
        rotation: Degrees clockwise that turn the stored frame upright: 0, 90, 180 or 270.
        frame_rate: Nominal frames a second; the timestamps decide.
        audio_codec: FFmpeg's name of the codec.
        sample_rate: Hz of the stored audio.
        channels: Audio channels.
        audio_tracks: Number of audio tracks.
    """

    container: str
    video_codec: str | None = None
    width: int | None = None
    height: int | None = None
    rotation: int = 0
    frame_rate: float | None = None
    audio_codec: str | None = None
    sample_rate: int | None = None
    channels: int | None = None
    audio_tracks: int = 0


class Media(Protocol):
    """Frames and audio of one clip, from a file or from arrays."""

    name: str
    """For messages and reports."""
    duration_s: float
    """Nominal length in seconds, 0 where unknown."""
    warnings: list[str]

    @property
    def has_video(self) -> bool:
        """Whether there are frames."""

    @property
    def has_audio(self) -> bool:
        """Whether there is audio."""

    @property
    def sample_rate(self) -> int | None:
        """Hz of the stored audio, ``None`` where there is none."""

    @property
    def damaged(self) -> bool:
        """Whether packets could not be decoded."""

    def decoded_share(self) -> float:
        """Share of the clip that was decoded, once frames and audio are exhausted."""

    def frames(self, rate: float, dense_rate: float = 0.0) -> Iterator[Frame]:
        """At most one frame for each step of a clock of ``rate`` steps a second.

        With ``dense_rate`` they carry the frames of that clock too, see :attr:`Frame.dense`.
        """

    def audio(self, rate: int) -> Iterator[NDArray[np.float32]]:
        """Mono audio at ``rate`` Hz as contiguous blocks ``float32 (n,)`` from time zero on."""


def require_positive(rate: float) -> None:
    """Raise ``ValueError`` for a rate that is not positive."""
    if not rate > 0:
        raise ValueError(f"rate must be positive, found {rate}")


def fragment(start_s: float, end_s: float | None) -> str:
    """A part of a file as in an address: "#t=1.5,3", or "#t=1.5" to the end."""
    return f"#t={seconds(start_s)}" + ("" if end_s is None else f",{seconds(end_s)}")


def seconds(value: float) -> str:
    """Seconds with three decimal places, without zeros at the end."""
    return f"{value:.3f}".rstrip("0").rstrip(".")
