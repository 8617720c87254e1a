"""Open a path, a file object or arrays as a clip."""

import logging
import os
import shutil
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, cast, overload

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from avtca.errors import MediaError
from avtca.media.arrays import MediaArrays
from avtca.media.audio import MIN_RATE
from avtca.media.container import (
    IMAGE_DEMUXERS,
    MAX_PIXELS,
    MAX_VIDEO_PIXELS,
    choose_tracks,
    decode,
    is_still,
    open_container,
    read_only,
    timestamp,
)
from avtca.media.ending import end_is_missing
from avtca.media.media_file import MediaFile
from avtca.media.png import metadata_is_bomb
from avtca.media.types import MediaInfo
from avtca.media.video import pixel_aspect, rotation, square_size
from avtca.media.wav import wav_layout

_TRUE_LENGTH = {"mov", "matroska", "avi", "flv", "wav", "w64", "flac", "asf", "aiff", "caf"}
"""Containers that store the length; for others FFmpeg estimates it."""

MediaSource = str | Path | BinaryIO | Mapping[str, Any]
"""What :func:`open_media` opens."""

logger = logging.getLogger(__name__)


@overload
def open_media(source: str | Path | BinaryIO) -> MediaFile: ...
@overload
def open_media(source: Mapping[str, Any]) -> MediaArrays: ...
def open_media(source: MediaSource) -> MediaFile | MediaArrays:
    """Open a clip: probe a file's headers and the first frame of each stream, or check arrays.

    Args:
        source: A path; a file opened in binary mode, read from its position to its end; or arrays
            as :class:`MediaArrays` takes them.

    Returns:
        The clip. Anything unusual that does not prevent decoding is in its ``warnings``: several
        tracks, a stream that cannot be decoded, damage.

    Raises:
        MediaError: The path is missing, a folder, empty or not media, there is neither video nor
            audio, nothing can be decoded, or the arrays are invalid.
    """
    if isinstance(source, str | os.PathLike):
        return _probe(Path(source), str(source))
    if isinstance(source, Mapping):
        return MediaArrays(source)
    if hasattr(source, "read"):
        return _open_file_object(source)
    raise MediaError(
        f"read an input of type {type(source).__name__}",
        "it is not a clip",
        'give a path, a binary file, {"waveform": ..., "sample_rate": ...} or {"frames": ...}',
    )


def _open_file_object(file: BinaryIO) -> MediaFile:
    """Copy to a temporary file, which is deleted with the :class:`MediaFile`."""
    name = getattr(file, "name", None)
    name = name if isinstance(name, str) and name else "file object"
    handle, temporary = tempfile.mkstemp(prefix="avtca-", suffix=Path(name).suffix)
    path = Path(temporary)
    try:
        with os.fdopen(handle, "wb") as copy:
            if not isinstance(file.read(0), bytes):
                raise MediaError(f"read {name}", "the file is open in text mode", "open it as 'rb'")
            shutil.copyfileobj(file, copy)
        clip = _probe(path, name)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, OSError | ValueError):
            raise MediaError(f"read {name}", str(error), "check the file object") from error
        raise
    weakref.finalize(clip, path.unlink, missing_ok=True)
    return clip


def _probe(path: Path, name: str) -> MediaFile:
    _require_file(path, name)
    if metadata_is_bomb(path):
        raise MediaError(
            f"read {name}", "its metadata unpack to more than 16 MB", "save the image without them"
        )
    warnings: list[str] = []
    with open_container(path, name) as container:
        tracks = choose_tracks(container)
        if not tracks.n_video and not tracks.n_audio:
            problem = "only cover art" if tracks.n_covers else "there is neither video nor audio"
            raise MediaError(f"read {name}", problem, "give a file with video or audio")
        container_name = container.format.name.split(",")[0]
    video = _first_frame(path, name, warnings) if tracks.n_video else None
    audio = _first_audio(path, name, warnings) if tracks.n_audio else None
    starts = [first.start for first in (video, audio) if first]
    if not starts:
        raise MediaError(
            f"read {name}",
            f"nothing can be decoded ({'; '.join(warnings) or 'no frames'})",
            "export or copy the file again",
        )
    if video and tracks.n_video > 1:
        warnings.append(f"{tracks.n_video} video tracks: only the default one is used")
    if audio and tracks.n_audio > 1:
        warnings.append(f"{tracks.n_audio} audio tracks: only the default one is used")
    if (wav := wav_layout(path)) and wav.audio_goes_on:
        warnings.append("the size in the header is too small: all of the audio is read")
    zero = min(starts)
    is_image = container_name in IMAGE_DEMUXERS.split(",")
    length = None if is_image else _header_length(path, name, zero)
    clip = MediaFile(
        path=path,
        name=name,
        duration_s=0.0
        if is_image
        else float(_scan(path, name, zero) if length is None else length),
        has_video=video is not None,
        has_audio=audio is not None,
        is_image=is_image,
        info=MediaInfo(
            container=container_name,
            audio_tracks=tracks.n_audio,
            **(video.fields if video else {}),
            **(audio.fields if audio else {}),
        ),
        warnings=warnings,
        zero=zero,
        reliable_header=length is not None and container_name in _TRUE_LENGTH,
    )
    if end_is_missing(path):
        clip.concealed("cut short: the end of the file is missing")
    logger.debug("%s: %.2f s, %s", name, clip.duration_s, clip.info)
    return clip


