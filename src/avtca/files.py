"""Atomic writes, and the cache folder."""

import json
import os
import sys
from pathlib import Path
from typing import Any


def write_atomic(path: Path, data: str | bytes, *, sync: bool = False) -> None:
    """Write a file so that it is complete or absent, also after a crash.

    Args:
        path: The file.
        data: Content; text is written as UTF-8.
        sync: Whether to wait until the content is on the disk.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
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


def cache_folder() -> Path:
    """The cache folder: ``AVTCA_CACHE``, or ``avtca`` in the system's cache folder."""
    if given := os.environ.get("AVTCA_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "avtca"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "avtca"
    return Path(os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))) / "avtca"
