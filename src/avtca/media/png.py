"""Compressed metadata of PNG files, which FFmpeg unpacks without a limit."""

import os
import zlib
from pathlib import Path

MAX_METADATA = 2**24
"""Most bytes of a chunk of metadata; colour profiles have at most a few million."""
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COMPRESSED = (b"iCCP", b"zTXt")


def metadata_is_bomb(path: Path) -> bool:
    """Whether a file is a PNG with metadata that unpack to more than :data:`MAX_METADATA`."""
    with path.open("rb") as file:
        if file.read(8) != _SIGNATURE:
            return False
        while len(head := file.read(8)) == 8:
            length = int.from_bytes(head[:4], "big")
            if head[4:] not in _COMPRESSED:
                file.seek(length + 4, os.SEEK_CUR)
                continue
            if length > MAX_METADATA:
                return True
            _, _, packed = file.read(length).partition(b"\0")  # name, method, stream
            if _unpacks_beyond(packed[1:], MAX_METADATA):
                return True
            file.seek(4, os.SEEK_CUR)
    return False


def _unpacks_beyond(packed: bytes, limit: int) -> bool:
    try:
        return len(zlib.decompressobj().decompress(packed, limit + 1)) > limit
    except zlib.error:
        return False
