"""Readers by name: a folder as its owners ship it, to a :class:`CorpusIndex`."""

import os
from collections.abc import Callable
from pathlib import Path

from avtca.clipspec import ClipSpec
from avtca.corpora.build_cache import build_cache
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.cremad import index_cremad
from avtca.corpora.folder import index_folder
from avtca.corpora.index import CorpusIndex
from avtca.corpora.mosei import index_mosei
from avtca.corpora.ravdess import index_ravdess
from avtca.corpora.speech import index_emodb, index_nemo
from avtca.errors import CorpusError

INDEXERS: dict[str, Callable[[Path, ClipSpec], CorpusIndex]] = {
    "ravdess": index_ravdess,
    "cremad": index_cremad,
    "mosei": index_mosei,
    "folder": index_folder,
    "emodb": index_emodb,
    "nemo": index_nemo,
}
"""Corpora that ``avtca prepare`` knows."""


def index_corpus(name: str, root: str | Path, spec: ClipSpec) -> CorpusIndex:
    """What a folder holds, read as the named corpus. Raises :class:`CorpusError`."""
    if name not in INDEXERS:
        raise CorpusError(
            f"prepare {name}", "no such corpus", f"choose one of {', '.join(INDEXERS)}"
        )
    return INDEXERS[name](Path(root), spec)


def load_ravdess_features(
    root: str | Path, spec: ClipSpec, cache: str | Path | None = None, *, workers: int = 0
) -> PreparedCorpus:
    """RAVDESS's audio-only form with its video features, prepared once and opened.

    ``spec`` has ``video="features"`` and ``video_features`` of
    :data:`avtca.corpora.ravdess.SERIES`. The cache is ``cache``, or a folder named by the spec's
    hash in the user's cache folder.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    made = Path(cache) if cache else base / "avtca" / f"ravdess-{spec.hash}"
    build_cache(index_corpus("ravdess", root, spec), made, spec, workers=workers)
    return PreparedCorpus.open(made, spec)
