"""A corpus on disk to a prepared cache: in parallel, stoppable at any moment, resumable.

Each sample becomes one file, written whole or not at all; the manifest is made from those files at
the end. So a run that was killed and started again does what is left, and its manifest is byte
for byte that of a run that was not.
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
from avtca.corpora.cache_files import read_metadata, to_csv, to_parquet
from avtca.corpora.index import FORMAT, CorpusIndex, SampleSource, recipe, sample_path, sha256_file
from avtca.corpora.sample_file import read_row, write_sample
from avtca.corpora.worker_pool import run_jobs
from avtca.errors import AvtcaError, CorpusError
from avtca.files import write_atomic, write_json
from avtca.progress import ProgressHook, no_progress

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
STAGE = "read samples"
"""Name of the stage that :func:`prepare` reports to its progress hook."""


@dataclass(frozen=True)
class BuildSummary:
    """What became of a corpus: counts of samples, and why the others are not in it."""

    folder: Path
    prepared: int
    reused: int
    without_face: int
    without_voice: int
    failures: tuple[tuple[str, str, str], ...]
    """``(sample, source, why)``, also in ``failures.csv``."""
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    bytes: int

    def lines(self) -> list[str]:
        """For people."""
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
    out: Path,
    spec: ClipSpec,
    *,
    workers: int = 0,
    lossless: bool = False,
    progress: ProgressHook = no_progress,
) -> BuildSummary:
    """Make or complete the prepared corpus in ``out``; see docs/corpora.md for its files.

    The spec's labels are the corpus's where it names none. ``workers`` processes decode
    (0: this one does; a script that asks for more needs ``if __name__ == "__main__":``).
    ``lossless`` keeps crops as PNG and audio as float32, for exact comparisons. Raises
    :class:`CorpusError` where the folder holds something else, samples repeat, or the disk is
    full; :class:`ClipSpecMismatch` where it was begun with another spec.
    What was done until then stays and is used by the next run.
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
            current[source.sample_id] = recipe(source, index, spec, lossless=lossless)
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
        raise CorpusError(action, "there is no sample to prepare", "check the folder")
    seen: set[str] = set()
    for source in index.sources:
        if source.sample_id in seen:
            raise CorpusError(
                action, f"take {source.sample_id} is there twice", "name each sample once"
            )
        seen.add(source.sample_id)


def _open_folder(
    out: Path, index: CorpusIndex, spec: ClipSpec, lossless: bool, action: str
) -> bool:
    """Make the folder, or see that it is this corpus begun with this spec.

    Returns whether what is there may be of a source elsewhere, whose names say nothing.
    """
    head = out / "corpus.json"
    try:
        if out.exists() and not head.is_file() and any(out.iterdir()):
            raise CorpusError(action, "the folder holds something else", "choose an empty --out")
        if not head.is_file():
            out.mkdir(parents=True, exist_ok=True)
            write_json(head, _head(index, spec, lossless))
    except OSError as error:
        raise CorpusError(action, _plain(error), "choose an --out that can be written") from error
    values = read_metadata(out, action)
    if values["corpus"] != index.corpus:
        raise CorpusError(action, f"the folder holds {values['corpus']}", "choose another --out")
    if values["lossless"] != lossless:
        kind = "lossless" if values["lossless"] else "compressed"
        raise CorpusError(action, f"the folder was begun {kind}", "do the same, or another --out")
    ClipSpec.from_dict(values["spec"]).require(spec, action=action, ignore=("labels",))
    for left in out.glob("clips/*/.*.part"):
        left.unlink(missing_ok=True)
    moved = bool(values.get("root", _root(index)) != _root(index))
    if moved and values["root"]:  # until this is done, samples may be of either
        try:
            write_json(head, {**values, "root": ""})
        except OSError as error:
            raise CorpusError(action, _plain(error), "choose another --out") from error
    return moved


def _root(index: CorpusIndex) -> str:
    """Where the source is, as twelve digits: corpora are shared, and paths name people."""
    return hashlib.sha256(str(index.root.resolve()).encode()).hexdigest()[:12]


def _head(index: CorpusIndex, spec: ClipSpec, lossless: bool) -> dict[str, Any]:
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


