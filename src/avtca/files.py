"""Files that are there whole or not at all."""

import os
from pathlib import Path


def write_atomic(path: Path, data: str | bytes) -> None:
    """Write beside (text as UTF-8), then move into place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
