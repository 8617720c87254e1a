"""Run jobs in worker processes; a job that kills its worker fails alone."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, TypeVar

from avtca.errors import CorpusError

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")

WORKER_BYTES = 2**30
"""Memory of the machine for each process. One takes 0.3 GB, with 4K video 0.6 GB."""
CGROUP = Path("/sys/fs/cgroup")
"""Limits of a container."""
FILES_PER_WORKER = 4
"""Fewer files for each process are not worth its start, which takes about a second."""


def max_workers() -> int:
    """Processes that the cores and the memory of this machine, or of its container, allow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [cores or 1]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # not on Windows
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        limits.append(memory // WORKER_BYTES)
    # Both files have "max" in place of a number where there is no limit.
    with contextlib.suppress(ValueError, OSError):
        limits.append(int((CGROUP / "memory.max").read_text()) // WORKER_BYTES)
    with contextlib.suppress(ValueError, OSError):
        quota, period = (CGROUP / "cpu.max").read_text().split()
        limits.append(round(int(quota) / int(period)))
    return max(1, min(limits))


def default_workers(n_files: int) -> int:
    """Processes for a number of files."""
    return max(1, min(max_workers(), n_files // FILES_PER_WORKER))


class _Broke(Exception):
    """A worker process died; ``args[0]`` lists the jobs that were running."""


def run_jobs(
    jobs: Iterable[Job],
    call: Callable[[Job], Callable[[], Outcome]],
    died: Callable[[Job], Outcome],
    workers: int,
) -> Generator[tuple[Job, Outcome], None, None]:
    """Yield jobs with their outcomes, in the order they finish.

    A job whose worker dies (out of memory, a crash in a decoder) is tried once more alone.

    Args:
        jobs: The jobs.
        call: Returns the function that a worker runs for a job; it and its outcome are pickled.
        died: Returns the outcome of a job that killed its worker twice.
        workers: Number of processes; 0 runs the jobs in this one.

    Raises:
        CorpusError: Worker processes cannot start.
    """
    if workers <= 0:
        for job in jobs:
            yield job, call(job)()
        return
    suspects: list[Job] = []
    waiting = iter(jobs)
    while True:
        try:
            yield from _drain(waiting, call, workers)
            break
        except _Broke as broke:
            suspects += broke.args[0]
    for job in suspects:
        try:
            yield from _drain(iter([job]), call, 1)
        except _Broke:
            yield job, died(job)


def end_workers() -> None:
    """End the worker processes of this process, whatever they are doing."""
    for child in multiprocessing.active_children():
        child.terminate()


class LoneWorker(Generic[Outcome]):
    """One worker process for calls that come one by one; it is started again where it died."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._process: ProcessPoolExecutor | None = None

    def run(self, call: Callable[[], Outcome]) -> Outcome | None:
        """The outcome of a call, or ``None`` where it killed the worker twice."""
        for _ in range(2):
            if self._process is None:
                self._process = self._stack.enter_context(_pool(1))
            with contextlib.suppress(BrokenProcessPool):
                return self._process.submit(call).result()
            self.close()
        return None

    def close(self) -> None:
        """End the process."""
        self._stack.close()
        self._process = None


def _drain(
    waiting: Iterator[Job], call: Callable[[Job], Callable[[], Outcome]], workers: int
) -> Generator[tuple[Job, Outcome], None, None]:
    running: dict[Future[Outcome], Job] = {}
    with _pool(workers) as pool:
        try:
            while True:
                for job in _next(waiting, 2 * workers - len(running)):
                    running[Future()] = job  # kept where submitting it fails
                    future = pool.submit(call(job))
                    running.popitem()
                    running[future] = job
                if not running:
                    return
                ready, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ready:
                    outcome = future.result()
                    yield running.pop(future), outcome
        except BrokenProcessPool as error:
            raise _Broke(list(running.values())) from error


def _next(waiting: Iterator[Job], n: int) -> Iterable[Job]:
    for _ in range(n):
        if (job := next(waiting, None)) is None:
            return
        yield job


@contextlib.contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    with _interrupts_ignored():  # the processes inherit it
        pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker)
        started = pool.submit(int)
    try:
        try:
            started.result()
        except BrokenProcessPool as error:
            raise CorpusError(
                "start worker processes",
                "they end at once",
                'put the call under if __name__ == "__main__":, or use workers=0',
            ) from error
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C where this thread may: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and exit when the parent exits."""
    import multiprocessing
    from multiprocessing.connection import wait as wait_for

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            wait_for([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