def _is_done(out: Path, source: SampleSource, wanted: str, moved: bool) -> bool:
    """Whether a sample is there, of this recipe and no older than its files; and of their very bytes,
    where the source has ``moved``.
    """
    path = sample_path(out, source.sample_id)
    row = read_row(path)
    if row is None or row.get("recipe") != wanted:
        return False
    made = path.stat().st_mtime
    if any(file.stat().st_mtime > made for file in source.files()):
        return False
    return not moved or _same_bytes(row, source)


def _same_bytes(row: Mapping[str, Any], source: SampleSource) -> bool:
    """Whether a sample was read from these very files; feature series have no hash and are not
    known.
    """
    if source.video_series or source.audio_series:
        return False
    main = source.video or source.audio
    kept = ("source_sha256", main), ("audio_sha256", source.separate_audio)
    return all(file is None or row.get(key) == sha256_file(file) for key, file in kept)


def _jobs(sources: Sequence[SampleSource]) -> list[list[SampleSource]]:
    """Takes cut from the same file are one job, so that it is decoded once."""
    jobs: dict[tuple[Any, ...], list[SampleSource]] = {}
    for source in sources:
        shared = source.start_s is not None and (source.video or source.audio)
        key = (source.video, source.audio) if shared else (source.sample_id,)
        jobs.setdefault(key, []).append(source)
    return list(jobs.values())


@dataclass(frozen=True)
class _Task:
    """What every worker needs to know; the index without its samples."""

    index: CorpusIndex
    spec: ClipSpec
    out: Path
    lossless: bool
    recipes: dict[str, str]

    def __call__(self, job: list[SampleSource]) -> _Outcome:
        """Read and write the samples of one job; what goes wrong is said, not raised."""
        from avtca.corpora.decode import decode_job

        outcome = _Outcome()
        try:
            made = decode_job(job, self.index, self.spec)
        except (AvtcaError, OSError, ValueError, KeyError, MemoryError) as error:
            return self._split(job, error)
        for source, sample in made:
            path = sample_path(self.out, source.sample_id)
            row = {**sample.row, "recipe": self.recipes[source.sample_id]}
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_sample(path, replace(sample, row=row), self.spec, lossless=self.lossless)
            except OSError as error:
                if error.errno in DISK_FULL:
                    return _Outcome(full=error.strerror or "disk full")
                outcome.failures[source.sample_id] = (_file(source, self.index), _plain(error))
        return outcome

    def _split(self, job: list[SampleSource], error: BaseException) -> _Outcome:
        """One bad segment does not take its neighbours along: they are tried one by one."""
        if len(job) == 1:
            return _Outcome({job[0].sample_id: (_file(job[0], self.index), _plain(error))})
        outcome = _Outcome()
        for source in job:
            one = self([source])
            outcome.failures.update(one.failures)
            outcome.full = outcome.full or one.full
        return outcome

    def call(self, job: list[SampleSource]) -> Callable[[], _Outcome]:
        """The work of one job, with its own recipes only, to send to a worker."""
        recipes = {source.sample_id: self.recipes[source.sample_id] for source in job}
        index = replace(self.index, sources=(), skipped=())
        return functools.partial(replace(self, index=index, recipes=recipes), job)

    def died(self, job: list[SampleSource]) -> _Outcome:
        """What is said of a job that ended its worker."""
        why = "decoding it ended the worker process (out of memory, or a broken file)"
        return _Outcome({source.sample_id: (_file(source, self.index), why) for source in job})


def _file(source: SampleSource, index: CorpusIndex) -> str:
    files = source.files()
    return index.relative(files[0]) if files else ""


def _plain(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(text.split())


def _finish(
    index: CorpusIndex,
    out: Path,
    spec: ClipSpec,
    lossless: bool,
    recipes: dict[str, str],
    result: _Outcome,
    reused: int,
    action: str,
) -> BuildSummary:
    """The manifest from the samples' files, ``failures.csv`` and the final ``corpus.json``."""
    rows, digest, size = [], hashlib.sha256(), 0
    for source in sorted(index.sources, key=lambda source: source.sample_id):
        path = sample_path(out, source.sample_id)
        row = read_row(path) if source.sample_id not in result.failures else None
        if row is None or row.pop("recipe", None) != recipes[source.sample_id]:
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
            **_head(index, spec, lossless),
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
        write_json(out / "corpus.json", head)
    except OSError as error:
        raise CorpusError(action, _plain(error), "free some space and run it again") from error
    return BuildSummary(
        out, len(rows), reused, faces, voices, failures, index.skipped, index.notes, size
    )
