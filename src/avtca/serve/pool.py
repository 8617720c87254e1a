"""The worker processes: a queue, a thread for each process, and what happens when one dies."""

import json
import logging
import multiprocessing
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from avtca.serve import worker
from avtca.serve.problems import Problem, in_words_of_http
from avtca.serve.worker import WorkerConfig

START_S = 120.0
"""Longest start of a worker."""
CANCEL_S = 5.0
"""Seconds after which a worker that does not react to a cancellation is ended."""
MAX_RESULT_BYTES = 2**28
MAX_TRIES = 2
"""How often a task is tried whose worker another process killed, such as the kernel for memory,
or whose worker was dead already."""
RESTART_S = 1.0
"""Pause after a worker that could not start."""
logger = logging.getLogger("avtca.serve")


class Result(NamedTuple):
    """JSON of a recording: report, track and attention maps, empty if not wanted, and faces."""

    report: bytes
    track: bytes
    attention: bytes
    faces: bytes


@dataclass(eq=False)
class Task:
    """A recording to read.

    Attributes:
        path: The file.
        name: Its name in the report.
        model: Name of the model.
        options: Options of ``Recognizer.predict``.
        track: Whether the track is wanted.
        waits: Whether a client waits for the result; such tasks go first.
        on_start: Called in a thread of the pool when the reading starts.
        on_progress: Called with the seconds that were read, and in total where that is known.
    """

    path: Path
    name: str
    model: str
    options: dict[str, Any]
    track: bool = False
    waits: bool = False
    on_start: Callable[[], None] = lambda: None
    on_progress: Callable[[float, float | None], None] = lambda done_s, duration_s: None
    future: Future[Result] = field(default_factory=Future)
    cancelled: threading.Event = field(default_factory=threading.Event)
    tries: int = 0

    def cancel(self) -> None:
        """Give the task up, also while it is read."""
        self.cancelled.set()
        self.future.cancel()


class Pool:
    """Worker processes that read tasks.

    Args:
        config: For the workers.
        workers: Number of processes.
        on_restart: Called when a worker died and is replaced.
    """

    def __init__(
        self, config: WorkerConfig, workers: int, on_restart: Callable[[], None] = lambda: None
    ) -> None:
        self.config, self.on_restart = config, on_restart
        self.ready = self.busy = 0
        self.mean_s = 1.0
        """Moving mean of the seconds that a task takes."""
        self.limits: list[str] = []
        """What limits the workers, see :func:`avtca.serve.sandbox.restrict`."""
        self.failure = ""
        """Why workers cannot start."""
        self._changed = threading.Condition()
        self._urgent: deque[Task] = deque()
        self._waiting: deque[Task] = deque()
        self._closing = self._ending = False
        self._runners = [_Runner(self, number) for number in range(workers)]

    @property
    def workers(self) -> int:
        """Number of processes."""
        return len(self._runners)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers."""
        processes = [runner.process for runner in self._runners]
        return [each.pid for each in processes if each is not None and each.pid is not None]

    @property
    def waiting(self) -> int:
        """Number of tasks that wait."""
        return len(self._urgent) + len(self._waiting)

    def start(self) -> None:
        """Start the processes."""
        for runner in self._runners:
            runner.start()

    def submit(self, task: Task) -> None:
        """Queue a task; its ``future`` gets the result or a :class:`Problem`."""
        with self._changed:
            (self._urgent if task.waits else self._waiting).append(task)
            self._changed.notify()

    def close(self, seconds: float) -> None:
        """Take no more tasks, wait for those that are read, and end the processes."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        end = time.monotonic() + seconds
        for runner in self._runners:
            runner.join(max(0.0, end - time.monotonic()))
        self._ending = True
        for runner in self._runners:
            runner.kill()
        for runner in self._runners:
            runner.join(CANCEL_S)

    def take(self) -> Task | None:
        """The next task, as soon as there is one; ``None`` when the pool closes."""
        with self._changed:
            while True:
                if self._closing:
                    return None
                for queue in (self._urgent, self._waiting):
                    while queue:
                        task = queue.popleft()
                        if not task.cancelled.is_set():
                            return task
                self._changed.wait()

    def put_back(self, task: Task) -> None:
        """Queue a task again, before the others."""
        with self._changed:
            (self._urgent if task.waits else self._waiting).appendleft(task)
            self._changed.notify()

    def count(self, *, ready: int = 0, busy: int = 0, seconds: float | None = None) -> None:
        """Change the counters."""
        with self._changed:
            self.ready += ready
            self.busy += busy
            if seconds is not None:
                self.mean_s += 0.2 * (seconds - self.mean_s)

    @property
    def closing(self) -> bool:
        """Whether no more tasks are taken."""
        return self._closing

    @property
    def ending(self) -> bool:
        """Whether tasks that are read now are given up."""
        return self._ending


