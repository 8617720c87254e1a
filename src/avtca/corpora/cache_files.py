"""Files of a prepared corpus: their places, ``corpus.json``, the manifest, the key of a sample."""

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from avtca.clipspec import ClipSpec
from avtca.compat import upgrade
from avtca.corpora.index import CorpusIndex, SampleSource
from avtca.errors import CorpusError
from avtca.text import csv_cell, printable

METADATA = "corpus.json"
FORMAT = 2
"""Version of the cache."""
READABLE_FORMATS = (1, FORMAT)
"""Format 1, of avtca 0.1, differs in names alone."""
KEY_VERSION, VIDEO_KEY_VERSION = 1, 2
"""Part of every cache key, of samples without and with decoded video; goes up when the same sources
would give other samples. Video 2: faces are searched around their last place (0.4)."""


def cache_key(source: SampleSource, index: CorpusIndex, spec: ClipSpec, *, lossless: bool) -> str:
    """Hash of everything that a sample's file depends on, except the bytes of its sources.

    Raises:
        OSError: A source file is missing.
    """
    files = [(index.relative(path), path.stat().st_size) for path in source.files()]
    series = [one.name if one else "" for one in (source.video_series, source.audio_series)]
    parts = [
        VIDEO_KEY_VERSION if source.video is not None else KEY_VERSION,
        replace(spec, labels=()).hash,
        lossless,
        source.start_s,
        source.end_s,
        files,
        series,
        source.video is not None,
        source.audio is not None,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def sample_path(folder: Path, sample_id: str) -> Path:
    """The file of a sample in a cache: one of 256 folders, a name safe on any file system."""
    digest = hashlib.sha256(sample_id.encode()).hexdigest()
    name = f"{quote(sample_id, safe='')[:80]}-{digest[2:8]}.safetensors"
    return folder / "clips" / digest[:2] / name


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_metadata(folder: Path, action: str) -> dict[str, Any]:
    """``corpus.json`` of a prepared corpus.

    Raises:
        CorpusError: It is missing, broken, or of an unknown format.
    """
    path = folder / METADATA
    if not path.is_file():
        raise CorpusError(action, f"no prepared corpus at {folder}", "run avtca prepare first")
    try:
        values = json.loads(path.read_text("utf-8"))
        version = values["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(action, f"{path} is broken ({error!r})", "prepare it again") from error
    if version not in READABLE_FORMATS:
        raise CorpusError(
            action,
            f"the cache has format {version}, this version of avtca reads {FORMAT}",
            "prepare it again into another folder",
        )
    return dict(upgrade(values))


def to_parquet(rows: list[dict[str, Any]]) -> bytes:
    """A manifest; columns that every manifest has are there even if all values are missing."""
    import pandas as pd

    frame = pd.DataFrame(rows)
    for optional in ("sex", "age", "intensity", "split"):
        if optional not in frame:
            frame[optional] = None
    frame = frame.astype({"start_s": float, "end_s": float})
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False, compression="zstd")
    return buffer.getvalue()


def to_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV with Unix line ends, in which no cell is a formula."""
    buffer = io.StringIO(newline="")
    cells = ([csv_cell(printable(cell)) for cell in row] for row in rows)
    csv.writer(buffer, lineterminator="\n").writerows([header, *cells])
    return buffer.getvalue().encode()
