"""Paths, folders and globs to media files."""

import glob
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from av.format import ContainerFormat

from avtca.errors import MediaError
from avtca.media.container import DEMUXERS
from avtca.media.pipe import STANDARD_INPUT, is_pipe
from avtca.media.types import fragment

_IMAGES = "jpg jpeg jpe jfif png bmp tif tiff webp ppm pgm"
"""Suffixes of FFmpeg's demuxers of images, which do not list them."""
_MUXERS = "vob,oga,ogv,spx,opus,webm,adts,ipod,mpeg1video,mpeg2video"
"""Further formats that :data:`DEMUXERS` read."""
_NO_MEDIA = "mks ism"
"""Suffixes of the same demuxers: subtitles, a list of streams."""


def _suffixes() -> frozenset[str]:
    """What FFmpeg lists for the allowed demuxers, and for the muxers of the same formats."""
    names = set(_IMAGES.split())
    for name in f"{DEMUXERS},{_MUXERS}".split(","):
        for mode in ("r", "w") if name != "image2" else ():
            with suppress(ValueError):  # there is a demuxer or a muxer only
                names |= ContainerFormat(name, mode).extensions
    return frozenset(f".{name}" for name in names - set(_NO_MEDIA.split()))


MEDIA_SUFFIXES = _suffixes()
"""File name suffixes, in lower case, that folders and globs select."""
STDIN = "-"
"""Entry that stands for standard input; a file of this name is ``./-``."""
OUTPUTS = "avtca-manifest.json"
"""A folder with a file of this name holds reports, whose images are not media."""
_REPORT_IMAGE = re.compile(r"((\.person\d+)?\.png|\.faces\.jpg)$")


_ADDRESS = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")


@dataclass(frozen=True)
class Found:
    """One media file, or the reason why there is none: exactly one is not ``None``."""

    entry: str
    """The given entry, or the folder below it that could not be read."""
    path: Path | None = None
    error: MediaError | None = None
    start_s: float = 0.0
    """First second of a part of the file."""
    end_s: float | None = None
    """Second at which the part ends, by default the end of the file."""

    @property
    def part(self) -> str:
        """The part as in an address, "#t=1.5,3"; empty for the whole file."""
        is_whole = not self.start_s and self.end_s is None
        return "" if is_whole else fragment(self.start_s, self.end_s)

    @property
    def is_stdin(self) -> bool:
        """Whether it is standard input; ``path`` is its name then."""
        return self.entry == STDIN

    @property
    def is_pipe(self) -> bool:
        """Whether it is standard input or a pipe that was given by name: it can be read once."""
        return self.is_stdin or (self.path == Path(self.entry) and is_pipe(self.path))


def find_media(entries: Iterable[str | Path], skipped: set[Path] | None = None) -> list[Found]:
    """Expand files, folders and globs, in the order given, each file once.

    Args:
        entries: A file may have any name. A folder stands for the media files in it and below,
            sorted, without hidden files and the images of avtca's reports. A glob (``*``, ``?``,
            ``[...]``, ``**``) stands for the media files and folders it matches, and for files of
            any name if it spells their suffix out. ``-`` is standard input.
        skipped: The other files of folders and globs are added to it, see :func:`skipped_text`.

    Returns:
        The regular files, and pipes that were given by name. A missing path, a device, a pipe in
        a folder, a loop of links, a folder without media, an unreadable folder and a glob without
        a match are one error each; nothing is raised.
    """
    found: list[Found] = []
    seen: set[Path] = set()
    for entry in entries:
        for one in _expand(str(entry), set() if skipped is None else skipped):
            if one.path is not None:
                if not one.is_pipe and (error := irregular(one.path, str(one.path))):
                    found.append(Found(str(one.path), error=error))
                    continue
                real = one.path.resolve()
                if real in seen:
                    continue
                seen.add(real)
            found.append(one)
    return found


def find_file(text: str, folder: Path) -> Found:
    """The file of one path; a relative one starts at ``folder``, and may be written for Windows.

    Its ``entry`` is ``folder`` if the file is below it.
    """
    if _ADDRESS.match(text):
        return _address(text)
    path = folder / text
    if "\\" in text and not os.path.lexists(path):
        path = folder / text.replace("\\", "/")
    if error := irregular(path, str(path)):
        return Found(str(path), error=error)
    below = path.is_relative_to(folder) and ".." not in path.relative_to(folder).parts
    return Found(str(folder if below else path), path)


