"""Corpora: official downloads to one audited, cached form, and folds that keep people apart."""

from avtca.corpora.audit import AuditReport, audit
from avtca.corpora.clipfile import RawTake
from avtca.corpora.prepare import Summary, prepare
from avtca.corpora.prepared import PreparedCorpus
from avtca.corpora.protocols import Folds, Split, fold_names, load_folds, random_folds
from avtca.corpora.readers import load_ravdess_features, read_corpus
from avtca.corpora.shards import read_shards, write_shards
from avtca.corpora.sources import Layout, TakeSource
from avtca.corpora.trunk_features import TrunkFeatures, cache_trunk_features

__all__ = [
    "AuditReport",
    "Folds",
    "Layout",
    "PreparedCorpus",
    "RawTake",
    "Split",
    "Summary",
    "TakeSource",
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
