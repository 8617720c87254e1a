"""Does a split say something about people it has not seen? What leaks between its sides.

A leak is a person on two sides, a twin of a sample (the same sample in another file), or a copy of a
medium, byte for byte or nearly. The auditor reads a manifest; media need not be there.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avtca.compat import KEYS
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.index import SYNTHETIC
from avtca.corpora.media_hash import NEAR, NEAR_AUDIO, near_pairs, picture_hashes
from avtca.corpora.splits import SUBSETS, CrossValidationSplit
from avtca.errors import CorpusError, LeakError

if TYPE_CHECKING:
    import pandas as pd

RAVDESS_NAME = re.compile(r"(.*?)0[123]((?:-\d\d){6})$")
EXAMPLES = 5
"""Named in the printed report for each kind of leak; the JSON has all."""
KINDS = {
    "speakers": "people on both sides",
    "twins": "twins of a sample on both sides",
    "identical": "byte-identical media on both sides",
    "near": "nearly identical media on both sides",
}


@dataclass(frozen=True)
class Leak:
    """Something that stands on two sides of a fold.

    ``kind`` is a key of :data:`KINDS`; ``what`` names it (a speaker, two samples).
    """

    fold: int
    kind: str
    between: tuple[str, str]
    what: tuple[str, ...]


@dataclass(frozen=True)
class AuditReport:
    """What an audit found.

    ``balance``: column -> fold -> side -> value -> samples, of the label and the demographic
    columns that the manifest has; ``warnings``: what could not be judged; ``allowed``: the user
    said that leaks are wanted.
    """

    split: str
    split_hash: str
    samples: int
    leaks: tuple[Leak, ...]
    balance: dict[str, list[dict[str, dict[str, int]]]]
    warnings: tuple[str, ...] = ()
    allowed: bool = False
    unplaced: int = 0
    folds: int = 1
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def leaks_people(self) -> bool:
        """Whether anything stands on two sides."""
        return bool(self.leaks)

    @property
    def caveat(self) -> str:
        """One line that every result made with this split carries."""
        if not self.leaks:
            return "clean" if not self.warnings else f"no leak found; {'; '.join(self.warnings)}"
        parts = [f"{n} {KINDS[kind]}" for kind, n in self.counts.items() if n]
        made = f"; {SYNTHETIC}" if SYNTHETIC in self.warnings else ""
        return f"LEAK{' (allowed)' if self.allowed else ''}: {', '.join(parts)}{made}"

    def require_clean(self) -> None:
        """Raise :class:`LeakError` unless there is no leak or leaks are allowed."""
        if self.leaks and not self.allowed:
            first = self.leaks[0]
            raise LeakError(
                f"use the split {self.split}",
                f"{self.caveat} (fold {first.fold}, {' / '.join(first.between)}: "
                f"{' = '.join(first.what)})",
                "choose folds that keep people apart, or allow the leak (--allow-leak, or "
                "data.allow_leak=true in a configuration) and carry the mark",
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "split": self.split,
            "split_hash": self.split_hash,
            "caveat": self.caveat,
            "leak": bool(self.leaks),
            "allowed": self.allowed,
            "samples": self.samples,
            "unplaced": self.unplaced,
            "folds": self.folds,
            "counts": self.counts,
            "warnings": list(self.warnings),
            "leaks": [vars(leak) for leak in self.leaks],
            "balance": self.balance,
        }

    def lines(self) -> list[str]:
        """For people."""
        out = [f"{self.samples} samples, {self.split} ({self.split_hash}), {self.folds} folds"]
        if self.unplaced:
            out.append(f"{self.unplaced} samples are on no side")
        for kind, text in KINDS.items():
            found = [leak for leak in self.leaks if leak.kind == kind]
            if found:
                out.append(f"{self.counts[kind]} {text}:")
                out += [
                    f"  fold {leak.fold} {' / '.join(leak.between)}: {' = '.join(leak.what)}"
                    for leak in found[:EXAMPLES]
                ]
                if len(found) > EXAMPLES:
                    out.append(f"  and {len(found) - EXAMPLES} more times")
        out += [_skew(column, folds) for column, folds in self.balance.items()]
        return [*out, *(f"note: {text}" for text in self.warnings), self.caveat]


def audit(
    manifest: "pd.DataFrame",
    folds: CrossValidationSplit,
    *,
    allow_leak: bool = False,
    near: bool = True,
) -> AuditReport:
    """Audit a manifest (columns sample, label, and as many of the others as it has) under folds.

    ``near=False`` leaves the search for nearly identical media out. Never raises for a leak: see
    :meth:`AuditReport.require_clean`. Raises :class:`CorpusError` for a manifest without samples.
    """
    if "sample_id" not in manifest.columns or not len(manifest):
        raise CorpusError("audit a manifest", "it has no samples", "give one with a column take")
    groups = _groups(manifest, near=near)
    leaks: list[Leak] = []
    balance: dict[str, list[dict[str, dict[str, int]]]] = defaultdict(list)
    placed = np.zeros(len(manifest), bool)
    for fold in range(len(folds.folds)):
        side_of = np.full(len(manifest), "", dtype=object)
        for side, rows in folds.subsets(manifest, fold).items():
            side_of[rows] = side
            placed[rows] = True
        for kind, ensemble in groups.items():
            leaks += _across(fold, kind, ensemble, side_of)
        for column in ("label", "sex", "age", "race", "ethnicity", "intensity", "language"):
            if column in manifest.columns and manifest[column].notna().any():
                balance[column].append(_counts(manifest[column], side_of, column))
    counts = {kind: len({(leak.what) for leak in leaks if leak.kind == kind}) for kind in KINDS}
    return AuditReport(
        split=folds.name,
        split_hash=folds.hash,
        samples=len(manifest),
        leaks=tuple(leaks),
        balance=dict(balance),
        warnings=tuple(_warnings(manifest, folds)),
        allowed=allow_leak,
        unplaced=int((~placed).sum()),
        folds=len(folds.folds),
        counts=counts,
    )


Group = tuple[tuple[str, ...], list[int]]
"""What the rows have in common (or their names), and the rows."""


def _groups(manifest: "pd.DataFrame", *, near: bool) -> dict[str, list[Group]]:
    """Rows that must stand on one side, by kind of leak."""
    samples = manifest["sample_id"].astype(str).tolist()
    speakers = _column(manifest, "speaker")
    media = _column(manifest, "source_sha256")
    cut = _column(manifest, "start_s")
    copies = [f"{sha}@{start}" if sha else "" for sha, start in zip(media, cut, strict=True)]
    out: dict[str, list[Group]] = {
        "speakers": [((name,), rows) for name, rows in _same(speakers).items()],
        "twins": [
            (tuple(dict.fromkeys(samples[row] for row in rows)), rows)
            for rows in _same(twin_keys(samples)).values()
        ],
        "identical": [
            (tuple(samples[row] for row in rows), rows) for rows in _same(copies).values()
        ],
        "near": [],
    }
    if near:
        pairs: dict[tuple[int, int], None] = {}
        for column, share in (("picture_hash", NEAR), ("audio_hash", NEAR_AUDIO)):
            for i, j, _ in near_pairs(_column(manifest, column), share):
                if not copies[i] or copies[i] != copies[j]:
                    pairs[i, j] = None
        out["near"] = [((samples[i], samples[j]), [i, j]) for i, j in pairs]
    return out


def _column(manifest: "pd.DataFrame", name: str) -> list[str]:
    if name not in manifest.columns:
        return [""] * len(manifest)
    values: list[str] = manifest[name].fillna("").astype(str).tolist()
    return values


def _same(keys: Iterable[str]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(keys):
        if key:
            rows[key].append(row)
    return {key: found for key, found in rows.items() if len(found) > 1}


def twin_keys(samples: Sequence[str]) -> list[str]:
    """A key that twins share: RAVDESS names without their modality, others without suffix."""
    out = []
    for sample in samples:
        stem = re.sub(
            r"\.(mp4|mov|avi|flv|mkv|webm|wav|flac|mp3|ogg|opus|m4a)$", "", sample, flags=re.I
        )
        match = RAVDESS_NAME.fullmatch(stem.rsplit("/", 1)[-1])
        out.append(match[1] + match[2] if match else stem)
    return out


def _across(fold: int, kind: str, groups: list[Group], side_of: NDArray[np.object_]) -> list[Leak]:
    """One leak for each group and pair of sides that it stands on."""
    out = []
    for what, rows in groups:
        sides = {side_of[row] for row in rows} - {""}
        for pair in combinations(SUBSETS, 2):
            if sides.issuperset(pair):
                out.append(Leak(fold, kind, pair, what))
    return out


def _counts(
    values: "pd.Series[Any]", side_of: NDArray[np.object_], column: str
) -> dict[str, dict[str, int]]:
    def words(value: Any) -> str:
        if value is None or value != value:
            return ""
        return f"{int(value) // 10 * 10}s" if column == "age" else str(value)

    named = np.array([words(value) for value in values], dtype=object)
    return {
        side: dict(sorted(Counter(named[side_of == side].tolist()).items()))
        for side in SUBSETS
        if (side_of == side).any()
    }


def _skew(column: str, folds: list[dict[str, dict[str, int]]]) -> str:
    """Where a column's shares on one side of a fold differ most from those of the fold."""
    worst = (-1.0, "")
    for fold, sides in enumerate(folds):
        whole = sum((Counter(counts) for counts in sides.values()), Counter[str]())
        for side, counts in sides.items():
            for value, n in whole.items():
                here, overall = counts.get(value, 0) / sum(counts.values()), n / whole.total()
                text = f"fold {fold} {side}: {value or '?'} {here:.0%}, in all {overall:.0%}"
                worst = max(worst, (abs(here - overall), text))
    values = len({value for sides in folds for counts in sides.values() for value in counts})
    if values == 1:
        return f"{column}: one value"
    return f"{column}: {values} values, most uneven in {worst[1]}"