class _Runner(threading.Thread):
    """Runs one worker process, and starts another where it dies."""

    def __init__(self, pool: Pool, number: int) -> None:
        super().__init__(name=f"avtca-worker-{number}", daemon=True)
        self.pool = pool
        self.process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection | None = None

    def run(self) -> None:
        """Start the process, and give it one task after another."""
        while not self.pool.closing:
            if not self._start_process():
                time.sleep(RESTART_S)
                continue
            self.pool.count(ready=1)
            try:
                while (task := self.pool.take()) is not None and self._run(task):
                    pass
            finally:
                self.pool.count(ready=-1)
            self.kill()
            if not self.pool.closing:
                self.pool.on_restart()
        self.kill()

    def kill(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.join(CANCEL_S)

    def _start_process(self) -> bool:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        process = context.Process(target=worker.main, args=(theirs, self.pool.config), daemon=True)
        try:
            process.start()
        except OSError as error:
            self.pool.failure = f"start a worker: {error.strerror}; free memory or processes"
            return False
        self.process = process
        theirs.close()
        try:
            message = self._receive(START_S)
        except (EOFError, OSError, ValueError):
            message = None
        if message is not None and message["kind"] == worker.STARTED:
            self.pool.limits, self.pool.failure = message["limits"], ""
            return True
        self.pool.failure = "start a worker: it ended at once; see the log"
        if message is not None:
            self.pool.failure = message["detail"]
        logger.error("%s", self.pool.failure)
        self.kill()
        return False

    def _run(self, task: Task) -> bool:
        """Have a task read; whether the process goes on."""
        if not task.tries and not task.future.set_running_or_notify_cancel():
            return True
        task.tries += 1
        task.on_start()
        self.pool.count(busy=1)
        started = time.monotonic()
        try:
            outcome = self._outcome(task)
        except Exception as error:  # of this module: the task fails, the thread goes on
            logger.error("internal error %s in the pool", type(error).__name__)
            self.kill()
            outcome = Problem(500, f"recognise {task.name}: internal error; send it again")
        finally:
            self.pool.count(busy=-1, seconds=time.monotonic() - started)
        if isinstance(outcome, Result):
            task.future.set_result(outcome)
            return True
        if outcome is not None:
            task.future.set_exception(outcome)
            return not (self.process is None or self.process.exitcode is not None)
        self.pool.put_back(task)  # its process was killed; another one tries again
        return False

    def _outcome(self, task: Task) -> Result | BaseException | None:
        """The result, why there is none, or ``None`` where the task can be tried again."""
        pool, limit = self.pool, time.monotonic() + self.pool.config.max_read_s
        job: dict[str, Any] = {"path": str(task.path), "name": task.name, "model": task.model}
        job |= {"options": task.options, "track": task.track}
        cancelled_at, begun = None, False
        try:
            self._send(job)
            while True:
                message = self._receive(0.2)
                kind = message["kind"] if message else ""
                begun = begun or message is not None
                if kind == worker.PROGRESS and message:
                    task.on_progress(message["done_s"], message["duration_s"])
                elif kind == worker.DONE:
                    return Result(*(self._part() for _ in range(4)))
                elif kind == worker.FAILED and message:
                    return self._failed(task, message)
                now = time.monotonic()
                if task.cancelled.is_set() and cancelled_at is None:
                    cancelled_at = now
                    self._send({"cancel": True})
                if cancelled_at is not None and now > cancelled_at + CANCEL_S:
                    self.kill()
                    return CancelledError()
                if now > limit:
                    self.kill()
                    return _too_long(task, pool.config.max_read_s)
        except (EOFError, OSError, ValueError, KeyError, TypeError):
            if self.process is not None:
                self.process.join(1.0)
            code = self.process.exitcode if self.process is not None else None
            self.kill()
            return self._died(task, code, begun)

    def _failed(self, task: Task, message: dict[str, Any]) -> BaseException:
        if task.cancelled.is_set():
            return CancelledError()
        if message["status"] == 500:
            logger.error("internal error in a worker: %s", message["detail"])
            text = f"recognise {task.name}: internal error; report it, with the log of the service"
            return Problem(500, text)
        return Problem(int(message["status"]), in_words_of_http(str(message["detail"])))

    def _died(self, task: Task, code: int | None, begun: bool) -> BaseException | None:
        """Why there is no result; ``None`` if the process died for another reason than the task."""
        if self.pool.ending:
            return stopping()
        if task.cancelled.is_set():
            return CancelledError()
        if code == -getattr(signal, "SIGXCPU", 0):
            return _too_long(task, self.pool.config.max_read_s)
        killed = code == -getattr(signal, "SIGKILL", 0)  # by another process
        if (killed or not begun) and task.tries < MAX_TRIES:
            return None
        text = f"recognise {task.name}: the process that read it ended: out of memory, or a crash "
        return Problem(422, text + "in a decoder; convert the file, or leave it out")

    def _send(self, message: dict[str, Any]) -> None:
        assert self.connection is not None
        self.connection.send_bytes(json.dumps(message).encode())

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """The next message, ``None`` if there is none for so many seconds."""
        assert self.connection is not None
        if not self.connection.poll(seconds):
            return None
        message: dict[str, Any] = json.loads(self.connection.recv_bytes(MAX_RESULT_BYTES))
        return message

    def _part(self) -> bytes:
        assert self.connection is not None
        return self.connection.recv_bytes(MAX_RESULT_BYTES)


def stopping() -> Problem:
    """The problem of a request to a service that stops."""
    return Problem(503, "recognise: the service stops; send it again later", 10)


def _too_long(task: Task, seconds: float) -> Problem:
    text = f"recognise {task.name}: it took longer than {seconds:g} s; send parts of it"
    return Problem(422, f"{text}: start_s, end_s")
