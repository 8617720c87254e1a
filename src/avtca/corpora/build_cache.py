"""A corpus on disk to a prepared cache: in parallel, stoppable at any moment, resumable.

Each take becomes one file, written whole or not at all; the manifest is made from those files at
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
from avtca.corpora.index import FORMAT, Layout, TakeSource, clip_path, recipe, sha256_file
from avtca.corpora.pool import run_jobs
from avtca.corpora.sample_file import read_row, write_take
from avtca.corpora.store import read_head, to_csv, to_parquet, write_json
from avtca.errors import AvtcaError, CorpusError
from avtca.files import write_atomic

DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
Progress = Callable[[int, int], None]
"""Called with the takes done and the takes in all."""


@dataclass(frozen=True)
class Summary:
    """What became of a corpus: counts of takes, and why the others are not in it."""

    folder: Path
    taken: int
    reused: int
    without_face: int
    without_voice: int
    failures: tuple[tuple[str, str, str], ...]
    """``(take, source, why)``, also in ``failures.csv``."""
    skipped: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    bytes: int

    def lines(self) -> list[str]:
        """For people."""
        out = [
            f"{self.taken} takes in {self.folder} ({self.bytes / 1e6:.1f} MB), "
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


def prepare(
    layout: Layout,
    out: Path,
    spec: ClipSpec,
    *,
    workers: int = 0,
    lossless: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Make or complete the prepared corpus in ``out``; see docs/corpora.md for its files.

    The spec's labels are the corpus's where it names none. ``workers`` processes decode
    (0: this one does; a script that asks for more needs ``if __name__ == "__main__":``).
    ``lossless`` keeps crops as PNG and sound as float32, for exact comparisons. Raises
    :class:`CorpusError` where the folder holds something else, takes repeat, or the disk is
    full; :class:`ClipSpecMismatch` where it was begun with another spec.
    What was done until then stays and is used by the next run.
    """
    out = Path(out)
    spec = spec if spec.labels else replace(spec, labels=layout.labels)
    asked = f"prepare {layout.corpus} into {out}"
    _require_unique(layout, asked)
    moved = _open_folder(out, layout, spec, lossless, asked)
    current: dict[str, str] = {}
    todo: list[TakeSource] = []
    result = _Outcome()
    for source in layout.sources:
        try:
            current[source.take] = recipe(source, layout, spec, lossless=lossless)
            if not _is_done(out, source, current[source.take], moved):
                todo.append(source)
        except OSError as error:
            result.failures[source.take] = (_file(source, layout), _plain(error))
    reused = len(layout.sources) - len(todo) - len(result.failures)
    jobs = _jobs(todo)
    done = len(layout.sources) - len(todo)
    if done and progress is not None:
        progress(done, len(layout.sources))
    task = _Task(layout, spec, out, lossless, current)
    outcomes = run_jobs(jobs, task.call, task.died, min(workers, len(jobs)))
    with contextlib.closing(outcomes):
        for job, outcome in outcomes:
            result.failures.update(outcome.failures)
            if outcome.full:
                result.full = outcome.full
                break
            done += len(job)
            if progress is not None:
                progress(done, len(layout.sources))
    if result.full:
        rest = [source for source in layout.sources if source.take in current]
        kept = sum(_is_done(out, source, current[source.take], moved) for source in rest)
        raise CorpusError(
            asked,
            f"no space left on the disk ({result.full})",
            f"free some and run the same command again: {kept} takes are kept",
        )
    return _finish(layout, out, spec, lossless, current, result, reused, asked)


def _require_unique(layout: Layout, asked: str) -> None:
    if not layout.sources:
        raise CorpusError(asked, "there is no take to prepare", "check the folder")
    seen: set[str] = set()
    for source in layout.sources:
        if source.take in seen:
            raise CorpusError(asked, f"take {source.take} is there twice", "name each take once")
        seen.add(source.take)


