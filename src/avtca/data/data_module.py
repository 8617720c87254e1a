"""A prepared corpus as training and evaluation use it: chosen samples, audited folds."""

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
from avtca.data.windows import speaker_normalise
from avtca.errors import ConfigError, CorpusError


@dataclass(frozen=True)
class DataModule:
    """All samples, their folds, and where they come from.

    ``rows``: for each fold, positions in ``dataset`` of each subset. ``caveat`` is the auditor's line
    on the split; it goes into every result.
    """

    dataset: EmotionDataset
    folds: CrossValidationSplit
    rows: tuple[dict[str, NDArray[np.int64]], ...]
    caveat: str
    provenance: dict[str, Any]
    caveats: tuple[Caveat, ...] = ()

    def subset(self, fold: int, name: str) -> EmotionDataset:
        """Samples of one subset ("train", "validation", "test") of a fold."""
        if not 0 <= fold < len(self.rows):
            raise ConfigError(
                f"use fold {fold} of {self.folds.name}",
                f"it has {len(self.rows)}, counted from 0",
                "choose one of them",
            )
        return self.dataset.subset(self.rows[fold][name])


def chosen_samples(
    corpus: PreparedCorpus,
    *,
    labels: Sequence[str] = (),
    target: str = "label",
    where: Mapping[str, str] | None = None,
    normalise: str = "none",
    memory: bool | None = None,
) -> EmotionDataset:
    """Takes of a corpus with their targets; see :func:`~avtca.data.dataset.from_corpus`.

    ``where`` keeps samples whose manifest columns have these values; ``normalise="speaker"``
    brings each speaker's features to their own zero and unit.
    """
    samples = from_corpus(corpus, labels, target=target, memory=memory)
    manifest = corpus.manifest.set_index("sample_id").loc[list(samples.sample_ids)]
    for column, value in (where or {}).items():
        action = f"choose samples with {column}={value}"
        if column not in manifest:
            raise ConfigError(action, "the manifest has no such column", "leave it out")
        kept = (manifest[column].astype(str) == value).to_numpy()
        if not kept.any():
            raise CorpusError(action, "no sample has it", "choose a value that occurs")
        samples, manifest = samples.subset(np.flatnonzero(kept)), manifest[kept]
    return speaker_normalise(samples) if normalise == "speaker" else samples


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
    """Open a prepared corpus through ``spec``, choose samples, split and audit them.

    Raises :class:`LeakError` for a split that has people on two sides, unless ``allow_leak``;
    :class:`ClipSpecMismatch` where ``spec`` is not what was prepared (labels aside).
    """
    corpus = PreparedCorpus.open(path)
    if spec is not None:
        corpus = corpus.view(spec)
    samples = chosen_samples(
        corpus, labels=labels, target=target, where=where, normalise=normalise, memory=memory
    )
    manifest = corpus.manifest.set_index("sample_id", drop=False).loc[list(samples.sample_ids)]
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
    return DataModule(samples, split, rows, report.caveat, provenance, audit_caveats(report))
