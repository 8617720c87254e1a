"""Cross-validation splits: named, frozen and hashed.

The JSON files in ``folds/`` are data of the package. ``experiments/make_folds.py`` made them, and a
test checks that it still does.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from avtca.compat import KEYS
from avtca.errors import CorpusError

if TYPE_CHECKING:
    import pandas as pd

SUBSETS = ("train", "validation", "test")
SUBSET_ALIASES = {
    **{subset: subset for subset in SUBSETS},
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
}
"""Accepted names of the subsets, in manifests and as folders."""
FOLDS_DIR = Path(__file__).parent / "folds"
RANDOM_SPLIT = "random_80_20"
"""Name of :func:`random_folds` for any corpus."""
RANDOM_WARNING = (
    "random split over samples: every speaker is in all subsets. For comparison with papers that "
    "split this way; it does not measure performance on unseen speakers"
)


class Fold(NamedTuple):
    """Three disjoint sets of speakers or of sample ids."""

    train: frozenset[str]
    validation: frozenset[str]
    test: frozenset[str]


@dataclass(frozen=True)
class CrossValidationSplit:
    """One or more folds of a corpus.

    Attributes:
        name: Name of the split.
        corpus: Corpus it is made for; empty for any.
        unit: The manifest column whose values the folds list.
        folds: The folds.
        rule: How they were made.
        citation: Where they come from.
        warning: What its results do not show; empty for speaker-independent splits.
    """

    name: str
    corpus: str
    unit: Literal["speaker", "sample_id"]
    folds: tuple[Fold, ...]
    rule: str = ""
    citation: str = ""
    warning: str = ""

    @property
    def hash(self) -> str:
        """Twelve hex digits that change when any name moves to another subset."""
        values = self.to_dict()
        core = {key: values[key] for key in ("corpus", "unit", "splits")}
        core["unit"] = "take" if self.unit == "sample_id" else self.unit  # its name in 0.1
        return hashlib.sha256(json.dumps(core, sort_keys=True).encode()).hexdigest()[:12]

    def subsets(self, manifest: "pd.DataFrame", fold: int) -> dict[str, NDArray[np.int64]]:
        """The manifest rows of each subset of one fold.

        Args:
            manifest: A manifest with the column :attr:`unit`.
            fold: Number of the fold, from 0.

        Returns:
            Row numbers of ``train``, ``validation`` and ``test``.

        Raises:
            CorpusError: There is no such fold or column, or the manifest is of another corpus, so
                that no row is in any subset.
        """
        action = f"split by {self.name}"
        if not 0 <= fold < len(self.folds):
            problem = f"no fold {fold}"
            raise CorpusError(action, problem, f"it has {len(self.folds)}, counted from 0")
        if self.unit not in manifest.columns:
            raise CorpusError(action, f"the manifest has no column {self.unit}", "add it")
        subset_of = {
            name: subset
            for subset, members in zip(SUBSETS, self.folds[fold], strict=True)
            for name in members
        }
        found = np.array([subset_of.get(name, "") for name in manifest[self.unit].astype(str)])
        if not found.astype(bool).any():
            raise CorpusError(
                action,
                f"none of the manifest's {self.unit}s are in it",
                f"it is made for {self.corpus or 'another corpus'}",
            )
        return {subset: np.flatnonzero(found == subset).astype(np.int64) for subset in SUBSETS}

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values; names sorted."""
        return {
            "name": self.name,
            "corpus": self.corpus,
            "unit": self.unit,
            "rule": self.rule,
            "citation": self.citation,
            "warning": self.warning,
            "splits": [
                {subset: sorted(part) for subset, part in zip(SUBSETS, fold, strict=True)}
                for fold in self.folds
            ],
        }

    def to_json(self) -> str:
        """The text of a fold file, with the hash; one line for each subset."""
        values = self.to_dict()
        folds = values.pop("splits")
        head = json.dumps({**values, "hash": self.hash}, indent=1, ensure_ascii=False)
        body = ",\n".join(
            "  {" + ",\n   ".join(f'"{k}": {json.dumps(v)}' for k, v in fold.items()) + "}"
            for fold in folds
        )
        return f'{head[:-2]},\n "splits": [\n{body}\n ]\n}}\n'


def fold_names() -> list[str]:
    """Names of the splits in the package."""
    return sorted(path.stem for path in FOLDS_DIR.glob("*.json"))


def resolve_folds(name: str, manifest: "pd.DataFrame") -> CrossValidationSplit:
    """The split that a configuration or command names.

    Args:
        name: A name of :func:`fold_names`, the path of a JSON file, ``speakers:K``
            (:func:`speaker_kfold`), ``column:NAME`` (:func:`split_column`) or ``random_80_20``
            (:func:`random_folds`).
        manifest: The manifest of the samples to split.

    Raises:
        CorpusError: As the functions above.
    """
    kind, _, value = name.partition(":")
    if kind == "column" and value:
        return split_column(manifest, value)
    if kind == "speakers" and value:
        return speaker_kfold(manifest, value)
    if name == RANDOM_SPLIT:
        return random_folds(manifest["sample_id"].astype(str))
    return load_folds(name)