def _open_folder(out: Path, layout: Layout, spec: ClipSpec, lossless: bool, asked: str) -> bool:
    """Make the folder, or see that it is this corpus begun with this spec.

    Returns whether what is there may be of a source elsewhere, whose names say nothing.
    """
    head = out / "corpus.json"
    try:
        if out.exists() and not head.is_file() and any(out.iterdir()):
            raise CorpusError(asked, "the folder holds something else", "choose an empty --out")
        if not head.is_file():
            out.mkdir(parents=True, exist_ok=True)
            write_json(head, _head(layout, spec, lossless))
    except OSError as error:
        raise CorpusError(asked, _plain(error), "choose an --out that can be written") from error
    values = read_head(out, asked)
    if values["corpus"] != layout.corpus:
        raise CorpusError(asked, f"the folder holds {values['corpus']}", "choose another --out")
    if values["lossless"] != lossless:
        kind = "lossless" if values["lossless"] else "compressed"
        raise CorpusError(asked, f"the folder was begun {kind}", "do the same, or another --out")
    ClipSpec.from_dict(values["spec"]).require(spec, asked=asked, ignore=("labels",))
    for left in out.glob("clips/*/.*.part"):
        left.unlink(missing_ok=True)
    moved = bool(values.get("root", _root(layout)) != _root(layout))
    if moved and values["root"]:  # until this is done, takes may be of either
        try:
            write_json(head, {**values, "root": ""})
        except OSError as error:
            raise CorpusError(asked, _plain(error), "choose another --out") from error
    return moved


def _root(layout: Layout) -> str:
    """Where the source is, as twelve digits: corpora are shared, and paths name people."""
    return hashlib.sha256(str(layout.root.resolve()).encode()).hexdigest()[:12]


def _head(layout: Layout, spec: ClipSpec, lossless: bool) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "corpus": layout.corpus,
        "language": layout.language,
        "spec": spec.to_dict(),
        "spec_hash": spec.hash,
        "labels": list(layout.labels),
        "targets": {name: list(columns) for name, columns in layout.targets.items()},
        "classes": {name: list(words) for name, words in layout.classes.items()},
        "lossless": lossless,
        "root": _root(layout),
        "complete": False,
    }


def _is_done(out: Path, source: TakeSource, wanted: str, moved: bool) -> bool:
    """Whether a take is there, of this recipe and no older than its files; and of their very bytes,
    where the source has ``moved``.
    """
    path = clip_path(out, source.take)
    row = read_row(path)
    if row is None or row.get("recipe") != wanted:
        return False
    made = path.stat().st_mtime
    if any(file.stat().st_mtime > made for file in source.files()):
        return False
    return not moved or _same_bytes(row, source)


def _same_bytes(row: Mapping[str, Any], source: TakeSource) -> bool:
    """Whether a take was read from these very files; feature series have no hash and are not
    known.
    """
    if source.visual_series or source.sound_series:
        return False
    main = source.picture or source.sound
    kept = ("source_sha256", main), ("sound_sha256", source.apart)
    return all(file is None or row.get(key) == sha256_file(file) for key, file in kept)


def _jobs(sources: Sequence[TakeSource]) -> list[list[TakeSource]]:
    """Takes cut from the same file are one job, so that it is decoded once."""
    jobs: dict[tuple[Any, ...], list[TakeSource]] = {}
    for source in sources:
        shared = source.start_s is not None and (source.picture or source.sound)
        key = (source.picture, source.sound) if shared else (source.take,)
        jobs.setdefault(key, []).append(source)
    return list(jobs.values())


