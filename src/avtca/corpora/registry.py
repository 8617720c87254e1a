"""Corpora by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from avtca.clipspec import ClipSpec
from avtca.corpora.build_cache import build_cache
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.cremad import index_cremad
from avtca.corpora.emodb import index_emodb
from avtca.corpora.folder import index_folder
from avtca.corpora.index import SYNTHETIC, CorpusIndex, is_synthetic
from avtca.corpora.mosei import index_mosei
from avtca.corpora.nemo import index_nemo
from avtca.corpora.ravdess import index_ravdess
from avtca.errors import CorpusError
from avtca.files import cache_folder

CORPORA: dict[str, Callable[[Path, ClipSpec], CorpusIndex]] = {
    "ravdess": index_ravdess,
    "cremad": index_cremad,
    "mosei": index_mosei,
    "folder": index_folder,
    "emodb": index_emodb,
    "nemo": index_nemo,
}
"""Corpora that ``avtca prepare`` accepts."""


def index_corpus(name: str, root: str | Path, spec: ClipSpec) -> CorpusIndex:
    """List the samples of a corpus; those of ``avtca synth`` are the corpus "synthetic".

    Args:
        name: A key of :data:`CORPORA`.
        root: Folder of its files as distributed.
        spec: The spec of the cache; it decides which files are needed.

    Raises:
        CorpusError: The name is unknown, or the folder does not hold this corpus.
    """
    if name not in CORPORA:
        raise CorpusError(
            f"prepare {name}", "no such corpus", f"choose one of {', '.join(CORPORA)}"
        )
    index = CORPORA[name](Path(root), spec)
    if is_synthetic(Path(root)):
        index = replace(index, corpus="synthetic", notes=(SYNTHETIC,))
    return index


def load_ravdess_features(
    root: str | Path, spec: ClipSpec, cache: str | Path | None = None, *, workers: int = 0
) -> PreparedCorpus:
    """Prepare and open RAVDESS's audio-only form with its video features.

    Args:
        root: Folder of its files.
        spec: With ``video="features"`` and ``video_features`` of
            :data:`avtca.corpora.ravdess.SERIES`.
        cache: Folder of the prepared corpus; by default one named by the spec's hash in the user's
            cache folder.
        workers: Processes that decode; 0 decodes in this one.
    """
    folder = Path(cache) if cache else cache_folder() / f"ravdess-{spec.hash}"
    build_cache(index_corpus("ravdess", root, spec), folder, spec, workers=workers)
    return PreparedCorpus.open(folder, spec)
