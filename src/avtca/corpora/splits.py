"""Folds: who is trained on, who chooses the checkpoint, who is tested; frozen, named, hashed.

The files in ``folds/`` are data of the package. :mod:`make_folds` made them, and a
test holds that it still makes the same.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    **{side: side for side in SUBSETS},
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "dev": "validation",
}
"""What users call the sides."""
FOLDS_DIR = Path(__file__).parent / "folds"
RANDOM_WARNING = (
    "random split over samples: the same people are on all sides. For comparison with papers that "
    "split so; it says nothing about people the network has not seen"
)


class Fold(NamedTuple):
    """Three sets of speakers, or of samples, that do not meet."""

    train: frozenset[str]
    validation: frozenset[str]
    test: frozenset[str]


@dataclass(frozen=True)
class CrossValidationSplit:
    """A protocol: ``splits`` of ``unit`` names, where they come from, and their hash.

    ``unit`` is the manifest column that the names are of. ``warning`` is empty for protocols
    that keep people apart.
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
        """Twelve hex digits that change when any name changes sides."""
        return _hash(self.to_dict())

    def subsets(self, manifest: "pd.DataFrame", fold: int) -> dict[str, NDArray[np.int64]]:
        """Row numbers of the manifest on each side of one fold: train, validation, test.

        Raises :class:`CorpusError` for a fold that is not there, a manifest without the unit's
        column, or one of another corpus (no row is on any side).
        """
        action = f"split by {self.name}"
        if not 0 <= fold < len(self.folds):
            raise CorpusError(
                action, f"no fold {fold}", f"it has {len(self.folds)}, counted from 0"
            )
        if self.unit not in manifest.columns:
            raise CorpusError(action, f"the manifest has no column {self.unit}", "add it")
        side_of = {
            name: side
            for side, members in zip(SUBSETS, self.folds[fold], strict=True)
            for name in members
        }
        found = [side_of.get(name) for name in manifest[self.unit].astype(str)]
        out = {
            side: np.array([row for row, one in enumerate(found) if one == side], np.int64)
            for side in SUBSETS
        }
        if not any(len(rows) for rows in out.values()):
            raise CorpusError(
                action,
                f"none of the manifest's {self.unit}s are in it",
                f"it is made for {self.corpus or 'another corpus'}",
            )
        return out

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; names sorted."""
        return {
            "name": self.name,
            "corpus": self.corpus,
            "unit": self.unit,
            "rule": self.rule,
            "citation": self.citation,
            "warning": self.warning,
            "splits": [
                {side: sorted(part) for side, part in zip(SUBSETS, split, strict=True)}
                for split in self.folds
            ],
        }

    def to_json(self) -> str:
        """The text of a fold file, the hash in it; one line for each side."""
        values = self.to_dict()
        splits = values.pop("splits")
        head = json.dumps({**values, "hash": self.hash}, indent=1, ensure_ascii=False)
        body = ",\n".join(
            "  {" + ",\n   ".join(f'"{k}": {json.dumps(v)}' for k, v in split.items()) + "}"
            for split in splits
        )
        return f'{head[:-2]},\n "splits": [\n{body}\n ]\n}}\n'


def _hash(values: dict[str, Any]) -> str:
    core = {key: values[key] for key in ("corpus", "unit", "splits")}
    core["unit"] = "take" if core["unit"] == "sample_id" else core["unit"]  # its name in 0.1
    return hashlib.sha256(json.dumps(core, sort_keys=True).encode()).hexdigest()[:12]


def fold_names() -> list[str]:
    """Names of the folds in the package."""
    return sorted(path.stem for path in FOLDS_DIR.glob("*.json"))


def load_folds(name: str | Path) -> CrossValidationSplit:
    """Folds of the package by name, or of a JSON file of the same layout by path.

    Raises :class:`CorpusError` for an unknown name, a file that is not such a file, a hash that
    is not that of the splits, or a split that has a name on two sides.
    """
    path = FOLDS_DIR / f"{name}.json"
    if str(name) not in fold_names():
        path = Path(name)
        if path.suffix != ".json" or not path.is_file():
            raise CorpusError(
                f"load folds {name}",
                "no such folds and no such .json file",
                f"choose one of {', '.join(fold_names())}",
            )
    return read_folds(path)


def read_folds(path: Path) -> CrossValidationSplit:
    """Folds of a JSON file; see :func:`load_folds`. A file without a hash is taken as it is."""
    action = f"load folds {path.name}"
    try:
        values = json.loads(path.read_text("utf-8"))
        values["unit"] = KEYS.get(values["unit"], values["unit"])
        splits = tuple(
            Fold(*(frozenset(one[side]) for side in SUBSETS)) for one in values["splits"]
        )
        if values["unit"] not in ("speaker", "sample_id") or not splits:
            raise ValueError("unit must be speaker or take, and splits not empty")
        texts = {key: str(values.get(key, "")) for key in ("rule", "citation", "warning")}
        folds = CrossValidationSplit(
            name=str(values.get("name", path.stem)),
            corpus=str(values.get("corpus", "")),
            unit=values["unit"],
            folds=splits,
            **texts,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(
            action,
            f"not a fold file ({error!r})",
            'give JSON with "unit" and "splits": a list of {"train", "validation", "test"} lists',
        ) from error
    if values.get("hash", folds.hash) != folds.hash:
        raise CorpusError(
            action,
            f"its splits hash to {folds.hash}, it says {values['hash']}",
            "it was edited: restore it, or take the hash out and give it another name",
        )
    for number, split in enumerate(folds.folds):
        for a, b in ((0, 1), (0, 2), (1, 2)):
            if both := split[a] & split[b]:
                raise CorpusError(
                    action,
                    f"fold {number}: {sorted(both)[0]} is in {SUBSETS[a]} and in {SUBSETS[b]}",
                    "each name belongs to one side",
                )
    return folds


def random_folds(
    samples: Iterable[str], *, name: str = "random_80_20", corpus: str = ""
) -> CrossValidationSplit:
    """80 % train and 20 % test over samples, a tenth of the samples taken from train for validation.

    The order is that of the SHA-256 of each name, so it depends on nothing else. People are on
    all sides: the folds carry the warning.
    """
    order = sorted(set(samples), key=lambda sample: hashlib.sha256(sample.encode()).hexdigest())
    n_test, n_validation = round(0.2 * len(order)), round(0.1 * len(order))
    split = Fold(
        frozenset(order[n_test + n_validation :]),
        frozenset(order[n_test : n_test + n_validation]),
        frozenset(order[:n_test]),
    )
    rule = "samples ordered by the SHA-256 of their names; first 20 % test, next 10 % validation"
    return CrossValidationSplit(name, corpus, "sample_id", (split,), rule, "", RANDOM_WARNING)


def split_column(manifest: "pd.DataFrame", column: str) -> CrossValidationSplit:
    """One fold from a manifest's own column of ``train``, ``validation`` and ``test``.

    Raises :class:`CorpusError` for a column that is not there or holds other words.
    """
    action = f"split by column {column}"
    if column not in manifest.columns:
        raise CorpusError(action, "no such column", f"it has {', '.join(manifest.columns)}")
    side = manifest[column].fillna("").astype(str).str.strip().str.lower().replace(SUBSET_ALIASES)
    if unknown := sorted(set(side) - {*SUBSETS, ""}):
        raise CorpusError(action, f"unknown side {unknown[0]!r}", f"use {', '.join(SUBSETS)}")
    if not side.any():
        raise CorpusError(action, "it is empty", "choose folds by name; see docs/corpora.md")
    samples = manifest["sample_id"].astype(str)
    split = Fold(*(frozenset(samples[side == name]) for name in SUBSETS))
    return CrossValidationSplit(
        f"column:{column}", "", "sample_id", (split,), f"the manifest's column {column}"
    )


def resolve_folds(text: str, manifest: "pd.DataFrame") -> CrossValidationSplit:
    """Folds by name or file, or ``column:NAME`` of the manifest."""
    kind, _, name = text.partition(":")
    return split_column(manifest, name) if kind == "column" and name else load_folds(text)


def cyclic_folds(groups: Sequence[Sequence[str]]) -> list[Fold]:
    """Each group is the test side once, the next one its validation side."""
    return [
        Fold(
            frozenset(x for j, g in enumerate(groups) if j not in (i, (i + 1) % n) for x in g),
            frozenset(groups[(i + 1) % n]),
            frozenset(groups[i]),
        )
        for n in [len(groups)]
        for i in range(n)
    ]
