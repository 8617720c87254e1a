"""The layout of WAV files, whose size fields are often wrong."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

UNKNOWN_SIZES = 0, 0xFFFF_FF00
"""A data size of zero, or from this upwards, means that the recorder did not know it."""

_PROBE = 2**16


@dataclass(frozen=True)
class WavLayout:
    """Where the samples of a WAV file are.

    Attributes:
        data_start: Offset of the samples in bytes.
        data_size: Bytes of samples by the header.
        file_size: Bytes of the file.
        bytes_per_s: Bytes of a second by the header.
        tail: What follows the samples: "chunks" (or nothing), "zeros", or "audio", where the size
            in the header is too small.
    """

    data_start: int
    data_size: int
    file_size: int
    bytes_per_s: int
    tail: Literal["chunks", "zeros", "audio"]

    @property
    def size_known(self) -> bool:
        """Whether the header has a size."""
        return UNKNOWN_SIZES[0] < self.data_size < UNKNOWN_SIZES[1]

    @property
    def audio_goes_on(self) -> bool:
        """Whether there are samples after the end that the header gives."""
        return self.size_known and self.tail == "audio"

    @property
    def cut_short(self) -> bool:
        """Whether the file ends before the samples do."""
        return self.size_known and self.data_start + self.data_size > self.file_size


def wav_layout(path: Path) -> WavLayout | None:
    """The layout of a RIFF WAV file; ``None`` for other files."""
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
            return None
        bytes_per_s, size = 0, path.stat().st_size
        while len(head := file.read(8)) == 8:
            name, length = head[:4], int.from_bytes(head[4:], "little")
            if name == b"data":
                start = file.tell()
                return WavLayout(start, length, size, bytes_per_s, _tail(file, start + length))
            if name == b"fmt ":
                bytes_per_s = int.from_bytes(file.read(12)[8:], "little")
                length -= 12
            file.seek(length + length % 2, os.SEEK_CUR)
    return None


def _tail(file: BinaryIO, end: int) -> Literal["chunks", "zeros", "audio"]:
    size = file.seek(0, os.SEEK_END)
    at = end + end % 2
    for first in (end, end + 1):  # the padding byte is often missing
        file.seek(first)
        head = file.read(4)
        if len(head) < 4:
            return "chunks"
        if head.isascii() and head.decode().isprintable():
            return "audio" if head == b"RIFF" else "chunks"
    starts = (at, max(at, (at + size) // 2), max(at, size - _PROBE))
    for start in starts:
        file.seek(start)
        if any(file.read(_PROBE)):
            return "audio"
    return "zeros"
