"""Corpora: official downloads to one audited, cached form, and folds that keep people apart."""

from avtca.corpora.backbone_features import TrunkFeatures, cache_trunk_features
from avtca.corpora.build_cache import Summary, prepare
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.index import CorpusIndex, SampleSource
from avtca.corpora.leakage import AuditReport, audit
from avtca.corpora.registry import load_ravdess_features, read_corpus
from avtca.corpora.sample_file import RawSample
from avtca.corpora.shards import read_shards, write_shards
from avtca.corpora.splits import CrossValidationSplit, Fold, fold_names, load_folds, random_folds

__all__ = [
    "AuditReport",
    "CorpusIndex",
    "CrossValidationSplit",
    "Fold",
    "PreparedCorpus",
    "RawSample",
    "SampleSource",
    "Summary",
    "TrunkFeatures",
    "audit",
    "cache_trunk_features",
    "fold_names",
    "load_folds",
    "load_ravdess_features",
    "prepare",
    "random_folds",
    "read_corpus",
    "read_shards",
    "write_shards",
]
