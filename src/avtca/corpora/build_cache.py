"""Build the cache of a prepared corpus (``avtca prepare``): parallel, interruptible, resumable.

Each sample becomes one file, written atomically, and the manifest is built from these files at the
end. A run that was killed and started again therefore gives byte for byte the manifest of an
uninterrupted one.
"""

import contextlib
import errno
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from avtca.clipspec import ClipSpec
from avtca.corpora.cache_files import (
    FORMAT,
    METADATA,
    cache_key,
    read_metadata,
    sample_path,
    sha256_file,
    to_csv,
    to_parquet,
)
from avtca.corpora.index import CorpusIndex, SampleSource
from avtca.corpora.sample_file import read_row, write_sample
from avtca.errors import AvtcaError, CorpusError
from avtca.files import write_atomic, write_json
from avtca.progress import ProgressHook, no_progress
from avtca.run_dir import RunDir
from avtca.text import printable
from avtca.worker_pool import run_jobs

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
STAGE = "read samples"
"""Stage that :func:`build_cache` reports to its progress hook."""


@dataclass(frozen=True)
class BuildSummary:
    """The outcome of :func:`build_cache`.

    Attributes:
        folder: The prepared corpus.
        prepared: Samples in it.
        reused: Samples of these that were there before.
        without_face: Samples in which no face was found.
        without_voice: Samples in which no speech was found.
        failures: ``(sample id, source file, reason)``, also in ``failures.csv``.
        skipped: ``(file, reason)`` of files that are in no sample.
        notes: Remarks on the corpus.
        bytes: Size of all sample files.
    """

    folder: Path
    prepared: int
    reused: int
    without_face: int
    without_voice: int
    failures: tuple[tuple[str, str, str], ...]
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    bytes: int

    def lines(self) -> list[str]:
        """The summary as printed."""
        out = [
            f"{self.prepared} samples in {self.folder} ({self.bytes / 1e6:.1f} MB), "
            f"{self.reused} of them were there already",
            f"without face: {self.without_face}; without voice: {self.without_voice}",
        ]
        if self.failures:
            out.append(f"failed: {len(self.failures)}, see {self.folder / 'failures.csv'}")
        reasons: dict[str, list[str]] = {}
        for name, why in self.skipped:
            reasons.setdefault(why, []).append(name)
        out += [f"skipped {len(n)}: {why} (first: {n[0]})" for why, n in reasons.items()]
        return [*out, *self.notes]


@dataclass
class _Outcome:
    failures: dict[str, tuple[str, str]] = field(default_factory=dict)
    full: str = ""


def build_cache(
    index: CorpusIndex,
    out: str | Path,
    spec: ClipSpec,
    *,
    workers: int = 0,
    lossless: bool = False,
    progress: ProgressHook = no_progress,
) -> BuildSummary:
    """Make or complete a prepared corpus; docs/corpora.md describes its files.

    Args:
        index: The samples.
        out: Folder of the prepared corpus.
        spec: The spec of the cache; without labels it takes those of the corpus.
        workers: Processes that decode; 0 decodes in this one. A script that uses more needs
            ``if __name__ == "__main__":``.
        lossless: Keep crops as PNG and audio as float32, for exact comparisons.
        progress: Called with the stage, samples done, samples in all.

    Raises:
        CorpusError: The folder holds something else, sample ids repeat, no sample can be read, or
            the disk is full. Finished samples are kept, and the next run uses them.
        ClipSpecMismatch: The folder was built with another spec.
    """
    out = Path(out)
    spec = spec if spec.labels else replace(spec, labels=index.labels)
    action = f"prepare {index.corpus} into {out}"
    _require_unique(index, action)
    moved = _open_folder(out, index, spec, lossless, action)
    current: dict[str, str] = {}
    todo: list[SampleSource] = []
    result = _Outcome()
    for source in index.sources:
        try:
            current[source.sample_id] = cache_key(source, index, spec, lossless=lossless)
            if not _is_done(out, source, current[source.sample_id], moved):
                todo.append(source)
        except OSError as error:
            result.failures[source.sample_id] = (_file(source, index), _plain(error))
    reused = len(index.sources) - len(todo) - len(result.failures)
    jobs = _jobs(todo)
    done = len(index.sources) - len(todo)
    if done:
        progress(STAGE, done, len(index.sources))
    task = _Task(index, spec, out, lossless, current)
    outcomes = run_jobs(jobs, task.call, task.died, min(workers, len(jobs)))
    with contextlib.closing(outcomes):
        for job, outcome in outcomes:
            result.failures.update(outcome.failures)
            if outcome.full:
                result.full = outcome.full
                break
            done += len(job)
            progress(STAGE, done, len(index.sources))
    if result.full:
        rest = [source for source in index.sources if source.sample_id in current]
        kept = sum(_is_done(out, source, current[source.sample_id], moved) for source in rest)
        raise CorpusError(
            action,
            f"no space left on the disk ({result.full})",
            f"free some and run the same command again: {kept} samples are kept",
        )
    return _finish(index, out, spec, lossless, current, result, reused, action)


