"""A prepared corpus as training and evaluation use it: chosen takes, audited folds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.leakage import audit, open_split
from avtca.corpora.splits import Folds, random_folds
from avtca.data.dataset import TakeSet, from_corpus
from avtca.data.windows import standardised
from avtca.errors import ConfigError, CorpusError

RANDOM = "random_80_20"
"""A random split over the takes of any corpus, for comparison with papers that split so."""


@dataclass(frozen=True)
class Material:
    """All takes, their folds, and where they come from.

    ``rows``: for each fold, positions in ``takes`` on each side. ``mark`` is the auditor's line
    on the split; it goes into every result.
    """

    takes: TakeSet
    folds: Folds
    rows: tuple[dict[str, NDArray[np.int64]], ...]
    mark: str
    provenance: dict[str, Any]

    def side(self, fold: int, name: str) -> TakeSet:
        """Takes on one side ("train", "validation", "test") of a fold."""
        if not 0 <= fold < len(self.rows):
            raise ConfigError(
                f"use fold {fold} of {self.folds.name}",
                f"it has {len(self.rows)}, counted from 0",
                "choose one of them",
            )
        return self.takes.at(self.rows[fold][name])


def chosen_takes(
    corpus: PreparedCorpus,
    *,
    labels: Sequence[str] = (),
    target: str = "label",
    where: Mapping[str, str] | None = None,
    standardise: str = "none",
    memory: bool | None = None,
) -> TakeSet:
    """Takes of a corpus with their targets; see :func:`~avtca.data.dataset.from_corpus`.

    ``where`` keeps takes whose manifest columns have these values; ``standardise="speaker"``
    brings each speaker's features to their own zero and unit.
    """
    takes = from_corpus(corpus, labels, target=target, memory=memory)
    manifest = corpus.manifest.set_index("take").loc[list(takes.names)]
    for column, value in (where or {}).items():
        asked = f"choose takes with {column}={value}"
        if column not in manifest:
            raise ConfigError(asked, "the manifest has no such column", "leave it out")
        kept = (manifest[column].astype(str) == value).to_numpy()
        if not kept.any():
            raise CorpusError(asked, "no take has it", "choose a value that occurs")
        takes, manifest = takes.at(np.flatnonzero(kept)), manifest[kept]
    return standardised(takes) if standardise == "speaker" else takes


def open_material(
    path: Path,
    *,
    folds: str,
    spec: ClipSpec | None = None,
    labels: Sequence[str] = (),
    target: str = "label",
    where: Mapping[str, str] | None = None,
    standardise: str = "none",
    allow_leak: bool = False,
    memory: bool | None = None,
) -> Material:
    """Open a prepared corpus through ``spec``, choose takes, split and audit them.

    Raises :class:`LeakError` for a split that has people on two sides, unless ``allow_leak``;
    :class:`ClipSpecMismatch` where ``spec`` is not what was prepared (labels aside).
    """
    corpus = PreparedCorpus.open(path)
    if spec is not None:
        corpus = corpus.view(spec)
    takes = chosen_takes(
        corpus, labels=labels, target=target, where=where, standardise=standardise, memory=memory
    )
    manifest = corpus.manifest.set_index("take", drop=False).loc[list(takes.names)]
    manifest = manifest.reset_index(drop=True)
    split = random_folds(takes.names) if folds == RANDOM else open_split(folds, manifest)
    report = audit(manifest, split, allow_leak=allow_leak)
    report.require_clean()
    rows = tuple(split.sides(manifest, fold) for fold in range(len(split.splits)))
    provenance = {
        "corpus": corpus.name,
        "data_hash": corpus.data_hash,
        "folds": folds,
        "folds_hash": split.hash,
        "split_audit": report.mark,
        "target": target,
        "where": dict(where or {}),
        "standardise": standardise,
    }
    return Material(takes, split, rows, report.mark, provenance)
