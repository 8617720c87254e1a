"""Corpora: index of a download, cache of prepared samples, folds, leakage audit."""

from avtca.corpora.backbone_features import cache_backbone_features
from avtca.corpora.build_cache import BuildSummary, build_cache
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.index import CorpusIndex, SampleSource
from avtca.corpora.leakage import AuditReport, audit
from avtca.corpora.registry import index_corpus, load_ravdess_features
from avtca.corpora.splits import (
    CrossValidationSplit,
    Fold,
    fold_names,
    load_folds,
    random_folds,
    resolve_folds,
    speaker_kfold,
)
from avtca.preprocess import RawSample

__all__ = [
    "AuditReport",
    "BuildSummary",
    "CorpusIndex",
    "CrossValidationSplit",
    "Fold",
    "PreparedCorpus",
    "RawSample",
    "SampleSource",
    "audit",
    "build_cache",
    "cache_backbone_features",
    "fold_names",
    "index_corpus",
    "load_folds",
    "load_ravdess_features",
    "random_folds",
    "resolve_folds",
    "speaker_kfold",
]
