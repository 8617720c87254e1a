"""A data set with the audited folds of a cross-validation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        provenance: What the data are, as JSON values.
        caveats: The caveats of the split.
    """

    dataset: EmotionDataset
    folds: CrossValidationSplit
    rows: tuple[dict[str, NDArray[np.int64]], ...]
    provenance: dict[str, Any]
    caveats: tuple[Caveat, ...] = ()

    @property
    def caveat(self) -> str:
        """Finding of the split's audit, which goes into every result."""
        return str(self.provenance["split_audit"])

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
    corpus: PreparedCorpus,
    *,
    folds: str,
    labels: Sequence[str] = (),
    target: str = "label",
    where: Mapping[str, str] | None = None,
    normalise: str = "none",
    allow_leak: bool = False,
) -> DataModule:
    """Choose samples of a prepared corpus, split and audit them.

    Args:
        corpus: The prepared corpus.
        folds: What :func:`~avtca.corpora.splits.resolve_folds` accepts.
        labels: Labels of the network, see :func:`~avtca.data.dataset.from_corpus`.
        target: See there.
        where: See there.
        normalise: See there.
        allow_leak: Whether a split with speakers in several subsets is used, with a caveat.

    Raises:
        LeakError: If speakers are in several subsets and ``allow_leak`` is False.
    """
    dataset = from_corpus(corpus, labels, target=target, where=where, normalise=normalise)
    return audited(
        dataset,
        corpus,
        folds,
        allow_leak=allow_leak,
        target=target,
        where=dict(where or {}),
        normalise=normalise,
    )


def audited(
    dataset: EmotionDataset,
    corpus: PreparedCorpus,
    folds: str | CrossValidationSplit,
    *,
    allow_leak: bool,
    **provenance: Any,
) -> DataModule:
    """Samples of a corpus with audited folds.

    Args:
        dataset: The samples; their speakers count, not those of the corpus.
        corpus: The corpus that they are from.
        folds: The folds, or what :func:`~avtca.corpora.splits.resolve_folds` accepts.
        allow_leak: See :func:`open_data_module`.
        **provenance: Further values for the provenance.

    Raises:
        LeakError: See :func:`open_data_module`.
    """
    manifest = corpus.manifest.set_index("sample_id", drop=False).loc[list(dataset.sample_ids)]
    manifest = manifest.reset_index(drop=True).assign(speaker=list(dataset.speakers))
    split = resolve_folds(folds, manifest) if isinstance(folds, str) else folds
    report = audit(manifest, split, allow_leak=allow_leak)
    report.require_clean()
    return DataModule(
        dataset,
        split,
        tuple(split.subsets(manifest, fold) for fold in range(len(split.folds))),
        {
            "corpus": corpus.name,
            "data_hash": corpus.data_hash,
            "folds": folds if isinstance(folds, str) else folds.name,
            "folds_hash": split.hash,
            "split_audit": report.caveat,
            **provenance,
        },
        audit_caveats(report),
    )
