"""Whether the end of an image, Ogg or ASF file is missing, which FFmpeg conceals."""

from pathlib import Path

MAX_IMAGE_BYTES = 2**28
"""Larger images are not checked."""
_OGG_TAIL = 2**17
_OGG_HEAD = 27
_OGG_LAST = 4
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HEAD = 2**16


def end_is_missing(path: Path) -> bool:
    """Whether a JPEG, PNG, GIF, Ogg or ASF (WMV) file, by its first bytes, lacks its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(16)
        if start == _ASF:
            return size < _asf_size(file.read(_ASF_HEAD))
        if start.startswith(b"OggS"):
            file.seek(max(0, size - _OGG_TAIL))
            return not _ogg_ends(file.read())
        image = start.startswith((b"\xff\xd8\xff", b"\x89PNG", b"GIF8"))
        if not image or size > MAX_IMAGE_BYTES:
            return False
        data = start + file.read()
    if start.startswith(b"GIF8"):
        return not data.rstrip(b"\0").endswith(b";")
    if start.startswith(b"\x89PNG"):
        return b"IEND" not in data
    return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def _asf_size(head: bytes) -> int:
    """Bytes of the file by its header, 0 where the recorder did not know them."""
    at = head.find(_ASF_PROPERTIES)
    values = head[at + 40 : at + 92] if at >= 0 else b""
    streamed = len(values) < 52 or values[48] & 1
    return 0 if streamed else int.from_bytes(values[:8], "little")


def _ogg_ends(tail: bytes) -> bool:
    """Whether the last page is complete and marked as the last of its stream."""
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + _OGG_HEAD:
        return False
    segments = tail[at + _OGG_HEAD : at + _OGG_HEAD + tail[at + _OGG_HEAD - 1]]
    complete = len(tail) >= at + _OGG_HEAD + len(segments) + sum(segments)
    return complete and bool(tail[at + 5] & _OGG_LAST)
