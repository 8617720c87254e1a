"""Recognise the files of one call in several processes, for `avtca predict --jobs`."""

import contextlib
import functools
import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from avtca.errors import MediaError

if TYPE_CHECKING:
    from avtca.recognize import Recognizer, Report

WORKER_BYTES = 2**30
"""Memory of the machine for each process. One takes 0.3 GB, with 4K video 0.6 GB."""
FILES_PER_WORKER = 4
"""Fewer files for each process are not worth its start, which takes about a second."""


class Timed(NamedTuple):
    """A report and the seconds that it took."""

    report: "Report"
    took_s: float


class Job(NamedTuple):
    """A file to recognise: its position in the call, its path, options of ``predict``."""

    position: int
    path: str
    options: dict[str, Any]


@dataclass
class Pool:
    """Recognises files in worker processes, each of which loads a recognizer.

    Args:
        model: See :func:`avtca.load`.
        detector: See :func:`avtca.load`.
        device: See :func:`avtca.load`.
        workers: Number of processes.
    """

    model: str | Path | None
    detector: str | None
    device: str
    workers: int
    _skipped: set[int] = field(default_factory=set, repr=False)

    def outcomes(
        self, jobs: Iterable[Job | None]
    ) -> Generator["Timed | Exception | None", None, None]:
        """The outcome of each job in the order of the jobs, ``None`` where there is none.

        No more than twice the number of processes are taken from ``jobs`` ahead of their results.
        If the iteration is given up, the processes are ended.
        """
        from avtca.corpora.worker_pool import run_jobs

        def call(job: Job) -> Callable[[], Timed | Exception]:
            return functools.partial(_predict, self.model, self.detector, self.device, job)

        done: dict[int, Timed | Exception] = {}
        position, complete = 0, False
        results = run_jobs(self._given(jobs), call, _died, self.workers)
        try:
            while True:
                if position in done or position in self._skipped:
                    yield done.pop(position, None)
                    position += 1
                elif (result := next(results, None)) is not None:
                    done[result[0].position] = result[1]
                elif position not in self._skipped:
                    complete = True
                    return
        finally:
            if not complete:
                for child in multiprocessing.active_children():
                    child.terminate()
            results.close()

    def _given(self, jobs: Iterable[Job | None]) -> Iterator[Job]:
        for position, job in enumerate(jobs):
            if job is None:
                self._skipped.add(position)
            else:
                yield job._replace(position=position)


def default_workers(n_files: int) -> int:
    """Processes for a number of files, from the cores and the memory of this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [cores or 1, n_files // FILES_PER_WORKER]
    with contextlib.suppress(AttributeError, ValueError, OSError):  # not on Windows
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        limits.append(memory // WORKER_BYTES)
    return max(1, min(limits))


@functools.cache
def _recognizer(model: str | Path | None, detector: str | None, device: str) -> "Recognizer":
    """The recognizer of a worker process."""
    from avtca.recognize import load

    return load(model, detector=detector, device=device)


def _predict(
    model: str | Path | None, detector: str | None, device: str, job: Job
) -> Timed | Exception:
    """Recognise a file in a worker process. An error comes back with its traceback."""
    started = time.monotonic()
    try:
        report = _recognizer(model, detector, device).predict(job.path, **job.options)
    except Exception as error:
        error.add_note(traceback.format_exc())
        return error
    return Timed(report, time.monotonic() - started)


def _died(job: Job) -> Exception:
    return MediaError(
        f"recognise {job.path}",
        "the process that read it ended: out of memory, or a crash in a decoder",
        "convert the file, or leave it out",
    )