def load_folds(name: str | Path) -> CrossValidationSplit:
    """A split of the package by name, or of a JSON file of the same layout by path.

    A file without a hash is accepted as it is.

    Raises:
        CorpusError: The name is unknown, the file is not a fold file, its hash does not match its
            folds, or a name is in two subsets of one fold.
    """
    path = FOLDS_DIR / f"{name}.json"
    if str(name) not in fold_names():
        path = Path(name)
        if path.suffix != ".json" or not path.is_file():
            raise CorpusError(
                f"load folds {name}",
                "no such folds and no such .json file",
                f"choose one of {', '.join(fold_names())}, or speakers:5 for any corpus",
            )
    action = f"load folds {path.name}"
    try:
        values = json.loads(path.read_text("utf-8"))
        unit = KEYS.get(values["unit"], values["unit"])
        folds = tuple(Fold(*(frozenset(one[key]) for key in SUBSETS)) for one in values["splits"])
        if unit not in ("speaker", "sample_id") or not folds:
            raise ValueError("unit must be speaker or sample_id, and splits not empty")
        texts = {key: str(values.get(key, "")) for key in ("rule", "citation", "warning")}
        name, corpus = str(values.get("name", path.stem)), str(values.get("corpus", ""))
        split = CrossValidationSplit(name, corpus, unit, folds, **texts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(
            action,
            f"not a fold file ({error!r})",
            'give JSON with "unit" and "splits": a list of {"train", "validation", "test"} lists',
        ) from error
    if values.get("hash", split.hash) != split.hash:
        raise CorpusError(
            action,
            f"its folds have the hash {split.hash}, the file gives {values['hash']}",
            "it was edited: restore it, or remove the hash and give it another name",
        )
    for number, fold in enumerate(folds):
        for (a, one), (b, other) in combinations(zip(SUBSETS, fold, strict=True), 2):
            if both := one & other:
                raise CorpusError(
                    action,
                    f"fold {number}: {min(both)} is in {a} and in {b}",
                    "put each name into one subset",
                )
    return split


def speaker_kfold(manifest: "pd.DataFrame", n_folds: str | int) -> CrossValidationSplit:
    """Speaker-independent folds for any corpus with speakers (``speakers:K``).

    Speakers are ordered by the SHA-256 of their names and assigned to ``n_folds`` groups in turn,
    so the folds depend on the set of speakers alone. Each group is the test set of one fold and the
    validation set of the one before it. Samples without a speaker are in no subset.

    Raises:
        CorpusError: ``n_folds`` is not a number from 3 to the number of speakers.
    """
    action = f"split by speakers:{n_folds}"
    names = {name for name in manifest.get("speaker", ()) if isinstance(name, str) and name}
    if len(names) < 3:
        problem = f"the manifest has {len(names)} speakers, three subsets need three"
        raise CorpusError(action, problem, "give each sample a speaker, or use column:NAME")
    if (
        not str(n_folds).isascii()
        or not str(n_folds).isdigit()
        or not 3 <= int(n_folds) <= len(names)
    ):
        problem = f"the number of folds must be from 3 to {len(names)}, the number of speakers"
        raise CorpusError(action, problem, f"for example speakers:{min(5, len(names))}")
    n, order = int(n_folds), _by_hash(names)
    return CrossValidationSplit(
        name=f"speakers:{n}",
        corpus="",
        unit="speaker",
        folds=tuple(cyclic_folds([order[k::n] for k in range(n)])),
        rule=f"speakers ordered by the SHA-256 of their names, assigned to {n} groups in turn; "
        "each group is tested once, the next one is its validation set",
    )


def random_folds(
    samples: Iterable[str], *, name: str = RANDOM_SPLIT, corpus: str = ""
) -> CrossValidationSplit:
    """One fold of 70 % train, 10 % validation and 20 % test samples, in the order of SHA-256.

    All speakers are in all subsets, so the split carries :data:`RANDOM_WARNING`.
    """
    order = _by_hash(samples)
    n_test, n_validation = round(0.2 * len(order)), round(0.1 * len(order))
    fold = Fold(
        frozenset(order[n_test + n_validation :]),
        frozenset(order[n_test : n_test + n_validation]),
        frozenset(order[:n_test]),
    )
    rule = "samples ordered by the SHA-256 of their names; first 20 % test, next 10 % validation"
    return CrossValidationSplit(name, corpus, "sample_id", (fold,), rule, "", RANDOM_WARNING)


def split_column(manifest: "pd.DataFrame", column: str) -> CrossValidationSplit:
    """One fold, from a manifest column of ``train``, ``validation`` and ``test`` (``column:NAME``).

    Raises:
        CorpusError: The column is missing, empty, or has other values.
    """
    action = f"split by column {column}"
    if column not in manifest.columns:
        raise CorpusError(action, "no such column", f"it has {', '.join(manifest.columns)}")
    subset = manifest[column].fillna("").astype(str).str.strip().str.lower().replace(SUBSET_ALIASES)
    if unknown := sorted(set(subset) - {*SUBSETS, ""}):
        raise CorpusError(action, f"unknown subset {unknown[0]!r}", f"use {', '.join(SUBSETS)}")
    if not subset.any():
        raise CorpusError(action, "it is empty", "choose folds by name; see docs/corpora.md")
    samples = manifest["sample_id"].astype(str)
    fold = Fold(*(frozenset(samples[subset == name]) for name in SUBSETS))
    rule = f"the manifest's column {column}"
    return CrossValidationSplit(f"column:{column}", "", "sample_id", (fold,), rule)


def cyclic_folds(groups: Sequence[Sequence[str]]) -> list[Fold]:
    """One fold a group: it is the test set, the next group the validation set."""
    folds = []
    for i, test in enumerate(groups):
        j = (i + 1) % len(groups)
        train = (name for k, group in enumerate(groups) if k not in (i, j) for name in group)
        folds.append(Fold(frozenset(train), frozenset(groups[j]), frozenset(test)))
    return folds


def _by_hash(names: Iterable[str]) -> list[str]:
    """The names once each, in the order of their SHA-256, which depends on nothing else."""
    return sorted(set(names), key=lambda name: hashlib.sha256(name.encode()).hexdigest())
