"""Media files to frames and sound, read as a stream through FFmpeg (PyAV)."""

from avtca.media.find import MEDIA_SUFFIXES, Found, find_media
from avtca.media.hold import held
from avtca.media.media_file import Clip, Frame, MediaInfo
from avtca.media.probe import open_clip

__all__ = [
    "MEDIA_SUFFIXES",
    "Clip",
    "Found",
    "Frame",
    "MediaInfo",
    "find_media",
    "held",
    "open_clip",
]
