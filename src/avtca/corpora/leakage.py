"""Leakage between the subsets of a split.

A leak is a speaker in two subsets, twins (one sample in two files), or a copy of a medium, byte for
byte or nearly. The audit needs a manifest; the media need not be there.
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
from avtca.corpora.index import AUDIO_SUFFIXES, SYNTHETIC, VIDEO_SUFFIXES
from avtca.corpora.media_hash import NEAR, NEAR_AUDIO, near_pairs, picture_hashes
from avtca.corpora.splits import SUBSETS, CrossValidationSplit
from avtca.errors import CorpusError, LeakError

if TYPE_CHECKING:
    import pandas as pd

RAVDESS_NAME = re.compile(r"(.*?)0[123]((?:-\d\d){6})$")
EXAMPLES = 5
"""Leaks of each kind in the printed report; the JSON lists all."""
KINDS = {
    "speakers": "speakers in two subsets",
    "twins": "twin samples in two subsets",
    "identical": "byte-identical media in two subsets",
    "near": "near-identical media in two subsets",
}
BALANCE_COLUMNS = ("label", "sex", "age", "race", "ethnicity", "intensity", "language")


@dataclass(frozen=True)
class Leak:
    """One leak.

    Attributes:
        fold: Number of the fold.
        kind: A key of :data:`KINDS`.
        between: The two subsets.
        what: The speaker, or the sample ids.
    """

    fold: int
    kind: str
    between: tuple[str, str]
    what: tuple[str, ...]


@dataclass(frozen=True)
class AuditReport:
    """The result of :func:`audit`.

    Attributes:
        split: Name of the split.
        split_hash: Its hash.
        samples: Number of samples in the manifest.
        leaks: Everything found.
        balance: column -> fold -> subset -> value -> samples, for label and demographic
            columns.
        warnings: What could not be checked, or what the split does not measure.
        allowed: Whether the user allows leaks.
        unassigned: Samples that are in no subset of any fold.
        folds: Number of folds.
        counts: Different leaks of each kind.
    """

    split: str
    split_hash: str
    samples: int
    leaks: tuple[Leak, ...]
    balance: dict[str, list[dict[str, dict[str, int]]]]
    warnings: tuple[str, ...] = ()
    allowed: bool = False
    unassigned: int = 0
    folds: int = 1
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def caveat(self) -> str:
        """The line that every result of this split carries."""
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
                "choose speaker-independent folds (speakers:5), or allow the leak "
                "(--allow-leak, or data.allow_leak=true in a configuration); all results "
                "then carry this line",
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        return {
            **vars(self),
            "caveat": self.caveat,
            "leak": bool(self.leaks),
            "leaks": [vars(leak) for leak in self.leaks],
        }

    def lines(self) -> list[str]:
        """The report as printed."""
        out = [f"{self.samples} samples, {self.split} ({self.split_hash}), {self.folds} folds"]
        if self.unassigned:
            out.append(f"{self.unassigned} samples are in no subset")
        for kind, text in KINDS.items():
            found = [leak for leak in self.leaks if leak.kind == kind]
            if found:
                out.append(f"{self.counts[kind]} {text}:")
            out += [
                f"  fold {leak.fold} {' / '.join(leak.between)}: {' = '.join(leak.what)}"
                for leak in found[:EXAMPLES]
            ]
            if len(found) > EXAMPLES:
                out.append(f"  and {len(found) - EXAMPLES} more")
        out += [_imbalance(column, folds) for column, folds in self.balance.items()]
        return [*out, *(f"note: {text}" for text in self.warnings), self.caveat]


def audit(
    manifest: "pd.DataFrame",
    split: CrossValidationSplit,
    *,
    allow_leak: bool = False,
    near: bool = True,
) -> AuditReport:
    """Check the subsets of every fold for leaks.

    Args:
        manifest: Columns sample_id and label, and as many of the others as it has.
        split: The folds.
        allow_leak: Mark the report so that :meth:`AuditReport.require_clean` accepts leaks.
        near: Compare the perceptual hashes of all media too.

    Raises:
        CorpusError: The manifest has no samples, or is of another corpus.
    """
    if "sample_id" not in manifest.columns or not len(manifest):
        raise CorpusError(
            "audit a manifest", "it has no samples", "give one with a column sample_id"
        )
    groups = _groups(manifest, near=near)
    columns = [c for c in BALANCE_COLUMNS if c in manifest.columns and manifest[c].notna().any()]
    leaks: list[Leak] = []
    balance: dict[str, list[dict[str, dict[str, int]]]] = {column: [] for column in columns}
    assigned = np.zeros(len(manifest), bool)
    for fold in range(len(split.folds)):
        subset_of = np.full(len(manifest), "", dtype=object)
        for subset, rows in split.subsets(manifest, fold).items():
            subset_of[rows] = subset
        assigned |= subset_of != ""
        for kind, same in groups.items():
            leaks += _leaks(fold, kind, same, subset_of)
        for column in columns:
            balance[column].append(_counts(manifest[column], subset_of, column))
    return AuditReport(
        split=split.name,
        split_hash=split.hash,
        samples=len(manifest),
        leaks=tuple(leaks),
        balance=balance,
        warnings=tuple(_warnings(manifest, split)),
        allowed=allow_leak,
        unassigned=int((~assigned).sum()),
        folds=len(split.folds),
        counts={kind: len({leak.what for leak in leaks if leak.kind == kind}) for kind in KINDS},
    )


Group = tuple[tuple[str, ...], list[int]]
"""What the rows have in common, or their sample ids; and the rows."""


def _groups(manifest: "pd.DataFrame", *, near: bool) -> dict[str, list[Group]]:
    """Rows that must be in one subset, by kind of leak."""
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
    """A key that twins share: RAVDESS names without the modality, others without a suffix."""
    out = []
    for sample in samples:
        suffix = Path(sample).suffix
        is_media = suffix.lower() in VIDEO_SUFFIXES | AUDIO_SUFFIXES
        stem = sample.removesuffix(suffix) if is_media else sample
        match = RAVDESS_NAME.fullmatch(stem.rsplit("/", 1)[-1])
        out.append(match[1] + match[2] if match else stem)
    return out


def _leaks(fold: int, kind: str, groups: list[Group], subset_of: NDArray[np.object_]) -> list[Leak]:
    """One leak for each group and pair of subsets that it is in."""
    out = []
    for what, rows in groups:
        subsets = {subset_of[row] for row in rows}
        for pair in combinations(SUBSETS, 2):
            if subsets.issuperset(pair):
                out.append(Leak(fold, kind, pair, what))
    return out


def _counts(
    values: "pd.Series[Any]", subset_of: NDArray[np.object_], column: str
) -> dict[str, dict[str, int]]:
    def words(value: Any) -> str:
        if value is None or value != value:
            return ""
        return f"{int(value) // 10 * 10}s" if column == "age" else str(value)

    named = np.array([words(value) for value in values], dtype=object)
    return {
        subset: dict(sorted(Counter(named[subset_of == subset].tolist()).items()))
        for subset in SUBSETS
        if (subset_of == subset).any()
    }


def _imbalance(column: str, folds: list[dict[str, dict[str, int]]]) -> str:
    """Where the share of a value in a subset differs most from that in its whole fold."""
    worst = (-1.0, "")
    for fold, subsets in enumerate(folds):
        whole = sum((Counter(counts) for counts in subsets.values()), Counter[str]())
        for subset, counts in subsets.items():
            for value, n in whole.items():
                here, overall = counts.get(value, 0) / sum(counts.values()), n / whole.total()
                text = f"fold {fold} {subset}: {value or '?'} {here:.0%}, in all {overall:.0%}"
                worst = max(worst, (abs(here - overall), text))
    values = len({value for subsets in folds for counts in subsets.values() for value in counts})
    if values == 1:
        return f"{column}: one value"
    return f"{column}: {values} values, most uneven in {worst[1]}"


def speaker_warnings(manifest: "pd.DataFrame") -> list[str]:
    """What any result on this corpus must say about its speakers."""
    out = []
    if "synthetic" in _column(manifest, "corpus"):
        out.append(SYNTHETIC)
    if not any(_column(manifest, "speaker")):
        out.append("speakers are unknown and could not be checked")
    elif not all(_column(manifest, "speaker")):
        out.append("some samples have no speaker, which could not be checked")
    return out


def _warnings(manifest: "pd.DataFrame", split: CrossValidationSplit) -> list[str]:
    out = speaker_warnings(manifest)
    if set(_column(manifest, "corpus")) == {"mosei"}:
        out.append("CMU-MOSEI names no speakers: videos were checked instead")
    if not any(_column(manifest, "source_sha256")):
        out.append("no hashes of the media: identical files could not be checked")
    if split.warning:
        out.append(split.warning)
    return out


def open_manifest(path: Path) -> "pd.DataFrame":
    """The manifest of a prepared corpus, a .parquet, a .csv, or FERPlus's .npz.

    Raises:
        CorpusError: It is none of these, cannot be read, or is an incomplete prepared corpus.
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
    """FERPlus's images as a manifest; the label is the column with the most votes."""
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
            "split": [SUBSETS[number] for number in usage],
            "source_sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
            "picture_hash": picture_hashes(images),
        }
    )