def skipped_text(skipped: Iterable[Path]) -> str:
    """The files by suffix: "3 files of other kinds were skipped: 2 .docx, 1 .txt", "" for none."""
    count = Counter(path.suffix.lower() or "without a suffix" for path in skipped)
    if not count:
        return ""
    kinds = ", ".join(f"{n} {suffix}" for suffix, n in sorted(count.items()))
    files = (
        "1 file of another kind was"
        if count.total() == 1
        else (f"{count.total()} files of other kinds were")
    )
    return f"{files} skipped: {kinds}"


def _expand(text: str, skipped: set[Path]) -> list[Found]:
    if text == STDIN:
        return [Found(text, Path(STANDARD_INPUT))]
    if _ADDRESS.match(text):
        return [_address(text)]
    if "\0" in text:
        return [_failed(text, f"read {text}", "the name has a zero byte", "check the path")]
    path = Path(text)
    if path.is_dir():
        return _in_folder(text, path, skipped)
    if os.path.lexists(path):
        return [Found(text, path)]
    if not glob.has_magic(text):
        return [_failed(text, f"read {text}", "no such file or folder", "check the path")]
    return _in_glob(text, skipped)


def _address(text: str) -> Found:
    problem = "it is an address, and avtca does not use the network"
    return _failed(text, f"read {text}", problem, "download the file, and give its path")


def _in_folder(text: str, folder: Path, skipped: set[Path]) -> list[Found]:
    """The media files below a folder, then the folders that could not be read."""
    errors: list[OSError] = []
    paths: list[Path] = []
    for root, folders, files in os.walk(folder, onerror=errors.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        reported = set(files) if OUTPUTS in files else set()
        paths += [Path(root, x) for x in files if _is_media(x) and not _of_report(x, reported)]
        if not reported:
            skipped |= {Path(root, x) for x in files if not (_is_media(x) or x.startswith("."))}
    found = [Found(text, path) for path in sorted(paths)]
    for error in errors:
        name = str(error.filename or folder)
        found.append(
            _failed(name, f"read folder {name}", error.strerror or str(error), "allow reading it")
        )
    if not found:
        fix = "give a folder with video or audio"
        return [_failed(text, f"read folder {folder}", "no media files in it", fix)]
    return found


def _in_glob(pattern: str, skipped: set[Path]) -> list[Found]:
    any_name = bool(ending := Path(pattern).suffix) and not glob.has_magic(ending)
    found: list[Found] = []
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207
        path = Path(name)
        if path.is_dir():
            if "**" not in pattern:
                below = _in_folder(pattern, path, skipped)
                found += [one for one in below if one.path or one.entry != pattern]
        elif any_name or _is_media(path.name):
            found.append(Found(pattern, path))
        elif not path.name.startswith("."):
            skipped.add(path)
    if not found:
        return [_failed(pattern, f"read {pattern}", "no media file matches", "check the pattern")]
    return found


def irregular(path: Path, name: str) -> MediaError | None:
    """Why this is no regular file, if it is none: opening a pipe would wait for ever."""
    action = f"read {name}"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return MediaError(action, "no such file", "check the path")
    except OSError as error:  # a loop of links, a name that is too long, no permission
        return MediaError(action, error.strerror or str(error), "check the path")
    except ValueError:
        return MediaError(action, "the name has a zero byte", "check the path")
    if stat.S_ISDIR(mode):
        return MediaError(action, "it is a folder", "give a file")
    if stat.S_ISREG(mode):
        return None
    return MediaError(action, "it is a pipe, socket or device", "write the recording to a file")


def _of_report(name: str, others: set[str]) -> bool:
    stem, n = _REPORT_IMAGE.subn("", name)
    return n > 0 and f"{stem}.json" in others


def _failed(entry: str, action: str, problem: str, fix: str) -> Found:
    return Found(entry, error=MediaError(action, problem, fix))


def _is_media(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in MEDIA_SUFFIXES
