"""A path to a :class:`MediaFile`: what it holds, how long it is, and what is wrong with it."""

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from avtca.errors import MediaError
from avtca.media.container import (
    MAX_PIXELS,
    PICTURE_DEMUXERS,
    choose_tracks,
    decode,
    open_container,
    read_only,
    timestamp,
)
from avtca.media.media_file import MediaFile, MediaInfo
from avtca.media.video import pixel_aspect, rotation

_TRUE_LENGTH = {"mov", "matroska", "avi", "flv", "wav", "w64", "flac", "asf", "aiff", "caf"}
"""Containers whose header holds the length; of others FFmpeg makes an estimate."""


def open_media(path: str | Path) -> MediaFile:
    """Probe a media file: its headers, and the first frame of each stream.

    Raises :class:`MediaError` for a path that is missing, a folder, empty, not media, without
    picture and audio, or of which nothing decodes. What is odd but can be read is a warning of
    the clip: several tracks, a stream that cannot be decoded, damage.
    """
    path = Path(path)
    _require_file(path)
    warnings: list[str] = []
    with open_container(path) as container:
        tracks = choose_tracks(container)
        if not tracks.n_video and not tracks.n_audio:
            found = "cover art only" if tracks.n_covers else "neither picture nor audio in it"
            raise MediaError(f"read {path}", found, "give a file with video or audio")
        name = container.format.name.split(",")[0]
    picture = _first_picture(path, warnings) if tracks.n_video else None
    audio = _first_audio(path, warnings) if tracks.n_audio else None
    found_starts = [first.start for first in (picture, audio) if first]
    if not found_starts:
        raise MediaError(
            f"read {path}",
            f"nothing in it can be decoded ({'; '.join(warnings) or 'no frames'})",
            "export or copy the file again",
        )
    if picture and tracks.n_video > 1:
        warnings.append(f"{tracks.n_video} video tracks: the first is read")
    if audio and tracks.n_audio > 1:
        warnings.append(f"{tracks.n_audio} audio tracks: the first is read")
    zero = min(found_starts)
    is_picture = name in PICTURE_DEMUXERS.split(",")
    length = None if is_picture else _header_length(path, zero)
    return MediaFile(
        path=path,
        duration_s=0.0 if is_picture else float(_scan(path, zero) if length is None else length),
        has_video=picture is not None,
        has_audio=audio is not None,
        is_picture=is_picture,
        info=MediaInfo(
            container=name,
            audio_tracks=tracks.n_audio,
            **(picture.fields if picture else {}),
            **(audio.fields if audio else {}),
        ),
        warnings=warnings,
        zero=zero,
        reliable_header=length is not None and name in _TRUE_LENGTH,
    )


def _require_file(path: Path) -> None:
    action = f"read {path}"
    try:
        if path.is_dir():
            raise MediaError(action, "it is a folder", "give one file of it")
        if not path.exists():
            raise MediaError(action, "no such file", "check the path")
        if path.is_file() and path.stat().st_size == 0:
            raise MediaError(action, "the file is empty", "export or copy the file again")
    except (OSError, ValueError) as error:  # name too long, zero byte, no permission on a folder
        raise MediaError(action, str(error), "check the path") from error


@dataclass(frozen=True)
class _First:
    """Start of a stream on the file's own clock, and what :class:`MediaInfo` says about it."""

    start: Fraction
    fields: dict[str, Any]


def _first_picture(path: Path, warnings: list[str]) -> _First | None:
    with open_container(path) as container:
        stream = choose_tracks(container).video
        if stream is None:
            warnings.append("no decoder for the picture")
            return None
        if stream.width * stream.height > MAX_PIXELS:
            warnings.append(f"the picture is too large ({stream.width} x {stream.height})")
            return None
        read_only(container, stream)
        frame = cast(VideoFrame | None, next(decode(container, stream, warnings.append), None))
        if frame is None:
            warnings.append("the picture cannot be decoded")
            return None
        width, height = round(frame.width * pixel_aspect(stream)), frame.height
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


def _first_audio(path: Path, warnings: list[str]) -> _First | None:
    with open_container(path) as container:
        stream = choose_tracks(container).audio
        if stream is None:
            warnings.append("no decoder for the audio")
            return None
        read_only(container, stream)
        frame = cast(AudioFrame | None, next(decode(container, stream, warnings.append), None))
        if frame is None:
            warnings.append("the audio cannot be decoded")
            return None
        fields = {
            "audio_codec": stream.codec_context.name,
            "sample_rate": frame.sample_rate,
            "channels": frame.layout.nb_channels,
        }
        return _First(timestamp(frame) or Fraction(0), fields)


def _header_length(path: Path, zero: Fraction) -> Fraction | None:
    """Seconds from ``zero`` to the end that the header gives, ``None`` where it gives none."""
    with open_container(path) as container:
        tracks = choose_tracks(container)
        video = tracks.video
        if container.format.name == "avi" and video and video.frames and video.average_rate:
            # FFmpeg shrinks the length of a truncated avi to what is there; the header does not.
            return video.frames / video.average_rate
        if container.format.name == "wav" and (promised := _promised_by_wav(path)):
            return promised
        ends = []
        for stream in (video, tracks.audio):
            if stream is None:
                continue
            if not stream.duration or stream.time_base is None:
                return Fraction(container.duration, av.time_base) if container.duration else None
            ends.append(((stream.start_time or 0) + stream.duration) * stream.time_base)
        return max(ends) - zero


def _promised_by_wav(path: Path) -> Fraction | None:
    """Seconds that a wav's header promises where the file is shorter, of which FFmpeg says nothing.

    ``None`` for a whole file, and for headers of endless recordings.
    """
    with path.open("rb") as file:
        if file.read(4) != b"RIFF":
            return None
        file.seek(12)
        bytes_per_s, size = 0, path.stat().st_size
        while len(head := file.read(8)) == 8:
            name, length = head[:4], int.from_bytes(head[4:], "little")
            if name == b"data":
                short = file.tell() + length > size and length < 0xFFFF_FF00
                return Fraction(length, bytes_per_s) if short and bytes_per_s else None
            if name == b"fmt ":
                bytes_per_s = int.from_bytes(file.read(12)[8:], "little")
                length -= 12
            file.seek(length + length % 2, os.SEEK_CUR)
    return None


def _scan(path: Path, zero: Fraction) -> Fraction:
    """Seconds from ``zero`` to the end of the last packet, found by reading through the file."""
    end = zero
    with open_container(path) as container:
        tracks = choose_tracks(container)
        packets = container.demux([s for s in (tracks.video, tracks.audio) if s is not None])
        try:
            for packet in packets:
                if packet.pts is not None and packet.time_base is not None:
                    end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        except av.FFmpegError:
            return end - zero  # what follows cannot be read by anybody
    return end - zero
