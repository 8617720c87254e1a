"""Corpora by name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from avtca.clipspec import ClipSpec
from avtca.compat import KEYS
from avtca.corpora.build_cache import build_cache
from avtca.corpora.cache import PreparedCorpus
from avtca.corpora.cremad import index_cremad
from avtca.corpora.emodb import index_emodb
from avtca.corpora.folder import index_folder
from avtca.corpora.index import SYNTHETIC, CorpusIndex, SampleSource, is_synthetic
from avtca.corpora.mosei import index_mosei
from avtca.corpora.nemo import index_nemo
from avtca.corpora.ravdess import index_ravdess
from avtca.errors import AvtcaError, CorpusError
from avtca.files import cache_folder
from avtca.plugins import is_own, load_own, one_line

CORPORA: dict[str, Callable[[Path, ClipSpec], CorpusIndex]] = {
    "ravdess": index_ravdess,
    "cremad": index_cremad,
    "mosei": index_mosei,
    "folder": index_folder,
    "emodb": index_emodb,
    "nemo": index_nemo,
}
"""Corpora that ``avtca prepare`` accepts."""
GUIDE = "see docs/add_a_corpus.md"
RESERVED = {"sample_id", "speaker", "label", "corpus", "language", "start_s", "end_s", *KEYS}
"""Columns of a manifest that are not fields of a sample, and the names of 0.1."""


def index_corpus(name: str, root: str | Path, spec: ClipSpec) -> CorpusIndex:
    """List the samples of a corpus; those of ``avtca synth`` are the corpus "synthetic".

    Args:
        name: A key of :data:`CORPORA`, or ``package.module:function`` of the user
            (docs/add_a_corpus.md).
        root: Folder of its files as distributed.
        spec: The spec of the cache; it decides which files are needed.

    Raises:
        CorpusError: The name is unknown, or the folder does not hold this corpus.
        ConfigError: The user's function cannot be imported.
    """
    if name not in CORPORA and not is_own(name):
        raise CorpusError(
            f"prepare {name}",
            "no such corpus",
            f"choose one of {', '.join(CORPORA)}, or package.module:function of your own",
        )
    root = Path(root)
    index = _own_index(name, root, spec) if is_own(name) else CORPORA[name](root, spec)
    if is_synthetic(root):
        index = replace(index, corpus="synthetic", notes=(SYNTHETIC,))
    return index


def _own_index(name: str, root: Path, spec: ClipSpec) -> CorpusIndex:
    """The index that a user's function returns, checked."""
    action = f"prepare {name} from {root}"
    function = load_own(name, action)
    if not callable(function):
        raise CorpusError(action, f"it is of type {type(function).__name__}, no function", GUIDE)
    try:
        index = function(root, spec)
    except AvtcaError:
        raise
    except Exception as error:
        raise CorpusError(action, f"the function fails ({one_line(error)})", GUIDE) from error
    if not isinstance(index, CorpusIndex):
        found = f"the function returns a {type(index).__name__}, no CorpusIndex"
        raise CorpusError(action, found, GUIDE)
    for source in index.sources:
        if problem := _problem(source, index):
            raise CorpusError(action, f"sample {source.sample_id!r}: {problem}", GUIDE)
    return index


def _problem(source: SampleSource, index: CorpusIndex) -> str:
    """What is wrong with a sample of a user's index; empty if nothing is."""
    texts = {"sample_id": source.sample_id, "speaker": source.speaker, "label": source.label}
    for key, value in texts.items():
        if not isinstance(value, str):
            return f"its {key} is {value!r}, not text"
    if not source.sample_id:
        return "it has no sample_id"
    if source.label and source.label not in index.labels:
        return f"its label {source.label!r} is not among {', '.join(index.labels)}"
    for key in ("video", "audio"):
        path = getattr(source, key)
        if path is not None and not isinstance(path, Path):
            return f"its {key} is {path!r}, not a pathlib.Path"
    if not (source.files()):
        return "it has no file"
    if taken := sorted(RESERVED & set(source.fields)):
        return f"its field {taken[0]!r} has a reserved name"
    return ""


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
