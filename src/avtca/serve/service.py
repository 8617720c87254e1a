"""The service that the routes use: admission, recognition in workers, and jobs."""

import asyncio
import functools
import logging
import math
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError, Future
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from avtca.errors import AvtcaError, ConfigError
from avtca.files import locked
from avtca.serve.metrics import Metrics
from avtca.serve.models import Models
from avtca.serve.pool import Pool, Result, Task, stopping
from avtca.serve.problems import Problem, problem_details
from avtca.serve.settings import Settings
from avtca.serve.store import ACTIVE, Job, Store
from avtca.serve.uploads import Upload
from avtca.serve.worker import WorkerConfig

MAX_RETRY_S = 60
KEEP_ALIVE_S = 15.0
"""Seconds after which a stream of events without events shows that it is alive."""
CLEAN_EVERY_S = 60.0
"""Seconds between two deletions of expired results."""
DISK_FULL = "store the result: the disk of the service is full; try again later"
LOST = "read {}: the service was restarted, and the upload is gone; send it again"
logger = logging.getLogger("avtca.serve")


class Service:
    """What the routes use, as ``app.state.service``.

    Args:
        settings: The settings.

    Attributes:
        models: The models, for this process.
        metrics: The metrics.
        spool: Folder of the uploads.
        stopping: Set when the service stops: streams to clients end.
        failure: Why the service could not start.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.metrics = settings, Metrics()
        speaker = settings.speaker_model
        self.models = Models(settings.model, speaker)
        self.spool = settings.data / "spool"
        self.stopping = asyncio.Event()
        self.failure: AvtcaError | None = None
        path = self.models.paths[self.models.default]
        config = WorkerConfig(
            model=settings.model,
            model_folder=str(Path(path).resolve()) if isinstance(path, Path) else None,
            spool=str(self.spool),
            max_media_s=settings.max_media_s,
            max_pixels=settings.max_pixels,
            max_read_s=settings.max_read_s,
            memory_mb=settings.max_worker_mb,
            speaker_model=None if speaker is None else str(speaker.resolve()),
        )
        self.pool = Pool(config, settings.n_workers, self.metrics.restarts.inc)
        self._active: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._live: dict[str, tuple[Job, Task]] = {}
        self._watchers: dict[str, set[asyncio.Event]] = {}
        gauges = {
            "waiting": "Recordings that wait.",
            "busy": "Recordings that are read.",
            "ready": "Workers that are ready.",
        }
        for name, text in gauges.items():
            self.metrics.gauge(f"avtca_{name}", text, functools.partial(getattr, self.pool, name))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start workers and jobs, and stop them at the end.

        Raises:
            ConfigError: The folder cannot be used, or another service uses it.
            CheckpointError: The model, or the speaker model, is missing or damaged.
        """
        self._loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            try:
                await asyncio.to_thread(self._open, stack)
            except AvtcaError as error:
                self.failure = error
                raise
            self.pool.start()
            cleaner = asyncio.create_task(self._clean())
            try:
                yield
            finally:
                self.stopping.set()
                cleaner.cancel()
                await asyncio.to_thread(self.pool.close, self.settings.shutdown_s)

    def _open(self, stack: AsyncExitStack) -> None:
        """Open the folder, the model and the jobs of the last run."""
        try:
            self.settings.data.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.settings.data, self.spool):
                folder.mkdir(exist_ok=True, mode=0o700)
            free = stack.enter_context(locked(self.settings.data))
        except OSError as error:
            problem, fix = error.strerror or str(error), "choose another folder: data"
            raise ConfigError(f"write {self.settings.data}", problem, fix) from error
        if not free:
            problem = "another avtca serve uses this folder"
            fix = "choose another one: AVTCA_SERVE_DATA=FOLDER"
            raise ConfigError(f"write {self.settings.data}", problem, fix)
        self.models.load(self.models.default)
        self.store = Store(self.settings.data / "jobs.sqlite3")
        stack.callback(self.store.close)
        self._recover()

    # Admission

    def admit(self, owner: str) -> "Slot":
        """Take a place among the recordings that wait or are read.

        Raises:
            Problem: The service, or the owner, has too many.
        """
        with self._lock:
            if self.stopping.is_set():
                raise stopping()
            total, own = self._active.total(), self._active[owner]
            limit = self.pool.workers + self.settings.max_queue
            if total >= limit:
                text = f"recognise: all {limit} places are taken; try again later"
                raise Problem(503, text, self.retry_s(total))
            if own >= self.settings.max_jobs:
                text = f"recognise: {own} recordings of this token wait or are read; "
                raise Problem(429, text + "try again when some are done", self.retry_s(own))
            self._active[owner] += 1
        return Slot(self, owner)

    def retry_s(self, recordings: int) -> int:
        """Seconds until half of so many recordings are read, estimated."""
        seconds = math.ceil(recordings * self.pool.mean_s / self.pool.workers / 2)
        return min(max(1, seconds), MAX_RETRY_S)

    def release(self, owner: str) -> None:
        """Give a place back."""
        with self._lock:
            self._active[owner] -= 1
            if self._active[owner] <= 0:
                del self._active[owner]

    # Recognition

    def read(self, task: Task, slot: "Slot", upload: Upload, keep: bool = False) -> None:
        """Queue a task, which takes over the place; the upload is deleted when it was read."""
        started = time.monotonic()
        self.metrics.upload_bytes.inc(upload.size)

        def finished(future: Future[Result]) -> None:
            if not keep:
                upload.delete()
            slot.release()
            self.metrics.recording_seconds.observe(time.monotonic() - started)
            self.metrics.recordings.labels(_outcome(future)).inc()

        task.future.add_done_callback(finished)
        self.pool.submit(task)

    # Jobs

    def add_job(
        self, owner: str, slot: "Slot", upload: Upload, model: str, options: dict[str, Any]
    ) -> Job:
        """Make a job and queue it."""
        now = time.time()
        job = Job(
            *(uuid.uuid4().hex, owner, upload.name, "queued", now, now + self.settings.keep_s),
            *(upload.path, model, options),
        )
        self.store.add(job)
        self._start(job, slot, upload)
        for old in self.store.oldest(owner, self.settings.max_results):
            self._delete(old)
        return job

    def job(self, id: str, owner: str) -> Job:
        """A job of an owner as it is now.

        Raises:
            Problem: There is none; one of another owner does not exist either.
        """
        live = self._live.get(id)
        job = live[0] if live else self.store.get(id)
        if job is None or job.owner != owner:
            raise Problem(404, f"find job {id[:64]}: there is none, or it expired; see /v1/jobs")
        return job

    def jobs(self, owner: str) -> list[Job]:
        """The jobs of an owner, the newest first."""
        return [
            self._live[job.id][0] if job.id in self._live else job for job in self.store.of(owner)
        ]

    def remove_job(self, job: Job) -> Job:
        """Cancel a job that is not finished, or delete one that is."""
        live = self._live.get(job.id)
        if live is None:
            self._delete(job)
            return job
        live[1].cancel()
        return self._end(job.id, replace(live[0], state="cancelled"))

    def _delete(self, job: Job) -> None:
        Upload(job.path, job.name, 0).delete()
        self.store.delete(job.id)

    async def watch(self, id: str, owner: str) -> AsyncIterator[Job | None]:
        """A job now and after each change until it ends; ``None`` where nothing happens."""
        event = asyncio.Event()
        self._watchers.setdefault(id, set()).add(event)
        try:
            while True:
                event.clear()
                job = self.job(id, owner)
                yield job
                if job.state not in ACTIVE or self.stopping.is_set():
                    return
                while not event.is_set():
                    try:
                        await asyncio.wait_for(event.wait(), KEEP_ALIVE_S)
                    except TimeoutError:
                        yield None
        except Problem:
            return  # it was deleted
        finally:
            self._watchers[id].discard(event)
            if not self._watchers[id]:
                del self._watchers[id]

    def _start(self, job: Job, slot: "Slot", upload: Upload) -> None:
        task = Task(job.path, job.name, job.model, job.options, track=True)
        task.on_start = lambda: self._change(job.id, state="running")
        task.on_progress = lambda done_s, duration_s: self._change(
            job.id, done_s=float(done_s), duration_s=duration_s
        )
        self._live[job.id] = job, task
        task.future.add_done_callback(lambda future: self._finish(job.id, future))
        self.read(task, slot, upload, keep=True)

    def _change(self, id: str, **values: Any) -> None:
        with self._lock:
            if (live := self._live.get(id)) is None:
                return
            job = replace(live[0], **values)
            self._live[id] = job, live[1]
        if "state" in values:
            with suppress(sqlite3.Error):
                self.store.update(job)
        self._notify(id)

    def _finish(self, id: str, future: Future[Result]) -> None:
        live = self._live.get(id)
        if live is None:
            return  # cancelled
        job, error = live[0], None if future.cancelled() else future.exception()
        if self.pool.ending and isinstance(error, Problem) and error.status == 503:
            with suppress(sqlite3.Error):
                self.store.update(replace(job, state="queued", done_s=0.0))
            self._live.pop(id, None)
        elif isinstance(error, CancelledError) or future.cancelled():
            self._end(id, replace(job, state="cancelled"))
        elif error is not None:
            problem = error.to_dict(id) if isinstance(error, Problem) else None
            self._end(id, replace(job, state="failed", problem=problem))
        else:
            self._end(id, job, future.result())

    def _end(self, id: str, job: Job, result: Result | None = None) -> Job:
        """Write the end of a job; its upload is deleted first."""
        if not self.settings.keep_media:
            Upload(job.path, job.name, 0).delete()
        job = replace(job, expires=time.time() + self.settings.keep_s)
        try:
            if result is None:
                self.store.update(job)
            else:
                job = replace(job, state="done", done_s=job.duration_s or job.done_s)
                self.store.finish(job, result)
        except sqlite3.Error as error:
            logger.error("a result could not be stored: %s", error)
            job = replace(job, state="failed", problem=problem_details(507, DISK_FULL, id))
            with suppress(sqlite3.Error):
                self.store.update(job)
        self._live.pop(id, None)
        self._notify(id)
        return job

    def _notify(self, id: str) -> None:
        def wake() -> None:
            for event in self._watchers.get(id, ()):
                event.set()

        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(wake)

    def _recover(self) -> None:
        """Queue the jobs of the last run again; those without an upload have failed."""
        for job in self.store.active():
            if job.path.is_file() and job.model in self.models.paths:
                self._active[job.owner] += 1
                size = job.path.stat().st_size
                self._start(
                    replace(job, state="queued", done_s=0.0),
                    Slot(self, job.owner),
                    Upload(job.path, job.name, size),
                )
            else:
                problem = problem_details(500, LOST.format(job.name), job.id)
                self.store.update(replace(job, state="failed", problem=problem))
        known = {job.path.name for job in self.store.kept()}
        for path in self.spool.iterdir():
            if path.name not in known:
                path.unlink(missing_ok=True)

    async def _clean(self) -> None:
        """Delete what expired, now and then."""
        while True:
            for job in await asyncio.to_thread(self.store.expired, time.time()):
                await asyncio.to_thread(self._delete, job)
            await asyncio.sleep(min(CLEAN_EVERY_S, self.settings.keep_s))


class Slot:
    """A place of an owner; released once."""

    def __init__(self, service: Service, owner: str) -> None:
        self._service, self._owner, self._held = service, owner, True

    def release(self) -> None:
        """Give the place back."""
        if self._held:
            self._held = False
            self._service.release(self._owner)


def _outcome(future: Future[Result]) -> str:
    if future.cancelled() or isinstance(future.exception(), CancelledError):
        return "cancelled"
    error = future.exception()
    return (
        "done" if error is None else "refused" if getattr(error, "status", 500) < 500 else "failed"
    )