def _require_unique(index: CorpusIndex, action: str) -> None:
    if not index.sources:
        raise CorpusError(action, "there are no samples", "check the folder")
    seen: set[str] = set()
    for source in index.sources:
        if source.sample_id in seen:
            raise CorpusError(
                action, f"sample {source.sample_id} is there twice", "name each sample once"
            )
        seen.add(source.sample_id)


def _open_folder(
    out: Path, index: CorpusIndex, spec: ClipSpec, lossless: bool, action: str
) -> bool:
    """Make the folder, or check that it is a cache of this corpus with this spec.

    Returns whether samples in it may come from another folder, so that names prove nothing.
    """
    settings = _metadata(index, spec, lossless)
    run = RunDir(
        out,
        action=action,
        settings_file=METADATA,
        ignored=settings.keys() - {"corpus", "lossless"} | {"counts", "bytes", "data_hash"},
        fix="choose another --out",
        error=CorpusError,
    )
    before = run.settings() and read_metadata(out, action)
    if before:
        ClipSpec.from_dict(before["spec"]).require(spec, action=action, ignore=("labels",))
    run.open(settings)
    for left in out.glob("clips/*/.*.part"):
        left.unlink(missing_ok=True)
    moved = bool(before) and before.get("root", settings["root"]) != settings["root"]
    if moved and before["root"]:  # until this run is complete, samples may be of either folder
        run.record({**before, "root": ""})
    return moved


def _root(index: CorpusIndex) -> str:
    """Hash of the source folder; not its path, since caches are shared and paths name users."""
    return hashlib.sha256(str(index.root.resolve()).encode()).hexdigest()[:12]


def _metadata(index: CorpusIndex, spec: ClipSpec, lossless: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "corpus": index.corpus,
        "language": index.language,
        "spec": spec.to_dict(),
        "spec_hash": spec.hash,
        "labels": list(index.labels),
        "targets": {name: list(columns) for name, columns in index.targets.items()},
        "classes": {name: list(words) for name, words in index.classes.items()},
        "lossless": lossless,
        "root": _root(index),
        "complete": False,
    }


def _key(row: dict[str, Any]) -> Any:
    """Take the cache key out of a row; avtca 0.1 called it the recipe."""
    return row.pop("cache_key", row.pop("recipe", None))


def _is_done(out: Path, source: SampleSource, wanted: str, moved: bool) -> bool:
    """Whether a sample's file has this cache key and is no older than its sources.

    With ``moved``, the sources must also be the same byte for byte.
    """
    path = sample_path(out, source.sample_id)
    row = read_row(path)
    if row is None or _key(row) != wanted:
        return False
    made = path.stat().st_mtime
    if any(file.stat().st_mtime > made for file in source.files()):
        return False
    return not moved or _same_bytes(row, source)


def _same_bytes(row: Mapping[str, Any], source: SampleSource) -> bool:
    """Whether a sample was made from the same files; unknown, so False, for feature series."""
    if source.video_series or source.audio_series:
        return False
    main = source.video or source.audio
    kept = ("source_sha256", main), ("audio_sha256", source.separate_audio)
    return all(file is None or row.get(key) == sha256_file(file) for key, file in kept)


def _jobs(sources: Sequence[SampleSource]) -> list[list[SampleSource]]:
    """Samples by job: segments of one file are one job, so that it is decoded once."""
    jobs: dict[tuple[Any, ...], list[SampleSource]] = {}
    for source in sources:
        shared = source.start_s is not None and (source.video or source.audio)
        key = (source.video, source.audio) if shared else (source.sample_id,)
        jobs.setdefault(key, []).append(source)
    return list(jobs.values())