@dataclass(frozen=True)
class _Task:
    """What every worker needs to know; the layout without its takes."""

    layout: Layout
    spec: ClipSpec
    out: Path
    lossless: bool
    recipes: dict[str, str]

    def __call__(self, job: list[TakeSource]) -> _Outcome:
        """Read and write the takes of one job; what goes wrong is said, not raised."""
        from avtca.corpora.decode import read_job

        outcome = _Outcome()
        try:
            made = read_job(job, self.layout, self.spec)
        except (AvtcaError, OSError, ValueError, KeyError, MemoryError) as error:
            return self._split(job, error)
        for source, take in made:
            path = clip_path(self.out, source.take)
            row = {**take.row, "recipe": self.recipes[source.take]}
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_take(path, replace(take, row=row), self.spec, lossless=self.lossless)
            except OSError as error:
                if error.errno in DISK_FULL:
                    return _Outcome(full=error.strerror or "disk full")
                outcome.failures[source.take] = (_file(source, self.layout), _plain(error))
        return outcome

    def _split(self, job: list[TakeSource], error: BaseException) -> _Outcome:
        """One bad segment does not take its neighbours along: they are tried one by one."""
        if len(job) == 1:
            return _Outcome({job[0].take: (_file(job[0], self.layout), _plain(error))})
        outcome = _Outcome()
        for source in job:
            one = self([source])
            outcome.failures.update(one.failures)
            outcome.full = outcome.full or one.full
        return outcome

    def call(self, job: list[TakeSource]) -> Callable[[], _Outcome]:
        """The work of one job, with its own recipes only, to send to a worker."""
        recipes = {source.take: self.recipes[source.take] for source in job}
        layout = replace(self.layout, sources=(), skipped=())
        return functools.partial(replace(self, layout=layout, recipes=recipes), job)

    def died(self, job: list[TakeSource]) -> _Outcome:
        """What is said of a job that ended its worker."""
        why = "decoding it ended the worker process (out of memory, or a broken file)"
        return _Outcome({source.take: (_file(source, self.layout), why) for source in job})


def _file(source: TakeSource, layout: Layout) -> str:
    files = source.files()
    return layout.relative(files[0]) if files else ""


def _plain(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return " ".join(text.split())


def _finish(
    layout: Layout,
    out: Path,
    spec: ClipSpec,
    lossless: bool,
    recipes: dict[str, str],
    result: _Outcome,
    reused: int,
    asked: str,
) -> Summary:
    """The manifest from the takes' files, ``failures.csv`` and the final ``corpus.json``."""
    rows, digest, size = [], hashlib.sha256(), 0
    for source in sorted(layout.sources, key=lambda source: source.take):
        path = clip_path(out, source.take)
        row = read_row(path) if source.take not in result.failures else None
        if row is None or row.pop("recipe", None) != recipes[source.take]:
            result.failures.setdefault(source.take, (_file(source, layout), "its file vanished"))
            continue
        data = path.read_bytes()
        clip_sha256 = hashlib.sha256(data).hexdigest()
        digest.update(f"{source.take} {clip_sha256}\n".encode())
        size += len(data)
        rows.append(
            {
                "take": source.take,
                "speaker": source.speaker,
                "label": source.label,
                "corpus": layout.corpus,
                "language": layout.language,
                **source.fields,
                "start_s": source.start_s,
                "end_s": source.end_s,
                **row,
                "clip_sha256": clip_sha256,
                "spec_hash": spec.hash,
            }
        )
    failures = tuple((take, *result.failures[take]) for take in sorted(result.failures))
    if not rows:
        with contextlib.suppress(OSError):
            write_atomic(out / "failures.csv", to_csv(("take", "source", "why"), failures))
        first = f"; the first: {failures[0][2]}" if failures else ""
        raise CorpusError(
            asked, f"not one take could be read{first}", f"see {out / 'failures.csv'}"
        )
    faces = sum(row["face_coverage"] == 0 for row in rows)
    voices = sum(row["voice_coverage"] == 0 for row in rows)
    try:
        write_atomic(out / "manifest.parquet", to_parquet(rows))
        write_atomic(out / "failures.csv", to_csv(("take", "source", "why"), failures))
        head = {
            **_head(layout, spec, lossless),
            "complete": True,
            "counts": {
                "takes": len(rows),
                "failed": len(failures),
                "without_face": faces,
                "without_voice": voices,
            },
            "bytes": size,
            "data_hash": digest.hexdigest()[:12],
        }
        write_json(out / "corpus.json", head)
    except OSError as error:
        raise CorpusError(asked, _plain(error), "free some space and run it again") from error
    return Summary(
        out, len(rows), reused, faces, voices, failures, layout.skipped, layout.notes, size
    )
