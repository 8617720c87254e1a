"""Paths, folders and globs to media files."""

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from avtca.errors import MediaError

_VIDEO = ".mp4 .m4v .mov .mkv .webm .avi .flv .f4v .wmv .asf .mpg .mpeg .m2ts .mts .3gp .3g2 .ogv"
_SOUND = ".wav .flac .mp3 .m4a .aac .ogg .oga .opus .wma .aif .aiff .au .amr .caf"
_PICTURE = ".jpg .jpeg .png .bmp .tif .tiff .webp .gif"
MEDIA_SUFFIXES = frozenset(f"{_VIDEO} {_SOUND} {_PICTURE} .ts .mxf".split())
"""Name endings, in lower case, by which folders and globs know media."""


@dataclass(frozen=True)
class Found:
    """One file to read, or the reason why an entry gave none: exactly one is not ``None``."""

    entry: str
    """What the user wrote."""
    path: Path | None = None
    error: MediaError | None = None


def find_media(entries: Iterable[str | Path]) -> list[Found]:
    """Expand files, folders and globs, in the order given, each file once.

    A file is taken whatever its name. A folder gives the media files in it and below, sorted, but
    no hidden ones. A glob (``*``, ``?``, ``[...]``, ``**``) gives the media files and folders it
    matches; files of any name where it spells their ending out. A missing path, a folder without
    media and a glob without a match become an error for that entry; nothing is raised.
    """
    found: list[Found] = []
    seen: set[Path] = set()
    for entry in entries:
        text = str(entry)
        try:
            paths = _expand(text)
        except MediaError as error:
            found.append(Found(text, error=error))
            continue
        for path in paths:
            real = path.resolve()
            if real not in seen:
                seen.add(real)
                found.append(Found(text, path=path))
    return found


def _expand(text: str) -> list[Path]:
    path = Path(text)
    if path.is_dir():
        return _in_folder(path)
    if os.path.lexists(path):
        return [path]
    if not glob.has_magic(text):
        raise MediaError(f"read {text}", "no such file or folder", "check the path")
    return _in_glob(text)


def _in_folder(folder: Path) -> list[Path]:
    trouble: list[OSError] = []
    found: list[Path] = []
    for root, folders, files in os.walk(folder, onerror=trouble.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(root, name) for name in files if _is_media(name)]
    if trouble and not found:
        raise MediaError(f"read folder {folder}", str(trouble[0]), "allow reading it")
    if not found:
        raise MediaError(
            f"read folder {folder}", "no media files in it", "give a folder with video or sound"
        )
    return sorted(found)


def _in_glob(pattern: str) -> list[Path]:
    any_name = bool(ending := Path(pattern).suffix) and not glob.has_magic(ending)
    found: list[Path] = []
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207
        path = Path(name)
        if path.is_dir():
            if "**" not in pattern:
                found += _media_or_none(path)
        elif any_name or _is_media(path.name):
            found.append(path)
    if not found:
        raise MediaError(f"read {pattern}", "no media file matches", "check the pattern")
    return found


def _media_or_none(folder: Path) -> list[Path]:
    try:
        return _in_folder(folder)
    except MediaError:
        return []


def _is_media(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in MEDIA_SUFFIXES
