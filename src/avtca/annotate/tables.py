"""The output folder: two tables in parts, and a journal of what is not in a part yet.

Each result is appended to the journal of its shard as soon as it is there. From time to time the
journal becomes one part of each table: first that of the windows, then that of the recordings,
which counts. A stop at any moment leaves whole parts, at most one part of windows without its
recordings, and a journal whose last line may be incomplete; opening the folder sorts that out.
"""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from avtca.annotate.recordings import Recording, Shard
from avtca.annotate.result import FAILED
from avtca.errors import ConfigError
from avtca.files import locked, write_atomic
from avtca.run_dir import RunDir

if TYPE_CHECKING:
    import pyarrow

SETTINGS = "annotate.json"
"""Settings of the run, in the output folder."""
RECORDINGS, WINDOWS = "recordings", "windows"
"""Tables, which are folders of Parquet files."""
WORK = ".work"
"""Folder of the journals; readers of Parquet leave it out."""
PART_RECORDINGS, PART_BYTES, PART_S = 1000, 2**24, 3600.0
"""A part is written at so many recordings, bytes of the journal, or seconds after the last one."""
WAIT_S = 30.0
"""Longest wait for another shard that opens the folder."""

_KEYS = ["id", "path", "start_s", "end_s"]


class Tables:
    """The two tables of a shard, which a later call completes. Use it in a ``with`` statement.

    Args:
        out: The folder.
        settings: Whatever changes the results, as JSON-serialisable values.
        schemas: Columns of both tables.
        shard: The part of the corpus that is written.

    Raises:
        ConfigError: The folder holds another run or something else, cannot be written, is damaged,
            or another process writes this shard.
    """

    def __init__(
        self,
        out: Path,
        settings: Mapping[str, Any],
        schemas: Mapping[str, "pyarrow.Schema"],
        shard: Shard,
    ) -> None:
        self.out, self.shard, self._schemas = out, shard, schemas
        self._run = RunDir(out, action=f"annotate into {out}", settings_file=SETTINGS)
        self._settings = {**settings, "shards": shard.n}
        self._work = out / WORK / shard.name
        self._lines: list[str] = []
        self._bytes = 0
        self._since = time.monotonic()
        self.done: dict[str, tuple[Any, ...]] = {}
        """Path, start and end of each recording that has a result, by its id."""
        self.failures = 0
        """Number of those that failed."""

    def __enter__(self) -> "Tables":
        self._lock = locked(self._opened())
        if not self._lock.__enter__():
            self._lock.__exit__(None, None, None)
            problem = "another avtca annotate writes to this folder"
            if self.shard.n > 1:
                problem = f"another avtca annotate writes shard {self.shard.k}/{self.shard.n}"
            raise self._run.refusal(problem, "wait until it ends, or choose another --out")
        try:
            with self._writing():
                self._recover()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if (file := getattr(self, "_journal", None)) is not None:
            file.close()
        self._lock.__exit__(None, None, None)

    def check(self, recordings: Collection[Recording]) -> int:
        """How many results are of none of these recordings.

        Raises:
            ConfigError: An id has the result of another file or part.
        """
        known = 0
        for one in recordings:
            if (before := self.done.get(one.id)) is not None:
                known += 1
                if before != (one.path, one.start_s, one.end_s):
                    raise self._run.refusal(
                        f"recording {one.id} was {_shown(*before)} and is "
                        f"{_shown(one.path, one.start_s, one.end_s)} now"
                    )
        return len(self.done) - known

    def add(self, line: str) -> None:
        """Record a result; a second one of the same recording is left out."""
        cells = json.loads(line)["recording"]
        if cells["id"] in self.done:
            return
        rest = line.encode() + b"\n"
        with self._writing():
            at = self._journal.tell()
            try:
                while rest:  # a full disk takes a part of it first
                    rest = rest[self._journal.write(rest) :]
            except OSError:
                self._journal.truncate(at)
                raise
        self._take(cells, line)
        late = time.monotonic() - self._since > PART_S
        if len(self._lines) >= PART_RECORDINGS or self._bytes >= PART_BYTES or late:
            self.commit()

    def commit(self) -> None:
        """Write a part of each table from the journal, and empty the journal."""
        with self._writing():
            if self._lines:
                results = [json.loads(line) for line in self._lines]
                schema = self._schemas[WINDOWS]
                rows = [row for one in results for row in one["windows"]]
                windows = [dict(zip(schema.names, row, strict=True)) for row in rows]
                name = f"{self.shard.name}-part-{self._number + 1:06d}.parquet"
                _write(self.out / WINDOWS / name, windows, schema)
                recordings = [one["recording"] for one in results]
                _write(self.out / RECORDINGS / name, recordings, self._schemas[RECORDINGS])
                self._number += 1
            self._journal.truncate(0)
        self._lines, self._bytes, self._since = [], 0, time.monotonic()

    def forget_failures(self) -> None:
        """Remove the rows of recordings that failed, so that they are read again."""
        self.commit()
        with self._writing():
            for path in self._parts(RECORDINGS):
                rows = self._read(path).to_pylist()
                kept = [row for row in rows if row["status"] != FAILED]
                for row in rows:
                    if row["status"] == FAILED:
                        self.done.pop(row["id"], None)
                if not kept:
                    path.unlink()
                    (self.out / WINDOWS / path.name).unlink(missing_ok=True)
                elif len(kept) < len(rows):
                    _write(path, kept, self._schemas[RECORDINGS])
        self.failures = 0

    def _opened(self) -> Path:
        """Make the folder, and compare or record the settings; other shards may do the same."""
        self._run.settings()  # raises where it is a file
        with self._writing():
            self.out.mkdir(parents=True, exist_ok=True)
        ends = time.monotonic() + WAIT_S
        while True:
            with locked(self.out) as free:
                if free or time.monotonic() > ends:
                    foreign = any((self.out / name).exists() for name in (RECORDINGS, WINDOWS))
                    if not self._run.require(self._settings):
                        if foreign:
                            problem = f"it has a folder {RECORDINGS} or {WINDOWS} of something else"
                            raise self._run.refusal(problem, "choose another --out")
                        self._run.record(self._settings)
                    with self._writing():
                        for folder in (self.out / RECORDINGS, self.out / WINDOWS, self._work):
                            folder.mkdir(parents=True, exist_ok=True)
                    return self._work
            time.sleep(0.1)

    def _recover(self) -> None:
        """Read what is done, after whatever stop."""
        for table in (RECORDINGS, WINDOWS):
            for path in (self.out / table).glob(f".{self.shard.name}-part-*.part"):
                path.unlink()
        parts = self._parts(RECORDINGS)
        for path in self._parts(WINDOWS):
            if not (self.out / RECORDINGS / path.name).exists():
                path.unlink()
        self._number = max((_number(path) for path in parts), default=0)
        for path in parts:
            table = self._read(path, [*_KEYS, "status"])
            columns = [column.to_pylist() for column in table.columns]
            for name, *rest, status in zip(*columns, strict=True):
                self.done[name] = tuple(rest)
                self.failures += status == FAILED
        self._journal: BinaryIO = (self._work / "journal.jsonl").open("a+b", buffering=0)
        self._journal.seek(0)
        data = self._journal.read()
        whole = data.rfind(b"\n") + 1
        self._journal.truncate(whole)
        for line in data[:whole].decode().splitlines():
            cells = json.loads(line)["recording"]
            if cells["id"] not in self.done:
                self._take(cells, line)

    def _take(self, cells: Mapping[str, Any], line: str) -> None:
        self._lines.append(line)
        self._bytes += len(line)
        self.done[cells["id"]] = tuple(cells[name] for name in _KEYS[1:])
        self.failures += cells["status"] == FAILED

    def _parts(self, table: str) -> list[Path]:
        return sorted((self.out / table).glob(f"{self.shard.name}-part-*.parquet"))

    def _read(self, path: Path, columns: list[str] | None = None) -> "pyarrow.Table":
        import pyarrow
        from pyarrow import parquet

        try:
            return parquet.ParquetFile(path).read(columns)
        except pyarrow.ArrowException as error:
            fix = f"delete it and {self.out / WINDOWS / path.name}, and run the command again"
            raise ConfigError(f"read {path}", "it is damaged", fix) from error

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            problem = error.strerror or str(error)
            fix = "free space there, or allow writing; the same command then resumes"
            raise ConfigError(f"write {self.out}", problem, fix) from error


def _write(path: Path, rows: list[dict[str, Any]], schema: "pyarrow.Schema") -> None:
    import pyarrow
    from pyarrow import parquet

    data = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema), data, compression="zstd")
    write_atomic(path, data.getvalue().to_pybytes(), sync=True)


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _shown(path: str, start_s: float, end_s: float | None) -> str:
    from avtca.media.types import fragment

    return path + (fragment(start_s, end_s) if start_s or end_s is not None else "")
