"""Readers by name: a folder as its owners ship it, to a :class:`CorpusIndex`."""

import os
from collections.abc import Callable
from pathlib import Path

from avtca.clipspec import ClipSpec
from avtca.corpora.build_cache import prepare
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.cremad import read_cremad
from avtca.corpora.folder import read_folder
from avtca.corpora.index import CorpusIndex
from avtca.corpora.mosei import read_mosei
from avtca.corpora.ravdess import read_ravdess
from avtca.corpora.speech import read_emodb, read_nemo
from avtca.errors import CorpusError

READERS: dict[str, Callable[[Path, ClipSpec], CorpusIndex]] = {
    "ravdess": read_ravdess,
    "cremad": read_cremad,
    "mosei": read_mosei,
    "folder": read_folder,
    "emodb": read_emodb,
    "nemo": read_nemo,
}
"""Corpora that ``avtca prepare`` knows."""


def read_corpus(name: str, root: str | Path, spec: ClipSpec) -> CorpusIndex:
    """What a folder holds, read as the named corpus. Raises :class:`CorpusError`."""
    if name not in READERS:
        raise CorpusError(
            f"prepare {name}", "no such corpus", f"choose one of {', '.join(READERS)}"
        )
    return READERS[name](Path(root), spec)


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
    prepare(read_corpus("ravdess", root, spec), made, spec, workers=workers)
    return PreparedCorpus.open(made, spec)
