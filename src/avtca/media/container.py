"""Open a file with FFmpeg, choose its streams, and decode one of them.

Only local files in the formats of :data:`DEMUXERS` are opened. Otherwise FFmpeg would also render
text files as ANSI art, and follow playlists to other files or addresses.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container.input import InputContainer
from av.stream import Discard, Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from avtca.errors import MediaError
from avtca.media.clock import seconds_after
from avtca.media.sampled import SKIPPING_CODECS, AnyPacket, PacketChoice
from avtca.media.wav import wav_layout

IMAGE_DEMUXERS = "image2,jpeg_pipe,png_pipe,bmp_pipe,tiff_pipe,webp_pipe,ppm_pipe,pgm_pipe"
"""Names of the FFmpeg demuxers of still images."""
DEMUXERS = (
    "mov,matroska,avi,flv,live_flv,kux,mpegts,mpeg,mpegvideo,asf,ogg,wav,w64,flac,mp3,aac,ac3,aiff,"
    "au,amr,caf,gif,apng,mxf,nut,ivf,obu,h264,hevc,m4v,mjpeg,dv,rm,yuv4mpegpipe," + IMAGE_DEMUXERS
)
"""Names of the allowed FFmpeg demuxers."""

MAX_PIXELS = 2**26
"""Larger images (8192 x 8192) are refused before they are decoded."""
MAX_VIDEO_PIXELS = 2**25
"""The limit for frames of a video, of which a decoder keeps several (8K has 7680 x 4320)."""
LARGE_PIXELS = 2**24
"""Larger frames of a video are decoded one at a time, and reduced to half the width and height."""
TIMEOUT_S = 20.0
"""Longest time in seconds for opening and probing a file, and for reading a packet."""
THUMBNAIL_OF = 8
"""A video track is a thumbnail of another that is larger by this factor."""
UNDECODABLE = "could not be decoded"
"""Part of the warning about damaged packets."""

SEEKABLE = ("mov", "wav")
"""Containers in which a part is found by its time. The timestamps of others can go back in joined
recordings, so that a part can be placed only from the start of the file."""
SEEK_MARGIN_S = 2
"""Seconds before a part from which on a decoder is run: its first audio frames depend on those
before."""

_THREADS_FROM, _THREADS = 2**20, 2
"""Frames of more pixels than 720p are decoded by several threads, which costs half as much CPU time
again. Smaller ones are decoded faster than their faces are found."""
_NOT_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails


def open_container(path: Path, name: str) -> InputContainer:
    """Open a file called ``name`` in messages; :class:`MediaError` where it is not media."""
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": DEMUXERS,
        "pattern_type": "none",  # an image's name may contain % or *
    }
    url = f"file:{path.absolute()}"
    try:
        wav = wav_layout(path)
        if wav and wav.audio_goes_on:
            options["ignore_length"] = "1"
        if wav and wav.size_known and wav.tail == "zeros":  # FFmpeg would look for chunks in them
            options["protocol_whitelist"] = "file,subfile"
            url = f"subfile,,start,0,end,{wav.data_start + wav.data_size},,:{url}"
        return av.open(url, mode="r", options=options, metadata_errors="replace", timeout=TIMEOUT_S)
    except av.error.ExitError as error:
        raise MediaError(
            f"read {name}",
            f"opening it took longer than {TIMEOUT_S:g} s",
            "export or copy the file again",
        ) from error
    except PermissionError as error:
        raise MediaError(f"read {name}", "no permission", "allow reading it") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaError(
            f"read {name}",
            "it is not a media file, or its header is damaged",
            "give a video, audio or image file (mp4, mov, mkv, webm, avi, flv, wav, jpg, ...)",
        ) from error


@dataclass(frozen=True)
class Tracks:
    """Tracks of a file, as indices of its streams.

    Attributes:
        video: Video tracks in the order of the file, without images attached to a music file.
        audio: Audio tracks in the order of the file.
        n_covers: Number of attached images.
    """

    video: tuple[int, ...]
    audio: tuple[int, ...]
    n_covers: int


def list_tracks(container: InputContainer) -> Tracks:
    """All tracks with video or audio."""
    videos = container.streams.video
    shown = [stream.index for stream in videos if not stream.disposition & _NOT_VIDEO]
    audios = [stream.index for stream in container.streams.audio]
    return Tracks(tuple(shown), tuple(audios), len(videos) - len(shown))


def by_preference(container: InputContainer, tracks: Sequence[int]) -> list[int]:
    """Tracks of one kind in the order in which a player would choose.

    Tracks with a decoder come first, then the default one unless it is a thumbnail of another,
    then the largest video, then the order of the file.
    """
    streams = [container.streams[index] for index in tracks]
    largest = max(map(_area, streams), default=0)

    def key(stream: Stream) -> tuple[bool, bool, int]:
        is_thumbnail = _area(stream) * THUMBNAIL_OF < largest
        is_default = bool(stream.disposition & Disposition.default)
        return stream.codec_context is not None, is_default and not is_thumbnail, _area(stream)

    return [stream.index for stream in sorted(streams, key=key, reverse=True)]


def _area(stream: Stream) -> int:
    """Pixels of a frame; 0 without a decoder, since only a decoder has them."""
    if not isinstance(stream, VideoStream) or stream.codec_context is None:
        return 0
    return stream.width * stream.height


def video_stream(container: InputContainer, index: int) -> VideoStream:
    """A video track by the index of its stream."""
    return cast(VideoStream, container.streams[index])


def audio_stream(container: InputContainer, index: int) -> AudioStream:
    """An audio track by the index of its stream."""
    return cast(AudioStream, container.streams[index])


def read_only(container: InputContainer, stream: Stream) -> None:
    """Skip the other streams, and decode large frames of this one with several threads."""
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    if isinstance(stream, VideoStream):
        pixels = stream.width * stream.height
        stream.thread_type = "SLICE" if pixels > LARGE_PIXELS else "AUTO"
        stream.codec_context.thread_count = _THREADS if pixels > _THREADS_FROM else 1
        # Frames can be larger than the header says.
        stream.codec_context.options = {"max_pixels": str(max_pixels(container, stream))}


def seek_before(container: InputContainer, stream: Stream, time: Fraction) -> None:
    """Skip what is more than :data:`SEEK_MARGIN_S` before a time on the file's own clock.

    Only in containers whose timestamps never go back; others are read from their start.
    """
    if container.format.name.split(",")[0] in SEEKABLE and stream.time_base:
        with suppress(av.FFmpegError):  # without an index: read from the start
            container.seek(int((time - SEEK_MARGIN_S) / stream.time_base), stream=stream)


def max_pixels(container: InputContainer, stream: VideoStream) -> int:
    """Largest frame of a stream that is decoded, in pixels."""
    return MAX_PIXELS if is_still(container, stream) else MAX_VIDEO_PIXELS


def is_still(container: InputContainer, stream: VideoStream) -> bool:
    """Whether a stream is a single image."""
    return container.format.name in IMAGE_DEMUXERS.split(",") or stream.frames == 1


def decode(
    container: InputContainer,
    stream: VideoStream | AudioStream,
    warn: Callable[[str], None],
    stopped: Callable[[float], None] = lambda share: None,
    concealed: Callable[[str], None] = lambda text: None,
    choice: PacketChoice | None = None,
) -> Iterator[VideoFrame | AudioFrame]:
    """Every frame of one stream; damaged packets are skipped, with a warning at the end.

    ``stopped`` is called with the share of the file's bytes before a damage that ends the decoding,
    ``concealed`` with a warning where frames are damaged and the decoder concealed it. With
    ``choice``, frames that it does not need are left out if no other frame refers to them.
    """
    name = "video" if isinstance(stream, VideoStream) else "audio"
    packets = _packets(container, stream, name, warn, stopped)
    if choice is None or stream.codec_context.name not in SKIPPING_CODECS:
        chosen: Iterable[tuple[AnyPacket | None, bool]] = ((packet, True) for packet in packets)
    else:
        chosen = choice(packets)
    broken = n_concealed = 0
    decodes_all = True
    for packet, needed in chosen:
        if needed != decodes_all:
            stream.codec_context.skip_frame = "DEFAULT" if needed else "NONREF"
            decodes_all = needed
        try:
            for frame in stream.decode(packet):
                n_concealed += frame.is_corrupt
                yield frame
        except EOFError:
            break
        except av.FFmpegError:
            broken += 1
    if n_concealed:
        concealed(f"{n_concealed} frame(s) of the {name} are damaged, which the decoder concealed")
    if broken:
        warn(f"{broken} packet(s) of the {name} {UNDECODABLE} and were skipped")


def _packets(
    container: InputContainer,
    stream: VideoStream | AudioStream,
    name: str,
    warn: Callable[[str], None],
    stopped: Callable[[float], None],
) -> "Iterator[AnyPacket | None]":
    """The packets of one stream; after the last one, an empty one or ``None``."""
    packets = container.demux(stream)
    position = 0
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.FFmpegError as error:
            warn(f"the file is damaged, the {name} was decoded up to there ({error.strerror})")
            stopped(position / max(1, container.size))
            yield None
            return
        position = max(position, (packet.pos or 0) + packet.size)
        yield packet
        if packet.size == 0 and packet.pts is None:
            return


def timestamp(frame: VideoFrame | AudioFrame) -> Fraction | None:
    """Presentation time in seconds on the file's clock, ``None`` without one."""
    ticks, base = frame.dts if frame.pts is None else frame.pts, frame.time_base
    return None if ticks is None or base is None else ticks * base


def time_after(frame: VideoFrame | AudioFrame, zero: Fraction) -> float | None:
    """As :func:`timestamp`, after ``zero``, as a floating-point number."""
    ticks, base = frame.dts if frame.pts is None else frame.pts, frame.time_base
    return None if ticks is None or base is None else seconds_after(ticks, base, zero)