def speaker_warnings(manifest: "pd.DataFrame") -> list[str]:
    """What must be said of a corpus's people wherever its samples are tested."""
    out = []
    if "synthetic" in _column(manifest, "corpus"):
        out.append(SYNTHETIC)
    if not any(_column(manifest, "speaker")):
        out.append("speakers are unknown: people could not be checked")
    elif not all(_column(manifest, "speaker")):
        out.append("some samples have no speaker: those people could not be checked")
    return out


def _warnings(manifest: "pd.DataFrame", folds: CrossValidationSplit) -> list[str]:
    out = speaker_warnings(manifest)
    if set(_column(manifest, "corpus")) == {"mosei"}:
        out.append("CMU-MOSEI names no speakers: videos were checked in their place")
    if not any(_column(manifest, "source_sha256")):
        out.append("no hashes of the media: identical files could not be checked")
    if folds.warning:
        out.append(folds.warning)
    return out


def open_manifest(path: Path) -> "pd.DataFrame":
    """A manifest: a prepared corpus, a .parquet, a .csv, or FERPlus's .npz.

    Raises :class:`CorpusError` where it is none of them, or its preparation was stopped.
    """
    import pandas as pd

    action = f"read the manifest {path}"
    if not path.exists():
        raise CorpusError(action, "no such file", "give a prepared corpus or a manifest")
    try:
        if (path / "corpus.json").is_file():
            return PreparedCorpus.open(path).manifest
        if path.suffix == ".parquet":
            return pd.read_parquet(path).rename(columns=KEYS)
        if path.suffix == ".npz":
            return _ferplus(path)
        if path.suffix == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False).rename(columns=KEYS)
            if "sample_id" not in table and "path" in table:
                table["sample_id"] = table["path"]
            return table
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(action, f"it cannot be read ({error})", "check the file") from error
    raise CorpusError(
        action, "no manifest", "give a prepared corpus, a .parquet, a .csv or ferplus.npz"
    )


def _ferplus(path: Path) -> "pd.DataFrame":
    """FERPlus's pictures as a manifest; the label is the most voted column."""
    import hashlib

    import pandas as pd

    with np.load(path) as data:
        images, usage, names, votes = (data[k] for k in ("images", "usage", "name", "votes"))
        words = [str(word) for word in data["vote_columns"]]
    return pd.DataFrame(
        {
            "sample_id": [f"{name}#{row}" for row, name in enumerate(names)],
            "label": [words[best] for best in votes.argmax(axis=1)],
            "corpus": "ferplus",
            "split": [SUBSETS[side] for side in usage],
            "source_sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
            "picture_hash": picture_hashes(images),
        }
    )
