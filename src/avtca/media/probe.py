"""Open a path, a file object or arrays as a clip."""

import logging
import os
import re
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast, overload

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container.input import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from avtca.errors import MediaError
from avtca.media.arrays import MediaArrays
from avtca.media.audio import MIN_RATE
from avtca.media.container import (
    IMAGE_DEMUXERS,
    audio_stream,
    by_preference,
    decode,
    is_still,
    list_tracks,
    max_pixels,
    open_container,
    read_only,
    timestamp,
    video_stream,
)
from avtca.media.ending import end_is_missing
from avtca.media.find import irregular
from avtca.media.media_file import MediaFile
from avtca.media.mixdown import SURVEYED, Mixdown, centre_of, channels, join
from avtca.media.pipe import STANDARD_INPUT
from avtca.media.png import metadata_is_bomb
from avtca.media.types import MediaInfo
from avtca.media.unsupported import refuse_unsupported
from avtca.media.video import pixel_aspect, rotation, square_size
from avtca.media.wav import wav_layout

_TRUE_LENGTH = {"mov", "matroska", "avi", "flv", "wav", "w64", "flac", "asf", "aiff", "caf"}
"""Containers that store the length; for others FFmpeg estimates it."""

MAX_COPIED_BYTES = 2**33
"""Longest recording in bytes that is read from a pipe or a file object."""
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_AS_FILE = "write the recording to a file, and give its path"

MAX_SURVEYED_TRACKS = 8
"""Most audio tracks that are tried for one that is not silent."""

IMAGE_BRANDS = {"avif", "heic", "heix", "mif1"}
"""Brands of still images in the container of mp4."""

MediaSource = str | Path | BinaryIO | Mapping[str, Any]
"""What :func:`open_media` opens."""

logger = logging.getLogger(__name__)


@overload
def open_media(
    source: str | Path | BinaryIO,
    *,
    video_track: int | None = None,
    audio_track: int | None = None,
) -> MediaFile: ...
@overload
def open_media(
    source: Mapping[str, Any], *, video_track: int | None = None, audio_track: int | None = None
) -> MediaArrays: ...
def open_media(
    source: MediaSource, *, video_track: int | None = None, audio_track: int | None = None
) -> MediaFile | MediaArrays:
    """Open a clip: probe a file's headers and the first frame of each stream, or check arrays.

    Args:
        source: A path; a file opened in binary mode, read from its position to its end; or arrays
            as :class:`MediaArrays` takes them.
        video_track: Which video track of a file to read, from 1; by default the one that a player
            would choose.
        audio_track: Which audio track to read, from 1; by default the one that a player would
            choose, unless it is silent and another is not.

    Returns:
        The clip. Anything unusual that does not prevent decoding is in its ``warnings``: several
        tracks, a stream that cannot be decoded, damage.

    Raises:
        MediaError: The path is missing, a folder, empty or not media, there is neither video nor
            audio, nothing can be decoded, there is no such track, or the arrays are invalid.
    """
    numbers = video_track, audio_track
    if isinstance(source, str | os.PathLike):
        return _probe(Path(source), str(source), *numbers)
    if isinstance(source, Mapping):
        if numbers != (None, None):
            raise MediaError("read the arrays", "arrays have no tracks", "leave the track out")
        return MediaArrays(source)
    if hasattr(source, "read"):
        return _open_file_object(source, *numbers)
    raise MediaError(
        f"read an input of type {type(source).__name__}",
        "it is not a clip",
        'give a path, a binary file, {"waveform": ..., "sample_rate": ...} or {"frames": ...}',
    )


def _open_file_object(
    file: BinaryIO, video_track: int | None, audio_track: int | None
) -> MediaFile:
    """Copy to a temporary file, which is deleted with the :class:`MediaFile`."""
    name = getattr(file, "name", None)
    name = STANDARD_INPUT if file is getattr(sys.stdin, "buffer", None) else name
    name = name if isinstance(name, str) and name else "file object"
    handle, temporary = tempfile.mkstemp(prefix="avtca-", suffix=Path(name).suffix)
    path = Path(temporary)
    try:
        with os.fdopen(handle, "wb") as copy:
            if not isinstance(file.read(0), bytes):
                raise MediaError(f"read {name}", "the file is open in text mode", "open it as 'rb'")
            while block := file.read(2**20):
                if copy.tell() + len(block) > MAX_COPIED_BYTES:
                    raise MediaError(
                        f"read {name}", f"it is longer than {MAX_COPIED_BYTES >> 30} GiB", _AS_FILE
                    )
                copy.write(block)
        clip = _probe(path, name, video_track, audio_track)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError | ValueError):
            raise MediaError(f"read {name}", str(error), _AS_FILE) from error
        raise
    weakref.finalize(clip, path.unlink, missing_ok=True)
    return clip


