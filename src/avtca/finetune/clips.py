"""A user's labelled clips as samples of a start's network, each file read once.

Clips are prepared as any corpus is (crops and audio kept without loss, so that the network sees
what the recognizer would show it); the face network runs over the crops once.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from avtca.corpora import (
    BuildSummary,
    CorpusIndex,
    PreparedCorpus,
    build_cache,
    cache_backbone_features,
)
from avtca.corpora.folder import index_folder
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.errors import CorpusError, LeakError
from avtca.finetune.initial import InitialModel
from avtca.progress import ProgressHook, no_progress
from avtca.runtime.backends import Backend

NOBODY = "unknown"
"""Speaker of all clips where people cannot be told apart, or there is only one."""
FAILURES = 10
"""Clips that cannot be read, named one by one."""
LEAK = "every figure would be of people it was trained on"


@dataclass(frozen=True)
class Clips:
    """Takes with the labels that are found on them; ``notes`` say what was left out and why.

    ``named``: people can be kept apart; else every speaker is :data:`NOBODY`.
    """

    samples: EmotionDataset
    corpus: PreparedCorpus
    summary: BuildSummary
    named: bool
    notes: tuple[str, ...]


class BackendFace(nn.Module):
    """A backend's face network as a trunk: crops ``(b, c, px, px)`` in 0..1 -> ``(b, f)``.

    Its only state is the hash of its file, so that vectors of another network are never taken
    for its own.
    """

    def __init__(self, backend: Backend, file: Path) -> None:
        super().__init__()
        self.backend = backend
        digest = hashlib.sha256(file.read_bytes()).digest()
        self.register_buffer("sha256", torch.tensor(list(digest), dtype=torch.uint8))

    def forward(self, crops: Tensor) -> Tensor:
        """Through the backend, as when a file is recognised."""
        pixels = (crops * 255).round().to(torch.uint8).numpy()
        pixels = pixels[:, 0] if pixels.shape[1] == 1 else np.moveaxis(pixels, 1, -1)
        return torch.from_numpy(np.asarray(self.backend.encode_faces(pixels), np.float32))


def find_clips(start: InitialModel, source: Path, *, allow_leak: bool = False) -> CorpusIndex:
    """What a folder or CSV holds (``avtca prepare folder``), before anything is read.

    Raises :class:`LeakError` where fewer than two people are named, unless ``allow_leak``;
    :class:`CorpusError` for a folder that is none, or fewer than two labels.
    """
    layout = index_folder(source, start.clips_spec)
    _require_people({one.speaker for one in layout.sources}, source, allow_leak)
    _require_labels({one.label for one in layout.sources}, source)
    return layout


def read_clips(
    start: InitialModel,
    layout: CorpusIndex,
    cache: Path,
    *,
    allow_leak: bool = False,
    workers: int = 0,
    progress: ProgressHook = no_progress,
) -> Clips:
    """Read the clips into ``cache``, each once, and make the samples of the start's network.

    Raises as :func:`find_clips` where too little is left of what could be read.
    """
    source, spec = layout.root, start.clips_spec
    named = len({one.speaker for one in layout.sources} - {""}) > 1
    summary = build_cache(layout, cache, spec, lossless=True, workers=workers, progress=progress)
    corpus = PreparedCorpus.open(cache)
    rows, notes = _usable(corpus, layout, named)
    notes += [f"{sample} is left out: {why}" for sample, _, why in summary.failures[:FAILURES]]
    if more := len(summary.failures[FAILURES:]):
        notes.append(f"and {more} more are left out, see {cache / 'failures.csv'}")
    manifest = corpus.manifest.iloc[rows]
    _require_people(set(manifest["speaker"]), source, allow_leak)
    labels = _require_labels(set(manifest["label"]), source)
    samples = from_corpus(corpus, labels, memory=False).of_samples(manifest["sample_id"])
    if start.face_file is not None:
        samples = _with_features(samples, start, start.face_file, corpus, progress)
    if not named:
        samples = replace(samples, speakers=[NOBODY] * len(samples))
    return Clips(samples, corpus, summary, named, tuple(notes))


def _with_features(
    samples: EmotionDataset,
    start: InitialModel,
    face_file: Path,
    corpus: PreparedCorpus,
    progress: ProgressHook,
) -> EmotionDataset:
    """The samples with the face network's vectors in place of crops, in memory."""
    spec = start.card.clip_spec
    trunk = BackendFace(start.backend, face_file)
    features = cache_backbone_features(corpus, trunk, progress=progress)
    raws = [
        replace(corpus.raw(name), video=features[name].reshape(-1, spec.video_dim))
        for name in samples.sample_ids
    ]
    return replace(samples, spec=replace(spec, labels=samples.spec.labels), samples=raws)


def _usable(
    corpus: PreparedCorpus, layout: CorpusIndex, named: bool
) -> tuple[list[int], list[str]]:
    """Rows of the manifest that can be learned from, and lines on the others."""
    table = corpus.manifest
    empty = (table["face_coverage"] == 0) & (table["voice_coverage"] == 0)
    nameless = (table["speaker"] == "") & named
    notes = []
    if n := int(empty.sum()):
        first = table["sample_id"][empty].iloc[0]
        notes.append(f"{n} clips with neither a face nor a voice are left out (first: {first})")
    if n := int((nameless & ~empty).sum()):
        notes.append(f"{n} clips without a speaker are left out: they cannot be kept apart")
    if any("split" in source.fields for source in layout.sources):
        notes.append("the split of the clips is not used: every speaker is tested once")
    return [int(row) for row in np.flatnonzero(~(empty | nameless))], notes


def _require_people(speakers: set[str], source: Path, allow_leak: bool) -> None:
    people = speakers - {""}
    if len(people) < 2 and not allow_leak:
        found = "all clips are of one speaker" if people else "its clips name no speaker"
        raise LeakError(
            f"fine-tune on {source}",
            f"{found}, so that {LEAK}",
            "name at least two speakers (column speaker, or LABEL/SPEAKER/ folders), or say "
            "--allow-leak and carry the mark",
        )


def _require_labels(labels: set[str], source: Path) -> tuple[str, ...]:
    if len(labels) < 2:
        raise CorpusError(
            f"fine-tune on {source}",
            f"all clips are labelled {next(iter(labels), 'nothing')!r}",
            "give clips of at least two labels",
        )
    return tuple(sorted(labels))
