"""Pictures that FFmpeg would read in part, or not at all: they are refused by name.

PyAV (18.1) does not expose the stream groups in which FFmpeg describes the tiles of a picture.
"""

from pathlib import Path

from avtca.errors import MediaError

_HEAD = 2**18
"""Bytes in which the description of a HEIF file has to begin."""
_MADE_OF_PARTS = (b"grid", b"iovl")
_WEBP_ANIMATED = 2


def refuse_unsupported(path: Path, name: str) -> None:
    """Raise :class:`MediaError` for a tiled HEIC or AVIF picture and for an animated WebP."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return  # opening it with FFmpeg names the reason
    if head[4:8] == b"ftyp" and _primary_item(head) in _MADE_OF_PARTS:
        kind = "AVIF" if b"avif" in head[8:40] else "HEIC"
        raise MediaError(
            f"read {name}", f"a tiled {kind} picture is not supported", "export it as JPEG"
        )
    if (
        head[:4] == b"RIFF"
        and head[8:16] == b"WEBPVP8X"
        and int.from_bytes(head[20:21]) & _WEBP_ANIMATED
    ):
        raise MediaError(
            f"read {name}", "animated WebP is not supported", "export it as GIF or MP4"
        )


def _primary_item(head: bytes) -> bytes | None:
    """Type of the primary item of a HEIF file (ISO/IEC 23008-12), ``None`` where it has none."""
    at = head.find(b"pitm")
    if at < 0 or b"iinf" not in head:
        return None
    wide = head[at + 4 : at + 5] > b"\0"  # the box's version: numbers have four bytes
    number = int.from_bytes(head[at + 8 : at + (12 if wide else 10)], "big")
    at = head.find(b"infe")
    while at >= 0:
        size = 4 if head[at + 4 : at + 5] > b"\2" else 2
        if int.from_bytes(head[at + 8 : at + 8 + size], "big") == number:
            return head[at + 10 + size : at + 14 + size]
        at = head.find(b"infe", at + 4)
    return None
