"""A data set with the audited folds of a cross-validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.clipspec import ClipSpec
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.leakage import audit
from avtca.corpora.splits import CrossValidationSplit, resolve_folds
from avtca.data.caveats import Caveat, audit_caveats
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.errors import ConfigError


@dataclass(frozen=True)
class DataModule:
    """A data set, its folds and its provenance.

    Attributes:
        dataset: All samples.
        folds: The cross-validation scheme.
        rows: For each fold, positions in ``dataset`` of each subset.
        caveat: Finding of the split's audit, which goes into every result.
        provenance: What the data are, as JSON values.
        caveats: The caveats of the split.
    """

    dataset: EmotionDataset
    folds: CrossValidationSplit
    rows: tuple[dict[str, NDArray[np.int64]], ...]
    caveat: str
    provenance: dict[str, Any]
    caveats: tuple[Caveat, ...] = ()

    def subset(self, fold: int, name: str) -> EmotionDataset:
        """The samples of a fold's "train", "validation" or "test" subset.

        Raises:
            ConfigError: If there is no such fold.
        """
        if not 0 <= fold < len(self.rows):
            raise ConfigError(
                f"use fold {fold} of {self.folds.name}",
                f"it has {len(self.rows)}, counted from 0",
                "choose one of them",
            )
        return self.dataset.subset(self.rows[fold][name])


def open_data_module(
    path: Path,
    *,
    folds: str,
    spec: ClipSpec | None = None,
    labels: Sequence[str] = (),
    target: str = "label",
    where: Mapping[str, str] | None = None,
    normalise: str = "none",
    allow_leak: bool = False,
    memory: bool | None = None,
) -> DataModule:
    """Open a prepared corpus, choose samples, split and audit them.

    Args:
        path: Folder of the prepared corpus.
        folds: What :func:`~avtca.corpora.splits.resolve_folds` accepts.
        spec: The ClipSpec of the network, by default that of the corpus.
        labels: Labels of the network, see :func:`~avtca.data.dataset.from_corpus`.
        target: See there.
        where: See there.
        normalise: See there.
        allow_leak: Whether a split with speakers in several subsets is used, with a caveat.
        memory: See :func:`~avtca.data.dataset.from_corpus`.

    Raises:
        LeakError: If speakers are in several subsets and ``allow_leak`` is False.
        ClipSpecMismatch: If the corpus was prepared otherwise than ``spec``, labels aside.
    """
    corpus = PreparedCorpus.open(path)
    if spec is not None:
        corpus = corpus.view(spec)
    dataset = from_corpus(
        corpus, labels, target=target, where=where, normalise=normalise, memory=memory
    )
    manifest = corpus.manifest.set_index("sample_id", drop=False).loc[list(dataset.sample_ids)]
    manifest = manifest.reset_index(drop=True)
    split = resolve_folds(folds, manifest)
    report = audit(manifest, split, allow_leak=allow_leak)
    report.require_clean()
    rows = tuple(split.subsets(manifest, fold) for fold in range(len(split.folds)))
    provenance = {
        "corpus": corpus.name,
        "data_hash": corpus.data_hash,
        "folds": folds,
        "folds_hash": split.hash,
        "split_audit": report.caveat,
        "target": target,
        "where": dict(where or {}),
        "normalise": normalise,
    }
    return DataModule(dataset, split, rows, report.caveat, provenance, audit_caveats(report))
