"""The small files of a prepared corpus: ``corpus.json``, the manifest, ``failures.csv``."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from avtca.compat import upgrade
from avtca.corpora.index import FORMAT, READABLE_FORMATS
from avtca.errors import CorpusError


def read_metadata(folder: Path, action: str) -> dict[str, Any]:
    """``corpus.json`` of a prepared corpus. Raises :class:`CorpusError` for another version."""
    head = folder / "corpus.json"
    if not head.is_file():
        raise CorpusError(action, f"no prepared corpus at {folder}", "run avtca prepare first")
    try:
        values = json.loads(head.read_text("utf-8"))
        version = values["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(action, f"{head} is broken ({error!r})", "prepare it again") from error
    if version not in READABLE_FORMATS:
        raise CorpusError(
            action,
            f"the cache has format {version}, this version of avtca reads {FORMAT}",
            "prepare it again into another folder",
        )
    return dict(upgrade(values))


def to_parquet(rows: list[dict[str, Any]]) -> bytes:
    """A manifest; the columns that every one has are there even where nothing is known."""
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
    """A CSV with Unix line ends."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()