def _probe(
    path: Path, name: str, video_track: int | None = None, audio_track: int | None = None
) -> MediaFile:
    if error := irregular(path, name):
        raise error
    if path.stat().st_size == 0:
        raise MediaError(f"read {name}", "the file is empty", "export or copy the file again")
    refuse_unsupported(path, name)
    if metadata_is_bomb(path):
        raise MediaError(
            f"read {name}", "its metadata unpack to more than 16 MB", "save the image without them"
        )
    warnings: list[str] = []
    with open_container(path, name) as container:
        tracks = list_tracks(container)
        if not tracks.video and not tracks.audio:
            problem = "only cover art" if tracks.n_covers else "there is neither video nor audio"
            raise MediaError(f"read {name}", problem, "give a file with video or audio")
        container_name = container.format.name.split(",")[0]
        is_image = (
            container_name in IMAGE_DEMUXERS.split(",")
            or container.metadata.get("major_brand") in IMAGE_BRANDS
        )
        videos = _candidates(container, name, "video", tracks.video, video_track)
        audios = _candidates(container, name, "audio", tracks.audio, audio_track)
    video = _first_frame(path, name, warnings, videos[0]) if videos else None
    audio = _first_audible(path, name, warnings, audios)
    starts = [first.start for first in (video, audio) if first]
    if not starts:
        reason = "; ".join(warnings) or "no frames"
        fix = "it with smaller frames" if "too large" in reason else "or copy the file again"
        raise MediaError(f"read {name}", f"nothing can be decoded ({reason})", f"export {fix}")
    if video and len(tracks.video) > 1:
        warnings.append(_which("video", tracks.video, video.index))
    if audio and len(tracks.audio) > 1:
        others = ", since the default one is silent" if audio.index != audios[0] else ""
        warnings.append(_which("audio", tracks.audio, audio.index) + others)
    warnings += audio.mixdown.warnings if audio else ()
    if (wav := wav_layout(path)) and wav.audio_goes_on:
        warnings.append("the size in the header is too small: all of the audio is read")
    zero = min(starts)
    used = [*videos[:1], *([audio.index] if audio else audios[:1])]
    length = None if is_image else _header_length(path, name, zero, used)
    clip = MediaFile(
        path=path,
        name=name,
        duration_s=0.0
        if is_image
        else float(_scan(path, name, zero, used) if length is None else length),
        has_video=video is not None,
        has_audio=audio is not None,
        is_image=is_image,
        info=MediaInfo(
            container=container_name,
            audio_tracks=len(tracks.audio),
            **(video.fields if video else {}),
            **(audio.fields if audio else {}),
        ),
        warnings=warnings,
        zero=zero,
        reliable_header=length is not None and container_name in _TRUE_LENGTH,
        video_index=video.index if video else -1,
        audio_index=audio.index if audio else -1,
        mixdown=audio.mixdown if audio else Mixdown(),
    )
    if end_is_missing(path):
        clip.concealed("cut short: the end of the file is missing")
    logger.debug("%s: %.2f s, %s", name, clip.duration_s, clip.info)
    return clip


@dataclass(frozen=True)
class _First:
    """The stream's index, its start on the file's own clock, its fields of :class:`MediaInfo`."""

    index: int
    start: Fraction
    fields: dict[str, Any]
    mixdown: Mixdown = field(default_factory=Mixdown)


def _candidates(
    container: InputContainer, name: str, kind: str, tracks: Sequence[int], number: int | None
) -> list[int]:
    """The track of this number from 1, or all by preference."""
    if number is None:
        return by_preference(container, tracks)
    if not 1 <= number <= len(tracks):
        there = {0: f"it has no {kind}", 1: "it has one"}.get(len(tracks), f"it has {len(tracks)}")
        raise MediaError(
            f"read {kind} track {number} of {name}",
            f"there is no such track: {there}",
            f"leave --{kind}-track out, or choose another",
        )
    return [tracks[number - 1]]


def _which(kind: str, tracks: Sequence[int], index: int) -> str:
    return f"{len(tracks)} {kind} tracks: track {tracks.index(index) + 1} is used"


