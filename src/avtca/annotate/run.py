"""Annotate the recordings of a corpus, each once."""

import functools
import importlib.util
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from avtca import __version__
from avtca.annotate.ray_engine import ray_lines
from avtca.annotate.recordings import Recording, Shard, find_recordings
from avtca.annotate.result import Options, annotate_recording, died, recognizer, schemas
from avtca.annotate.tables import Tables
from avtca.errors import ConfigError, MissingExtra
from avtca.progress import ProgressHook, no_progress
from avtca.recognize import PersonMode
from avtca.recognize.recognizer import require_person
from avtca.runtime.bundle import DEFAULT_MODEL, PAPER_MODEL, model_path
from avtca.worker_pool import default_workers, end_workers, run_jobs

if TYPE_CHECKING:
    from avtca.recognize import Recognizer

Engine = Literal["local", "ray"]
"""Processes of this machine, or a Ray cluster."""


@dataclass
class Summary:
    """What a folder has after a call.

    Attributes:
        out: The folder.
        recordings: Recordings of the sources in this shard.
        before: How many of them had a result before the call.
        failed: How many recordings of the folder failed.
        others: Recordings of the folder that are not among the sources.
    """

    out: Path
    recordings: int
    before: int = 0
    failed: int = 0
    others: int = 0


def annotate(
    sources: Sequence[str | Path],
    out: str | Path,
    *,
    engine: Engine = "local",
    shard: Shard | tuple[int, int] = (1, 1),
    jobs: int | None = None,
    window_s: float | None = None,
    hop_s: float | None = None,
    person: PersonMode = "main",
    model: str | Path | None = None,
    detector: str | None = None,
    speaker_model: str | Path | None = None,
    retry_failed: bool = False,
    opened: Callable[[Summary], None] = lambda summary: None,
    progress: ProgressHook = no_progress,
) -> Summary:
    """Recognise the recordings of a corpus into two tables of Parquet files.

    A recording that has a result in the folder is not read again. docs/annotate.md describes the
    sources and the tables.

    Args:
        sources: One manifest, or files, folders, globs and addresses that fsspec reads.
        out: Folder of the tables; it is made, or completed.
        engine: "local" for processes of this machine, "ray" for a Ray cluster.
        shard: Part k of n of the recordings. Processes that write different shards may share the
            folder.
        jobs: Processes or Ray workers; by default what cores and memory allow. 0 recognises in
            this process.
        window_s: See :meth:`Recognizer.predict`.
        hop_s: See :meth:`Recognizer.predict`.
        person: See :meth:`Recognizer.predict`.
        model: See :func:`avtca.load`.
        detector: See :func:`avtca.load`.
        speaker_model: See :func:`avtca.load`; each node of a cluster needs the file.
        retry_failed: Whether recordings that failed before are read again.
        opened: Called once before the work, with what the folder has.
        progress: Called after each recording with the number done and the total.

    Returns:
        Counts of recordings.

    Raises:
        ConfigError: An option is invalid, the folder holds another run or cannot be written, or
            the cluster cannot be used.
        CorpusError: The manifest cannot be read.
        MediaError: Nothing was found.
        CheckpointError: See :func:`avtca.load`.
        MissingExtra: Packages are not installed.
        KeyboardInterrupt: Ctrl-C; what is done so far is in the tables.
    """
    if importlib.util.find_spec("pyarrow") is None:
        problem, fix = "it needs pyarrow, which is not installed", "pip install 'avtca[annotate]'"
        raise MissingExtra("annotate recordings", problem, fix)
    if engine not in get_args(Engine):
        raise ConfigError(f"use engine {engine!r}", "unknown choice", "choose 'local' or 'ray'")
    shard, out = Shard.parse("{}/{}".format(*shard)), Path(out)
    found = find_recordings([str(source) for source in sources])
    recordings = [one for one in found if shard.holds(one)]
    speaker = None if speaker_model is None else str(Path(speaker_model).absolute())
    options = Options(_portable(model), detector, window_s, hop_s, person, speaker)
    one = recognizer(options.model, options.detector, options.speaker_model)
    settings = _settings(one, options)
    tables = Tables(out, settings, schemas(one.backend.spec.labels, one.backend.name), shard)
    with tables:
        if retry_failed:
            tables.forget_failures()
        others = tables.check(recordings)
        waiting = [each for each in recordings if each.id not in tables.done]
        before = len(recordings) - len(waiting)
        summary = Summary(out, len(recordings), before, tables.failures, others)
        opened(summary)
        lines = _lines(engine, options, waiting, jobs)
        try:
            progress("annotate", before, len(recordings))
            for line in lines:
                tables.add(line)
                progress("annotate", len(tables.done) - others, len(recordings))
        except KeyboardInterrupt as stop:
            lines.close()
            tables.commit()
            stop.args = (f"after {len(tables.done) - others} of {len(recordings)}",)
            raise
        finally:
            lines.close()
        tables.commit()
        summary.failed = tables.failures
    return summary


def _portable(model: str | Path | None) -> str:
    """A model as other processes and machines find it: a packaged one by its name."""
    path = model_path(model or DEFAULT_MODEL)
    names = {model_path(name): name for name in (DEFAULT_MODEL, PAPER_MODEL)}
    return names.get(path) or str(path.absolute())


def _settings(one: "Recognizer", options: Options) -> dict[str, Any]:
    """Whatever changes the results."""
    backend = one.backend
    window, hop = one.steps(options.window_s, options.hop_s)
    require_person(options.person)
    settings = {
        "avtca": __version__,
        "model": backend.name,
        "weights": backend.weights,
        "temperature": backend.temperature,
        "thresholds": dict(backend.thresholds),
        "window_steps": window,
        "hop_steps": hop,
        "person": options.person,
        "detector": options.detector or type(one.detector).__name__,
    }
    if one.speaker_model is not None:
        settings["speaker_model"] = one.speaker_model.sha256
    return settings


def _lines(
    engine: Engine, options: Options, waiting: Sequence[Recording], jobs: int | None
) -> Generator[str, None, None]:
    """The line of each recording, in the order they finish."""
    if not waiting:
        return
    if engine == "ray":
        yield from ray_lines(options, waiting, jobs)
        return

    def call(recording: Recording) -> Callable[[], str]:
        return functools.partial(annotate_recording, options, recording)

    workers = default_workers(len(waiting)) if jobs is None else min(jobs, len(waiting))
    results = run_jobs(waiting, call, died, workers)
    complete = False
    try:
        for _, line in results:
            yield line
        complete = True
    finally:
        if not complete:
            end_workers()
        results.close()
