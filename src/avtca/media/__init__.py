"""Media files to frames and audio, read as a stream through FFmpeg (PyAV)."""

from avtca.media.find import MEDIA_SUFFIXES, Found, find_media
from avtca.media.hold import hold_frames
from avtca.media.media_file import Frame, MediaFile, MediaInfo
from avtca.media.probe import open_media

__all__ = [
    "MEDIA_SUFFIXES",
    "Found",
    "Frame",
    "MediaFile",
    "MediaInfo",
    "find_media",
    "hold_frames",
    "open_media",
]