def _require_file(path: Path, name: str) -> None:
    action = f"read {name}"
    try:
        if path.is_dir():
            raise MediaError(action, "it is a folder", "give a file")
        if not path.exists():
            raise MediaError(action, "no such file", "check the path")
        if path.is_file() and path.stat().st_size == 0:
            raise MediaError(action, "the file is empty", "export or copy the file again")
    except (OSError, ValueError) as error:  # name too long, zero byte, no permission on a folder
        raise MediaError(action, str(error), "check the path") from error


@dataclass(frozen=True)
class _First:
    """Start of a stream on the file's own clock, and its fields of :class:`MediaInfo`."""

    start: Fraction
    fields: dict[str, Any]


def _first_frame(path: Path, name: str, warnings: list[str]) -> _First | None:
    with open_container(path, name) as container:
        stream = choose_tracks(container).video
        if stream is None:
            warnings.append("no decoder for the video")
            return None
        still = is_still(container, stream)
        if stream.width * stream.height > (MAX_PIXELS if still else MAX_VIDEO_PIXELS):
            warnings.append(f"the video frames are too large ({stream.width} x {stream.height})")
            return None
        read_only(container, stream)
        frame = cast(VideoFrame | None, next(decode(container, stream, warnings.append), None))
        if frame is None:
            warnings.append("the video cannot be decoded")
            return None
        width, height = square_size(frame, pixel_aspect(stream), still)
        turned = rotation(frame)
        rate = stream.average_rate
        fields = {
            "video_codec": stream.codec_context.name,
            "width": height if turned % 180 else width,
            "height": width if turned % 180 else height,
            "rotation": turned,
            "frame_rate": float(rate) if rate else None,
        }
        return _First(timestamp(frame) or Fraction(0), fields)


def _first_audio(path: Path, name: str, warnings: list[str]) -> _First | None:
    with open_container(path, name) as container:
        stream = choose_tracks(container).audio
        if stream is None:
            warnings.append("no decoder for the audio")
            return None
        read_only(container, stream)
        frame = cast(AudioFrame | None, next(decode(container, stream, warnings.append), None))
        if frame is None:
            warnings.append("the audio cannot be decoded")
            return None
        if frame.sample_rate < MIN_RATE:
            warnings.append(f"the audio has {frame.sample_rate} Hz, too few for a voice")
            return None
        fields = {
            "audio_codec": stream.codec_context.name,
            "sample_rate": frame.sample_rate,
            "channels": frame.layout.nb_channels,
        }
        return _First(timestamp(frame) or Fraction(0), fields)


def _header_length(path: Path, name: str, zero: Fraction) -> Fraction | None:
    """Seconds from ``zero`` to the end by the header; ``None`` where it has none."""
    with open_container(path, name) as container:
        tracks = choose_tracks(container)
        video = tracks.video
        if container.format.name == "avi" and video and video.frames and video.average_rate:
            # FFmpeg reduces the length of a truncated avi to what is there; the header does not.
            return video.frames / video.average_rate
        wav = wav_layout(path) if container.format.name == "wav" else None
        if wav and wav.cut_short and wav.bytes_per_s:  # FFmpeg does not report that
            return Fraction(wav.data_size, wav.bytes_per_s)
        if wav and wav.audio_goes_on and wav.bytes_per_s:
            return Fraction(wav.file_size - wav.data_start, wav.bytes_per_s)
        ends = []
        for stream in (video, tracks.audio):
            if stream is None:
                continue
            if not stream.duration or stream.time_base is None:
                return Fraction(container.duration, av.time_base) if container.duration else None
            ends.append(((stream.start_time or 0) + stream.duration) * stream.time_base)
        return max(ends) - zero


def _scan(path: Path, name: str, zero: Fraction) -> Fraction:
    """Seconds from ``zero`` to the end of the last packet, by demuxing the whole file."""
    end = zero
    with open_container(path, name) as container:
        tracks = choose_tracks(container)
        packets = container.demux([s for s in (tracks.video, tracks.audio) if s is not None])
        try:
            for packet in packets:
                if packet.pts is not None and packet.time_base is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            return end - zero  # the rest cannot be demuxed
    return end - zero
