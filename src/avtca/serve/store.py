"""Jobs and results in SQLite, which survive a restart."""

import datetime
import json
import sqlite3
import threading
import zlib
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from avtca.errors import ConfigError

State = Literal["queued", "running", "done", "failed", "cancelled"]
Part = Literal["report", "track", "attention", "faces"]
ACTIVE: tuple[State, ...] = ("queued", "running")
"""States of jobs that are not finished."""
SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL,
    created REAL NOT NULL, expires REAL NOT NULL, done_s REAL NOT NULL, duration_s REAL,
    problem TEXT, path TEXT NOT NULL, model TEXT NOT NULL, options TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_of_owner ON jobs (owner, created);
CREATE TABLE IF NOT EXISTS results (
    id TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    report BLOB NOT NULL, track BLOB NOT NULL, attention BLOB NOT NULL,
    faces BLOB NOT NULL DEFAULT x''
);
"""
_FROM_1 = "ALTER TABLE results ADD COLUMN faces BLOB NOT NULL DEFAULT x''"
"""Version 1 had no faces."""


@dataclass(frozen=True)
class Job:
    """A recording that is read in the background.

    Attributes:
        id: Random name.
        owner: Hash of the token that it belongs to.
        name: Name of the recording.
        state: How far it is.
        created: Seconds since 1970.
        expires: When it and its result are deleted.
        path: The upload.
        model: Name of the model.
        options: Options of ``Recognizer.predict``.
        done_s: Seconds that were read.
        duration_s: Seconds in total, where that is known.
        problem: Problem details of a failed job.
    """

    id: str
    owner: str
    name: str
    state: State
    created: float
    expires: float
    path: Path
    model: str
    options: dict[str, Any] = field(default_factory=dict)
    done_s: float = 0.0
    duration_s: float | None = None
    problem: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The answer of ``GET /v1/jobs/{id}``."""
        return {
            "id": self.id,
            "state": self.state,
            "name": self.name,
            "done_s": self.done_s,
            "duration_s": self.duration_s,
            "created": _iso(self.created),
            "expires": _iso(self.expires),
            "problem": self.problem,
            "model": self.model,
            "person": self.options.get("person", "main"),
            "merge": [f"{first}={second}" for first, second in self.options.get("merge", ())],
        }


def _iso(seconds: float) -> str:
    stamp = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return stamp.isoformat(timespec="seconds").replace("+00:00", "Z")


class Store:
    """The database; every method may be called from any thread.

    Args:
        path: The file, which is made where it does not exist.

    Raises:
        ConfigError: It is another file, or one of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        action = f"open {path}"
        try:
            self._database = sqlite3.connect(path, check_same_thread=False)
            version = self._database.execute("PRAGMA user_version").fetchone()[0]
            if version == 1:
                self._database.execute(_FROM_1)
            elif version not in (0, SCHEMA_VERSION):
                problem = f"format {version}, this avtca writes {SCHEMA_VERSION}"
                raise ConfigError(action, problem, "choose another folder: data")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA secure_delete = ON")
            self._database.execute("PRAGMA foreign_keys = ON")
            self._database.executescript(_SCHEMA)
            self._database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            self._database.commit()
        except sqlite3.Error as error:
            raise ConfigError(action, str(error), "choose another folder: data") from error

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def add(self, job: Job) -> None:
        """Add a job."""
        values = (
            *(job.id, job.owner, job.name, job.state, job.created, job.expires, job.done_s),
            *(job.duration_s, None, str(job.path), job.model, json.dumps(job.options)),
        )
        self._write(f"INSERT INTO jobs VALUES ({', '.join('?' * len(values))})", values)

    def update(self, job: Job) -> None:
        """Write what can change of a job."""
        problem = None if job.problem is None else json.dumps(job.problem)
        self._write(
            "UPDATE jobs SET state = ?, expires = ?, done_s = ?, duration_s = ?, problem = ? "
            "WHERE id = ?",
            (job.state, job.expires, job.done_s, job.duration_s, problem, job.id),
        )

    def finish(self, job: Job, parts: Sequence[bytes]) -> None:
        """Write the result of a job: report, track, attention maps, faces."""
        with self._lock, self._database:
            self._database.execute(
                "UPDATE jobs SET state = 'done', expires = ?, done_s = ?, duration_s = ? "
                "WHERE id = ?",
                (job.expires, job.done_s, job.duration_s, job.id),
            )
            values = (job.id, *(zlib.compress(part) for part in parts))
            self._database.execute("INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?)", values)

    def get(self, id: str) -> Job | None:
        """A job by its id."""
        found = self._jobs("WHERE id = ?", (id,))
        return found[0] if found else None

    def of(self, owner: str) -> list[Job]:
        """The jobs of an owner, the newest first."""
        return self._jobs("WHERE owner = ? ORDER BY created DESC", (owner,))

    def active(self) -> list[Job]:
        """Jobs that are not finished, the oldest first."""
        return self._jobs("WHERE state IN ('queued', 'running') ORDER BY created", ())

    def expired(self, now: float) -> list[Job]:
        """Finished jobs whose time is over."""
        return self._jobs("WHERE state NOT IN ('queued', 'running') AND expires <= ?", (now,))

    def oldest(self, owner: str, kept: int) -> list[Job]:
        """Finished jobs of an owner beyond the newest ``kept``."""
        where = "WHERE owner = ? AND state NOT IN ('queued', 'running') ORDER BY created DESC"
        return self._jobs(f"{where} LIMIT -1 OFFSET ?", (owner, kept))

    def kept(self) -> list[Job]:
        """All jobs."""
        return self._jobs("", ())

    def part(self, id: str, part: Part) -> bytes:
        """A part of the result of a job; empty where there is none."""
        with self._lock, closing(self._database.cursor()) as cursor:
            row = cursor.execute(f"SELECT {part} FROM results WHERE id = ?", (id,)).fetchone()
        return zlib.decompress(row[0]) if row and row[0] else b""

    def delete(self, id: str) -> None:
        """Delete a job and its result, also from the log of the database."""
        self._write("DELETE FROM jobs WHERE id = ?", (id,))
        with self._lock:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _write(self, statement: str, values: Sequence[Any]) -> None:
        with self._lock, self._database:
            self._database.execute(statement, values)

    def _jobs(self, where: str, values: Sequence[Any]) -> list[Job]:
        with self._lock, closing(self._database.cursor()) as cursor:
            rows = cursor.execute(f"SELECT * FROM jobs {where}", values).fetchall()
        return [_job(row) for row in rows]


def _job(row: tuple[Any, ...]) -> Job:
    id, owner, name, state, created, expires, done_s, duration_s, problem, path, model, options = (
        row
    )
    job = Job(id, owner, name, state, created, expires, Path(path), model, json.loads(options))
    problem = None if problem is None else json.loads(problem)
    return replace(job, done_s=done_s, duration_s=duration_s, problem=problem)
