"""The recordings of a corpus: manifests, globs, addresses, and shards of them."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from avtca.annotate import remote
from avtca.errors import ConfigError, MediaError
from avtca.media import find_media
from avtca.media.types import fragment
from avtca.recognize.sheet import (
    END,
    PATH,
    SHEET_SUFFIXES,
    START,
    parse_time,
    read_error,
    read_sheet,
    read_text,
)
from avtca.text import printable

ID = "id"
"""Column of a manifest that names its recordings."""
PARQUET, TEXTS = ".parquet", (".txt", ".lst")
"""Suffixes of manifests that are no sheets."""


class Recording(NamedTuple):
    """A recording, or a part of one, of a corpus."""

    id: str
    """Names it in the results."""
    path: str
    """As it was written in the manifest or found by the glob."""
    source: str
    """Absolute path, or address."""
    start_s: float = 0.0
    end_s: float | None = None
    error: str = ""
    """Why it cannot be read, where that is known already."""


class Shard(NamedTuple):
    """Part ``k`` of ``n`` parts of a corpus; a recording is in the same part in every call."""

    k: int = 1
    n: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """From ``k/n``.

        Raises:
            ConfigError: It is not k/n with k from 1 to n.
        """
        k, slash, n = text.partition("/")
        action, fix = f"annotate shard {text!r}", "write --shard k/n with k from 1 to n"
        if not slash or not (k.strip().isdecimal() and n.strip().isdecimal()):
            raise ConfigError(action, "it is not k/n", fix)
        shard = cls(int(k), int(n))
        if not 1 <= shard.k <= shard.n:
            problem = f"the shards are 1/{shard.n} to {shard.n}/{shard.n}" if shard.n else "n is 0"
            raise ConfigError(action, problem, fix)
        return shard

    @property
    def name(self) -> str:
        """For names of files."""
        return f"shard-{self.k}-of-{self.n}"

    def holds(self, recording: Recording) -> bool:
        """Whether the shard has a recording."""
        digest = hashlib.blake2b(recording.id.encode(), digest_size=8).digest()
        return int.from_bytes(digest) % self.n == self.k - 1


def find_recordings(sources: Sequence[str]) -> list[Recording]:
    """The recordings of a manifest, or of files, folders, globs and addresses.

    A recording that is listed twice with the same id, path and times is there once.

    Args:
        sources: One manifest (CSV, TSV, Excel, Parquet, or a text with a path on each line), or
            any number of the others.

    Raises:
        ConfigError: Two different recordings have the same id, a manifest was given beside other
            sources, or nothing matches.
        CorpusError: The manifest cannot be read.
        MediaError: No file of the sources can be read.
        MissingExtra: The packages for a manifest or an address are not installed.
    """
    manifests = [text for text in sources if _is_manifest(text)]
    if manifests and len(sources) > 1:
        fix = "give the manifest alone, and list the files in it"
        raise ConfigError(f"read {manifests[0]}", "it was given beside other sources", fix)
    found = _listed(Path(manifests[0])) if manifests else _found(sources)
    recordings: dict[str, Recording] = {}
    for one in found:
        before = recordings.setdefault(one.id, one)
        if before != one:
            problem = f"it is {_part(before)} and {_part(one)}"
            raise ConfigError(f"annotate recording {one.id}", problem, "give each its own id")
    checked: dict[tuple[str, ...], str] = {}
    for one in recordings.values():
        if remote.is_address(one.source) and not one.error:
            checked.setdefault(tuple(remote.protocols(one.source)), one.source)
    for address in checked.values():
        try:
            remote.require_clients(address)
        except MediaError:
            continue  # an unknown protocol fails alone
    return list(recordings.values())


def _is_manifest(text: str) -> bool:
    suffix = Path(text).suffix.lower()
    known = suffix in (*SHEET_SUFFIXES, PARQUET, *TEXTS)
    return known and not remote.is_address(text) and Path(text).is_file()


def _part(recording: Recording) -> str:
    part = recording.start_s, recording.end_s
    return recording.path + (fragment(*part) if part != (0.0, None) else "")


def _found(sources: Iterable[str]) -> Iterator[Recording]:
    """Recordings of files, folders, globs and addresses; an error is raised if it is all."""
    first: MediaError | None = None
    failed: list[Recording] = []
    n = 0
    for text in sources:
        if remote.is_address(text):
            for address in remote.expand(text):
                n += 1
                yield Recording(printable(address), printable(address), _source(address, Path()))
            continue
        for one in find_media([text]):
            name = printable(str(one.path or one.entry))
            if one.error is not None or one.path is None:
                first = first or one.error
                failed.append(Recording(name, name, name, error=str(one.error)))
            else:
                n += 1
                yield Recording(name, name, str(one.path.absolute()))
    if first is not None and not n:
        raise first
    yield from failed


def _listed(path: Path) -> Iterator[Recording]:
    """Recordings of a manifest."""
    for number, cells in _rows(path):
        text = _text(cells.get(PATH))
        start = end = None
        action, error = f"read row {number} of {path}", ""
        try:
            if not text:
                raise MediaError(action, "it has no path", "fill in the column path")
            start = parse_time(cells.get(START), action)
            end = parse_time(cells.get(END), action)
        except MediaError as problem:
            error = str(problem)
        part = start or 0.0, end
        name = _text(cells.get(ID))
        if ID in cells and not name:
            raise read_error(path, f"row {number} has no id", "fill in the column id")
        if not name:
            name = text + (fragment(*part) if part != (0.0, None) else "")
            name = name if name and not error else f"row {number} of {path.name}"
        source = _source(text, path.parent) if text else ""
        yield Recording(printable(name), printable(text), source, *part, error)


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and cells by column, in lower case for the columns that are read here."""
    if path.suffix.lower() in TEXTS:
        lines = read_text(path)[0].splitlines()
        if not any(line.strip() for line in lines):
            raise read_error(path, "it is empty", "write a path on each line")
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, {PATH: line.strip()}
        return
    if path.suffix.lower() == PARQUET:
        columns, rows = _parquet(path)
        numbers: Iterable[int] = range(1, len(rows) + 1)
    else:
        sheet = read_sheet(path)
        columns, rows, numbers = list(sheet.columns), sheet.rows, sheet.numbers
    known = [name.casefold() for name in columns]
    at = {name: known.index(name) for name in (ID, PATH, START, END) if name in known}
    for number, row in zip(numbers, rows, strict=True):
        yield number, {name: row[k] for name, k in at.items()}


def _parquet(path: Path) -> tuple[list[str], Sequence[tuple[Any, ...]]]:
    import pyarrow
    from pyarrow import parquet

    wanted = (ID, PATH, START, END)
    try:
        names = parquet.read_schema(path).names
        columns = [name for name in names if name.casefold() in wanted]
        table = parquet.read_table(path, columns=columns)
    except (pyarrow.ArrowException, OSError) as error:
        problem = f"it is no Parquet file, or is damaged ({remote.describe(error)})"
        raise read_error(path, problem, "write it again") from error
    lower = [name.casefold() for name in columns]
    if PATH not in lower or len(set(lower)) < len(lower):
        there = ", ".join(names[:10])
        raise read_error(path, f"it needs one column path, and has {there}", "name it path")
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    if not rows:
        raise read_error(path, "it has no rows", "add a row for each recording")
    return columns, rows


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def _source(text: str, folder: Path) -> str:
    """The absolute path or address; a path may be written for Windows."""
    if remote.is_address(text):
        return remote.absolute(text, folder)
    path = folder / text
    if "\\" in text and not os.path.lexists(path):
        path = folder / text.replace("\\", "/")
    return str(path.absolute())
