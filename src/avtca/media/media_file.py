"""A media file as frames and audio on one clock."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avtca.errors import MediaError
from avtca.media.audio import read_audio
from avtca.media.clock import StreamClock
from avtca.media.container import UNDECODABLE
from avtca.media.mixdown import Mixdown
from avtca.media.types import Frame, MediaInfo, fragment, require_positive, seconds
from avtca.media.video import read_frames

END_SLACK_S = 0.1, 0.25
"""Files that end a tenth of their length before the end in the header count as cut short: at least
and at most these seconds."""
MAX_GAP_S = 3600
"""A timestamp that jumps further ahead than this is damage, ..."""
PAST_END_S = 60
"""... and so is one that jumps this far, to this far after the end in the header."""
MAX_CONCEALED_SHARE = 0.89
"""Most of a file that counts as decoded where the decoder concealed damage: how much of the result
is right is unknown, and it is never confident."""
MAX_SILENCE_S, MAX_SILENCE_ALONE_S = 3600, 600
"""Most seconds of gaps in the audio that are filled with silence, with and without video."""
PART_SLACK_S = 0.5
"""A part of a file may end this long after the file, since times are rounded."""
JOINED = "joined recordings: timestamps that go back were continued from the last end"
"""Warning about timestamps that go back."""


@dataclass(kw_only=True)
class MediaFile:
    """A probed media file; each call of :meth:`frames` or :meth:`audio` decodes it anew.

    Time zero is the start of the earlier of the two streams, so that video and audio share one
    clock; a stream that starts late keeps its delay. ``warnings`` and ``decoded_seconds`` are
    complete once frames and audio are exhausted.

    Attributes:
        path: The file.
        name: The file's name in messages and reports.
        duration_s: Length by the header, 0 for an image. Headers can be wrong.
        has_video: Frames can be decoded, a still image included; cover art does not count.
        has_audio: Audio can be decoded.
        is_image: A still image: one frame at time zero, no audio, no length.
        info: Values of the headers.
        warnings: What is unusual about the file.
        decoded_seconds: End of what was decoded so far, of either stream.
        zero: Time zero on the file's own clock, in seconds.
        reliable_header: Whether ``duration_s`` was stored in the file, not estimated.
        video_index: Index of the stream that is read as video, -1 without video.
        audio_index: Index of the stream that is read as audio, -1 without audio.
        mixdown: How its channels become one waveform.
        whole: The file, of a part that :meth:`part` made.
        start: Second of the file at which a part starts.
        stop: Second at which a part ends, from its own start; by default it ends with the file.
    """

    path: Path
    name: str
    duration_s: float
    has_video: bool
    has_audio: bool
    is_image: bool
    info: MediaInfo
    warnings: list[str] = field(default_factory=list)
    decoded_seconds: float = 0.0
    zero: Fraction = Fraction(0)
    reliable_header: bool = True
    video_index: int = -1
    audio_index: int = -1
    mixdown: Mixdown = field(default_factory=Mixdown)
    whole: "MediaFile | None" = field(default=None, repr=False)
    start: Fraction = Fraction(0)
    stop: Fraction | None = None
    _joins: list[float] = field(default_factory=list, repr=False)
    _bytes_share: float = field(default=1.0, repr=False)
    _exhausted: set[str] = field(default_factory=set, repr=False)

    def frames(self, rate: float, dense_rate: float = 0.0) -> Iterator[Frame]:
        """Decode the video as a stream, onto a global clock.

        Args:
            rate: Steps of the clock a second.
            dense_rate: Steps a second of a denser clock, whose frames are given beside the others,
                see :attr:`Frame.dense`; 0 for none.

        Yields:
            At most one frame for each step, the one nearest to its middle; steps ascending.
            Nothing without video.

        Raises:
            ValueError: ``rate`` is not positive.
            MediaError: The file is gone.
        """
        require_positive(rate)
        return read_frames(self, rate, dense_rate) if self.has_video else iter(())

    def audio(self, rate: int) -> Iterator[NDArray[np.float32]]:
        """Decode the audio as a stream, resampled to mono.

        Args:
            rate: Sample rate in Hz.

        Yields:
            Contiguous blocks ``float32 (n,)``, -1..1, from time zero on: a late start and gaps
            are zeros. Channels are averaged, or one is chosen, see :class:`Mixdown`. Nothing
            without audio.

        Raises:
            ValueError: ``rate`` is not positive.
            MediaError: The file is gone.
        """
        require_positive(rate)
        return read_audio(self, rate) if self.has_audio else iter(())

    def part(self, start_s: float = 0.0, end_s: float | None = None) -> "MediaFile":
        """A part of the file as a separate clip: its time zero is the start of the part.

        Frames and audio are cut on the file's clock, the audio at its own sample rate. A frame that
        is shown at the start or the end of the part belongs to it, also where its timestamp does
        not.

        Args:
            start_s: First second.
            end_s: Second at which the part ends, by default the end of the file. It may be after
                the end by :data:`PART_SLACK_S`.

        Raises:
            MediaError: The part is empty or outside of the file, or the file is an image. A file
                without a reliable length is only known to be too short once it was read.
        """
        name = f"{self.name}{fragment(start_s, end_s)}"
        action = f"read {name}"
        if self.is_image:
            raise MediaError(action, "an image has no parts", "leave start and end out")
        if not start_s >= 0:
            problem = f"the start is {seconds(start_s)} s"
            raise MediaError(action, problem, "give 0 or a later start")
        if end_s is not None and not end_s > start_s:
            problem = f"the start, {seconds(start_s)} s, is not before the end, {seconds(end_s)} s"
            raise MediaError(action, problem, "correct start and end")
        length = self.duration_s
        if self.reliable_header and max(start_s, (end_s or 0.0) - PART_SLACK_S) >= length:
            raise _too_short(action, length)
        end = length if end_s is None else end_s
        end = min(end, length) if self.reliable_header else end
        start = Fraction(start_s).limit_denominator(10**6)
        stop = None if end_s is None else Fraction(end_s).limit_denominator(10**6) - start
        return replace(
            self,
            name=name,
            duration_s=max(0.0, end - start_s),
            warnings=list(self.warnings),
            decoded_seconds=0.0,
            zero=self.zero + start,
            whole=self,
            start=start,
            stop=stop,
            _joins=[],
            _exhausted=set(),
        )

    def decoded_share(self) -> float:
        """Decoded length over the length in the header, at most 1; 1 without a reliable header.

        Where damage ended the decoding, at most the share of the bytes before it; where damage was
        concealed, at most :data:`MAX_CONCEALED_SHARE`.
        """
        if self._missing_s:
            return min(self._bytes_share, self.decoded_seconds / self.duration_s)
        return self._bytes_share

    @property
    def _missing_s(self) -> float:
        """Seconds from the end of what was decoded to the end in the header, 0 if negligible."""
        missing = self.duration_s - self.decoded_seconds
        slack = min(max(END_SLACK_S[0], self.duration_s / 10), END_SLACK_S[1])
        known = self.reliable_header or (self.stop is not None and self._bytes_share < 1)
        return missing if known and missing > slack else 0.0

    @property
    def sample_rate(self) -> int | None:
        """Hz of the stored audio, ``None`` where there is none."""
        return self.info.sample_rate

    @property
    def damaged(self) -> bool:
        """Whether packets could not be decoded."""
        return any(UNDECODABLE in warning for warning in self.warnings)

    def warn(self, text: str) -> None:
        """Add a warning, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def stopped(self, share: float) -> None:
        """Record that no more than this share of the file was decoded."""
        self._bytes_share = min(self._bytes_share, share)

    def concealed(self, text: str) -> None:
        """Record damage that the decoder concealed."""
        self.warn(text)
        self.stopped(MAX_CONCEALED_SHARE)

    def reached(self, end_s: float) -> None:
        """Record that something was decoded that ends at ``end_s``."""
        self.decoded_seconds = max(self.decoded_seconds, end_s)

    def stream_clock(self, *, fills_gaps: bool = False) -> StreamClock:
        """A clock for the frames of one stream, in step with that of the other stream.

        With ``fills_gaps`` the gaps, which become silence, are limited in total.
        """
        left = float(MAX_SILENCE_S if self.has_video else MAX_SILENCE_ALONE_S)

        def is_damage(gap_s: float, to_s: float) -> bool:
            nonlocal left
            if self.timestamp_jump(gap_s, to_s):
                return True
            left -= gap_s if fills_gaps and gap_s > 1 else 0
            if left < 0 and gap_s > 1:
                self.warn("too long gaps in the audio: not all were filled with silence")
            return left < 0 and gap_s > 1

        return StreamClock(self._joins, is_damage, lambda: self.warn(JOINED), -float(self.start))

    def timestamp_jump(self, gap_s: float, to_s: float) -> bool:
        """Whether a timestamp ``gap_s`` later than expected, at ``to_s``, is damage; warns."""
        end_s = float(self.start) + to_s - (self.whole or self).duration_s
        past_end = gap_s > PAST_END_S and end_s > PAST_END_S
        if damage := gap_s > MAX_GAP_S or past_end:
            self.warn("damaged timestamps, which jump far ahead, were ignored")
        return damage

    def exhausted(self, kind: str) -> None:
        """Record that "video" or "audio" was decoded to its end; warn if the file is cut short."""
        self._exhausted.add(kind)
        streams = {"video"} if self.has_video else set()
        streams |= {"audio"} if self.has_audio else set()
        if self._exhausted != streams:
            return
        if self.whole and not self.reliable_header and self._bytes_share == 1:
            found = self.decoded_seconds
            if not found or (self.stop and found + PART_SLACK_S < self.stop):
                raise _too_short(f"read {self.name}", float(self.start) + found if found else None)
        if self._missing_s:
            self.warn(
                f"cut short: {self.duration_s:.1f} s by the header, "
                f"the file ends after {self.decoded_seconds:.1f} s"
            )


def _too_short(action: str, end_s: float | None) -> MediaError:
    ends = "before" if end_s is None else f"after {end_s:.2f} s"
    return MediaError(action, f"the file ends {ends}", "correct start and end")
