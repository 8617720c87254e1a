"""Media files and arrays as streams of frames and audio, decoded by FFmpeg (PyAV)."""

from avtca.media.arrays import MediaArrays
from avtca.media.clock import hold_frames
from avtca.media.find import MEDIA_SUFFIXES, Found, find_media, skipped_text
from avtca.media.media_file import MediaFile
from avtca.media.probe import MediaSource, open_media
from avtca.media.types import Frame, Media, MediaInfo, Moment

__all__ = [
    "MEDIA_SUFFIXES",
    "Found",
    "Frame",
    "Media",
    "MediaArrays",
    "MediaFile",
    "MediaInfo",
    "MediaSource",
    "Moment",
    "find_media",
    "hold_frames",
    "open_media",
    "skipped_text",
]