@dataclass(frozen=True)
class _Task:
    """The work that is sent to worker processes, with the index without its samples."""

    index: CorpusIndex
    spec: ClipSpec
    out: Path
    lossless: bool
    keys: dict[str, str]

    def __call__(self, job: list[SampleSource]) -> _Outcome:
        """Decode and write the samples of one job; errors are returned, not raised."""
        from avtca.corpora.decode import decode_job

        outcome = _Outcome()
        try:
            made = decode_job(job, self.index, self.spec)
        except (AvtcaError, OSError, ValueError, KeyError, MemoryError) as error:
            return self._split(job, error)
        for source, sample in made:
            path = sample_path(self.out, source.sample_id)
            row = {**sample.row, "cache_key": self.keys[source.sample_id]}
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_sample(path, replace(sample, row=row), self.spec, lossless=self.lossless)
            except OSError as error:
                if error.errno in DISK_FULL:
                    return _Outcome(full=error.strerror or "disk full")
                outcome.failures[source.sample_id] = (_file(source, self.index), _plain(error))
        return outcome

    def _split(self, job: list[SampleSource], error: BaseException) -> _Outcome:
        """Retry the samples of a failed job one by one, so that one bad segment fails alone."""
        if len(job) == 1:
            return _Outcome({job[0].sample_id: (_file(job[0], self.index), _plain(error))})
        outcome = _Outcome()
        for source in job:
            one = self([source])
            outcome.failures.update(one.failures)
            outcome.full = outcome.full or one.full
        return outcome

    def call(self, job: list[SampleSource]) -> Callable[[], _Outcome]:
        """The work of one job, with its keys only."""
        keys = {source.sample_id: self.keys[source.sample_id] for source in job}
        index = replace(self.index, sources=(), skipped=())
        return functools.partial(replace(self, index=index, keys=keys), job)

    def died(self, job: list[SampleSource]) -> _Outcome:
        """The outcome of a job that killed its worker."""
        why = "decoding it ended the worker process (out of memory, or a broken file)"
        return _Outcome({source.sample_id: (_file(source, self.index), why) for source in job})


def _file(source: SampleSource, index: CorpusIndex) -> str:
    files = source.files()
    return index.relative(files[0]) if files else ""


def _plain(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return printable(" ".join(text.split()))


def _finish(
    index: CorpusIndex,
    out: Path,
    spec: ClipSpec,
    lossless: bool,
    keys: dict[str, str],
    result: _Outcome,
    reused: int,
    action: str,
) -> BuildSummary:
    """The manifest from the samples' files, ``failures.csv`` and the final ``corpus.json``."""
    rows, digest, size = [], hashlib.sha256(), 0
    for source in sorted(index.sources, key=lambda source: source.sample_id):
        path = sample_path(out, source.sample_id)
        row = read_row(path) if source.sample_id not in result.failures else None
        if row is None or _key(row) != keys[source.sample_id]:
            result.failures.setdefault(
                source.sample_id, (_file(source, index), "its file vanished")
            )
            continue
        data = path.read_bytes()
        clip_sha256 = hashlib.sha256(data).hexdigest()
        digest.update(f"{source.sample_id} {clip_sha256}\n".encode())
        size += len(data)
        rows.append(
            {
                "sample_id": source.sample_id,
                "speaker": source.speaker,
                "label": source.label,
                "corpus": index.corpus,
                "language": index.language,
                **source.fields,
                "start_s": source.start_s,
                "end_s": source.end_s,
                **row,
                "clip_sha256": clip_sha256,
                "spec_hash": spec.hash,
            }
        )
    failures = tuple((sample, *result.failures[sample]) for sample in sorted(result.failures))
    if not rows:
        with contextlib.suppress(OSError):
            write_atomic(out / "failures.csv", to_csv(("sample_id", "source", "why"), failures))
        first = f"; the first: {failures[0][2]}" if failures else ""
        raise CorpusError(
            action, f"not one sample could be read{first}", f"see {out / 'failures.csv'}"
        )
    faces = sum(row["face_coverage"] == 0 for row in rows)
    voices = sum(row["voice_coverage"] == 0 for row in rows)
    try:
        write_atomic(out / "manifest.parquet", to_parquet(rows))
        write_atomic(out / "failures.csv", to_csv(("sample_id", "source", "why"), failures))
        head = {
            **_metadata(index, spec, lossless),
            "complete": True,
            "counts": {
                "samples": len(rows),
                "failed": len(failures),
                "without_face": faces,
                "without_voice": voices,
            },
            "bytes": size,
            "data_hash": digest.hexdigest()[:12],
        }
        write_json(out / METADATA, head)
    except OSError as error:
        raise CorpusError(action, _plain(error), "free some space and run it again") from error
    return BuildSummary(
        out, len(rows), reused, faces, voices, failures, index.skipped, index.notes, size
    )
