"""Files that are there whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any


def write_atomic(path: Path, data: str | bytes, *, sync: bool = False) -> None:
    """Write beside (text as UTF-8), then move into place; with ``sync`` once it is on the disk."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_json(path: Path, values: Any) -> None:
    """Write JSON with :func:`write_atomic`, one space an indent, not escaped."""
    write_atomic(path, json.dumps(values, indent=1, ensure_ascii=False) + "\n")
