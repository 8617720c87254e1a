"""A user's labelled clips as samples for the initial model.

Each clip is decoded once and cached without loss, so that the network is trained on exactly the
input that the recognizer computes.
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
from avtca.runtime.backends import DIGEST_CHARACTERS, Backend

NO_SPEAKER = "unknown"
"""Speaker of all clips if speakers are not known, or there is only one."""
MAX_FAILURES = 10
"""Failed clips that are listed; the others are counted."""
LEAK = "every test speaker would be in the training data"


@dataclass(frozen=True)
class LabelledClips:
    """A user's clips with their labels."""

    samples: EmotionDataset
    corpus: PreparedCorpus
    summary: BuildSummary
    named: bool
    """Speakers are known; otherwise every speaker is :data:`NO_SPEAKER`."""
    notes: tuple[str, ...]
    """Which clips are left out, and why."""


class BackendFace(nn.Module):
    """The face network of a backend as a module: crops ``(b, c, px, px)`` in 0..1 -> ``(b, f)``.

    Its only state is the hash of its file, by which cached features are found again.
    """

    def __init__(self, backend: Backend, file: Path) -> None:
        super().__init__()
        self.backend = backend
        digest = hashlib.sha256(file.read_bytes()).digest()
        self.register_buffer("sha256", torch.tensor(list(digest), dtype=torch.uint8))

    def forward(self, crops: Tensor) -> Tensor:
        """Encode crops as the recognizer does."""
        pixels = (crops * 255).round().to(torch.uint8).numpy()
        pixels = pixels[:, 0] if pixels.shape[1] == 1 else np.moveaxis(pixels, 1, -1)
        return torch.from_numpy(np.asarray(self.backend.encode_faces(pixels), np.float32))


def find_clips(
    start: InitialModel, source: Path, *, tier: str | None = None, allow_leak: bool = False
) -> CorpusIndex:
    """List the clips of a folder or CSV (see ``avtca prepare folder``) without decoding them.

    Args:
        start: The initial model.
        source: The folder, the CSV, or an EAF file.
        tier: Tier of EAF files with the labels.
        allow_leak: Accept clips of fewer than two speakers.

    Raises:
        LeakError: There are fewer than two speakers, unless ``allow_leak``.
        CorpusError: There is no such folder, or there are fewer than two labels.
    """
    layout = index_folder(source, start.clips_spec, tier)
    _require_speakers({one.speaker for one in layout.sources}, source, allow_leak)
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
) -> LabelledClips:
    """Decode the clips into a cache, and make samples for the initial model.

    Args:
        start: The initial model.
        layout: The clips, see :func:`find_clips`.
        cache: Folder of the cache.
        allow_leak: Accept clips of fewer than two speakers.
        workers: Processes that decode; 0 for this one.
        progress: Called with the number of clips done.

    Raises:
        LeakError, CorpusError: As :func:`find_clips`, for the clips that could be decoded.
    """
    source, spec = layout.root, start.clips_spec
    named = len({one.speaker for one in layout.sources} - {""}) > 1
    summary = build_cache(layout, cache, spec, lossless=True, workers=workers, progress=progress)
    corpus = PreparedCorpus.open(cache)
    rows, notes = _usable(corpus, layout, named)
    notes = [*layout.problems, *notes]
    notes += [f"{sample} is left out: {why}" for sample, _, why in summary.failures[:MAX_FAILURES]]
    if more := len(summary.failures[MAX_FAILURES:]):
        notes.append(f"and {more} more are left out, see {cache / 'failures.csv'}")
    manifest = corpus.manifest.iloc[rows]
    _require_speakers(set(manifest["speaker"]), source, allow_leak)
    labels = _require_labels(set(manifest["label"]), source)
    samples = from_corpus(corpus, labels, memory=False).of_samples(manifest["sample_id"])
    if start.face_file is not None:
        samples = _with_features(samples, start, start.face_file, corpus, progress)
    if not named:
        samples = replace(samples, speakers=[NO_SPEAKER] * len(samples))
    return LabelledClips(samples, corpus, summary, named, tuple(notes))


def _with_features(
    samples: EmotionDataset,
    start: InitialModel,
    face_file: Path,
    corpus: PreparedCorpus,
    progress: ProgressHook,
) -> EmotionDataset:
    """The samples with features of the face network in place of crops, in memory."""
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
    """Rows of the manifest that can be used, and notes on the others."""
    table = corpus.manifest
    empty = (table["face_coverage"] == 0) & (table["voice_coverage"] == 0)
    nameless = (table["speaker"] == "") & named
    notes = []
    if n := int(empty.sum()):
        first = table["sample_id"][empty].iloc[0]
        notes.append(f"{n} clips with neither a face nor a voice are left out (first: {first})")
    if n := int((nameless & ~empty).sum()):
        notes.append(f"{n} clips without a speaker are left out: they cannot be assigned to a fold")
    if any("split" in source.fields for source in layout.sources):
        notes.append("the split of the clips is not used: every speaker is tested once")
    return [int(row) for row in np.flatnonzero(~(empty | nameless))], notes


def training_files(clips: LabelledClips) -> list[str]:
    """The start of the SHA-256 of each media file, sorted; see ``Backend.training_files``."""
    table = clips.corpus.manifest.set_index("sample_id").loc[list(clips.samples.sample_ids)]
    digests = {*table["source_sha256"], *table["audio_sha256"]} - {""}
    return sorted(digest[:DIGEST_CHARACTERS] for digest in digests)


def _require_speakers(speakers: set[str], source: Path, allow_leak: bool) -> None:
    named = speakers - {""}
    if len(named) < 2 and not allow_leak:
        found = "all clips are of one speaker" if named else "its clips name no speaker"
        raise LeakError(
            f"fine-tune on {source}",
            f"{found}, so that {LEAK}",
            "name at least two speakers (column speaker, LABEL/SPEAKER/ folders, or the "
            "participant of the tier in ELAN), or use --allow-leak, which adds a caveat",
        )


def _require_labels(labels: set[str], source: Path) -> tuple[str, ...]:
    if len(labels) < 2:
        raise CorpusError(
            f"fine-tune on {source}",
            f"all clips are labelled {next(iter(labels), 'nothing')!r}",
            "give clips of at least two labels",
        )
    return tuple(sorted(labels))