def _first_frame(path: Path, name: str, warnings: list[str], index: int) -> _First | None:
    with open_container(path, name) as container:
        stream = video_stream(container, index)
        if stream.codec_context is None:
            warnings.append("no decoder for the video")
            return None
        if stream.width * stream.height > max_pixels(container, stream):
            warnings.append(f"the video frames are too large ({stream.width} x {stream.height})")
            return None
        read_only(container, stream)
        frame = cast(VideoFrame | None, next(decode(container, stream, warnings.append), None))
        if frame is None:
            warnings.append("the video cannot be decoded")
            return None
        width, height = square_size(frame, pixel_aspect(stream), is_still(container, stream))
        turned = rotation(frame)
        rate = stream.average_rate
        fields = {
            "video_codec": stream.codec_context.name,
            "width": height if turned % 180 else width,
            "height": width if turned % 180 else height,
            "rotation": turned,
            "frame_rate": float(rate) if rate else None,
        }
        return _First(index, timestamp(frame) or Fraction(0), fields)


def _first_audible(
    path: Path, name: str, warnings: list[str], indices: Sequence[int]
) -> _First | None:
    """The first of these tracks that is not silent at its start, else the first one."""
    found: _First | None = None
    for index in indices[:MAX_SURVEYED_TRACKS]:
        problems: list[str] = []
        track = _survey_audio(path, name, problems, index)
        if index == indices[0]:
            found = track
            warnings += problems
        if track is not None and not track.mixdown.silent:
            return track
    return found


def _survey_audio(path: Path, name: str, warnings: list[str], index: int) -> _First | None:
    with open_container(path, name) as container:
        stream = audio_stream(container, index)
        if stream.codec_context is None:
            warnings.append("no decoder for the audio")
            return None
        read_only(container, stream)
        problems: list[str] = []
        first: AudioFrame | None = None
        parts: list[NDArray[np.float32]] = []
        size = 0
        for decoded in decode(container, stream, problems.append):
            frame = cast(AudioFrame, decoded)
            if frame.sample_rate <= 0:
                continue
            first = frame if first is None else first
            parts.append(channels(frame))
            size += parts[-1].size
            if size > SURVEYED:
                break
        if first is None:
            warnings += [*problems, "the audio cannot be decoded"]
            return None
        if first.sample_rate < MIN_RATE:
            warnings.append(f"the audio has {first.sample_rate} Hz, too few for a voice")
            return None
        fields = {
            "audio_codec": stream.codec_context.name,
            "sample_rate": first.sample_rate,
            "channels": first.layout.nb_channels,
        }
        mixdown = Mixdown.of(join(parts), first.sample_rate, centre_of(first))
        return _First(index, timestamp(first) or Fraction(0), fields, mixdown)


def _header_length(
    path: Path, name: str, zero: Fraction, indices: Sequence[int]
) -> Fraction | None:
    """Seconds from ``zero`` to the end by the header; ``None`` where it has none."""
    with open_container(path, name) as container:
        streams = [container.streams[index] for index in indices]
        video = next((one for one in streams if isinstance(one, VideoStream)), None)
        if container.format.name == "avi" and video and video.frames and video.average_rate:
            # FFmpeg reduces the length of a truncated avi to what is there; the header does not.
            return video.frames / video.average_rate
        wav = wav_layout(path) if container.format.name == "wav" else None
        if wav and wav.cut_short and wav.bytes_per_s:  # FFmpeg does not report that
            return Fraction(wav.data_size, wav.bytes_per_s)
        if wav and wav.audio_goes_on and wav.bytes_per_s:
            return Fraction(wav.file_size - wav.data_start, wav.bytes_per_s)
        ends = []
        for stream in streams:
            if not stream.duration or stream.time_base is None:
                if not container.duration:
                    return None
                whole = Fraction(container.duration, av.time_base)
                others = len(container.streams) > len(streams)  # subtitles may go on for longer
                return min(whole, _tagged_end(streams) or whole) if others else whole
            ends.append(((stream.start_time or 0) + stream.duration) * stream.time_base)
        return max(ends) - zero


def _tagged_end(streams: Sequence[Stream]) -> Fraction | None:
    """End of the streams by the ``DURATION`` tags of Matroska, if all have one."""
    ends = [_DURATION_TAG.fullmatch(stream.metadata.get("DURATION", "")) for stream in streams]
    times = [end.groups() for end in ends if end]
    if len(times) < len(streams):
        return None
    return max(3600 * int(h) + 60 * int(m) + Fraction(s) for h, m, s in times)


def _scan(path: Path, name: str, zero: Fraction, indices: Sequence[int]) -> Fraction:
    """Seconds from ``zero`` to the end of the last packet, by demuxing the whole file."""
    end = zero
    with open_container(path, name) as container:
        packets = container.demux([container.streams[index] for index in indices])
        try:
            for packet in packets:
                if packet.pts is not None and packet.time_base is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            return end - zero  # the rest cannot be demuxed
    return end - zero
