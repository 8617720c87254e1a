"""Recognise the files of one call in several processes, for `avtca predict --jobs`."""

import functools
import time
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from avtca.errors import MediaError
from avtca.recognize.recognizer import Recognizer, load
from avtca.recognize.report import Report
from avtca.worker_pool import end_workers, run_jobs


class Timed(NamedTuple):
    """A report and the seconds that it took."""

    report: Report
    took_s: float


class Job(NamedTuple):
    """A file to recognise: its position in the call, its path, options of ``predict``."""

    position: int
    path: str
    options: dict[str, Any]


_Loaded = tuple[str | Path | None, str | None, str, Path | None]
"""Model, detector, device and speaker model."""


@dataclass
class Pool:
    """Recognises files in worker processes, each of which loads a recognizer.

    Args:
        model: See :func:`avtca.load`.
        detector: See :func:`avtca.load`.
        device: See :func:`avtca.load`.
        workers: Number of processes.
        speaker_model: See :func:`avtca.load`.
    """

    model: str | Path | None
    detector: str | None
    device: str
    workers: int
    speaker_model: Path | None = None
    _skipped: set[int] = field(default_factory=set, repr=False)

    def outcomes(
        self, jobs: Iterable[Job | None]
    ) -> Generator[Timed | Exception | None, None, None]:
        """The outcome of each job in the order of the jobs, ``None`` where there is none.

        No more than twice the number of processes are taken from ``jobs`` ahead of their results.
        If the iteration is given up, the processes are ended.
        """

        def call(job: Job) -> Callable[[], Timed | Exception]:
            loaded = self.model, self.detector, self.device, self.speaker_model
            return functools.partial(_predict, loaded, job)

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
                end_workers()
            results.close()

    def _given(self, jobs: Iterable[Job | None]) -> Iterator[Job]:
        for position, job in enumerate(jobs):
            if job is None:
                self._skipped.add(position)
            else:
                yield job._replace(position=position)


@functools.cache
def _recognizer(loaded: _Loaded) -> Recognizer:
    """The recognizer of a worker process."""
    model, detector, device, speaker_model = loaded
    return load(model, detector=detector, device=device, speaker_model=speaker_model)


def _predict(loaded: _Loaded, job: Job) -> Timed | Exception:
    """Recognise a file in a worker process. An error comes back with its traceback."""
    started = time.monotonic()
    try:
        report = _recognizer(loaded).predict(job.path, **job.options)
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
