"""Atomic writes, hashes of files, and the cache folder."""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def write_atomic(path: Path, data: str | bytes | Iterable[str], *, sync: bool = False) -> None:
    """Write a file so that it is complete or absent, also after a crash.

    Args:
        path: The file.
        data: Content, whole or in parts; text is written as UTF-8.
        sync: Whether to wait until the content is on the disk.
    """
    parts = (data,) if isinstance(data, str | bytes) else data
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            for piece in parts:
                file.write(piece.encode() if isinstance(piece, str) else piece)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_json(path: Path, values: Any) -> None:
    """Write JSON with :func:`write_atomic`, one space an indent, not escaped."""
    write_atomic(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Hold the lock of a folder; yields whether no other process holds it.

    The system releases the lock of a process that dies. Where there are no such locks (Windows,
    some network drives), the folder always counts as free.
    """
    if sys.platform == "win32":
        yield True
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass
        yield True
    finally:
        os.close(handle)


def cache_folder() -> Path:
    """The cache folder: ``AVTCA_CACHE``, or ``avtca`` in the system's cache folder."""
    if given := os.environ.get("AVTCA_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "avtca"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "avtca"
    return Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "avtca"


def file_digest(path: Path) -> str | None:
    """SHA-256 of a file; ``None`` for anything that is not a readable regular file."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None
