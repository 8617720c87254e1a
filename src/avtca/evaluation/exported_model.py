"""An exported model, as it recognises, tested on labelled clips or on a prepared corpus.

It becomes a :class:`EvaluatedModel` like any other: its face network, its networks and its temperature
are one network that reads face crops. One thing differs from a recognizer: the audio of a window
without voice is not masked, as in every evaluation.
"""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from avtca.corpora import BuildSummary, PreparedCorpus, build_cache
from avtca.corpora.folder import index_folder
from avtca.corpora.leakage import speaker_warnings
from avtca.data.caveats import joined
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.errors import ConfigError, CorpusError, LeakError
from avtca.evaluation.evaluated_model import EvaluatedModel, FoldModel
from avtca.evaluation.open_model import open_evaluated_model
from avtca.model.avtca import AVTCA, ModelOutput
from avtca.model.checkpoint import read_card
from avtca.model.config import Card
from avtca.model.lineage import trained_on, unchecked
from avtca.preprocess import ModelInput
from avtca.progress import ProgressHook, no_progress
from avtca.runtime.backends import Backend, OnnxBackend
from avtca.runtime.bundle import Bundle, read_bundle

CROPS = 64
"""Face crops in one run of the face network, so that a batch of windows needs little memory."""
LACKING = "an exported model has its temperature, and no other people's answers to fit on"


class ExportedModel(nn.Module):
    """A backend as a network: crops of the face network's size, or the features it makes of them.

    Its logits are divided by the backend's temperature, so that their softmax is what a user sees.
    """

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.backend = backend
        self.place = nn.Parameter(torch.zeros(0))  # for callers who ask a network for its device

    def forward(
        self, video: Tensor, audio: Tensor, video_mask: Tensor, audio_mask: Tensor
    ) -> ModelOutput:
        """``video (b, t, c, h, w)`` in 0..1, or ``(b, t, f)``; all else as every network."""
        faces, seen = video.numpy(), video_mask.numpy()
        if faces.ndim == 5 and self.backend.spec.video == "features":
            crops = (faces[seen] * 255).round().astype(np.uint8)
            crops = crops[:, 0] if crops.shape[1] == 1 else np.moveaxis(crops, 1, -1)
            faces = np.zeros((*seen.shape, self.backend.spec.video_dim), np.float32)
            parts = [
                self.backend.encode_faces(crops[start : start + CROPS])
                for start in range(0, len(crops), CROPS)
            ]
            if parts:
                faces[seen] = np.concatenate(parts)
        made = self.backend.logits(ModelInput(faces, seen, audio.numpy(), audio_mask.numpy()))
        none = video.new_zeros(0)
        logits = torch.from_numpy(made / np.float32(self.backend.temperature))
        return ModelOutput(logits, none, none, video_mask, audio_mask, {}, {})


def open_model(
    path: Path,
    data: Path,
    clips: Path,
    *,
    folds: str | None = None,
    fold: int | None = None,
    seed: int | None = None,
    allow_leak: bool = False,
    device: str = "cpu",
    workers: int = 0,
    progress: ProgressHook = no_progress,
) -> EvaluatedModel:
    """An exported model on all of ``data``, or :func:`open_evaluated_model` for everything else.

    For an exported model ``data`` is a prepared corpus of its ClipSpec (``avtca prepare --spec``),
    or what ``avtca prepare folder`` reads: a CSV, or folders named by label; these are read into
    ``clips`` once, each source into a folder of its own, by ``workers`` processes. Clips of labels
    that the model does not say, and those with neither a face nor a voice, are left out; the mark
    says so. Raises as :func:`open_evaluated_model` does; :class:`LeakError` where the model learned from
    this corpus or these people.
    """
    if not (path / "avtca.json").is_file():
        return open_evaluated_model(
            path, data, folds=folds, fold=fold, seed=seed, allow_leak=allow_leak, device=device
        )
    action = f"evaluate {path}"
    if folds is not None or fold is not None or seed is not None:
        found, fix = "an exported model has no folds", "leave --folds, --fold and --seed out"
        raise ConfigError(action, found, fix)
    if device not in ("auto", "cpu"):
        raise ConfigError(action, f"it cannot run on the device {device}", "leave --device out")
    bundle = read_bundle(path)
    backend = OnnxBackend(bundle)
    media = backend.spec.of_media(backend.crop_px, backend.colour)
    summary = None
    if (data / "corpus.json").is_file():
        corpus = PreparedCorpus.open(data)
    else:
        layout = index_folder(data, media)
        whose = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
        clips = clips / media.hash / whose
        summary = build_cache(
            layout, clips, media, lossless=True, workers=workers, progress=progress
        )
        corpus = PreparedCorpus.open(clips)
    corpus = corpus.view(backend.spec if corpus.spec.video == "features" else media)
    samples, notes = _chosen(corpus, bundle.spec.labels, summary, clips)
    card = _card(bundle)
    trained = trained_on(card, corpus.name, samples.speakers)
    leak = _leak(trained, samples, corpus.name, allow_leak)
    unknown = unchecked(card, corpus.name)
    caveat = joined(("whole corpus", leak, unknown, *speaker_warnings(corpus.manifest), *notes))
    part = FoldModel((cast(AVTCA, ExportedModel(backend)),), samples, None, LACKING, trained)
    provenance: dict[str, Any] = {
        "corpus": corpus.name,
        "data_hash": corpus.data_hash,
        "failed": len(summary.failures) if summary else 0,
    }
    return EvaluatedModel(bundle.name, (part,), card, caveat, False, provenance)


def _card(bundle: Bundle) -> Card:
    """What the model says of itself; the sizes are those of the network that it holds."""
    named = bundle.card.get("checkpoint", {}).get("name", "fusion")
    return replace(
        read_card(bundle.folder / f"{named}.json"),
        clip_spec=bundle.spec,
        calibration=bundle.card["calibration"],
        provenance=bundle.card["provenance"],
        weights_sha256=bundle.card["weights_sha256"],
    )


def _chosen(
    corpus: PreparedCorpus, labels: tuple[str, ...], summary: BuildSummary | None, clips: Path
) -> tuple[EmotionDataset, list[str]]:
    """Takes with a label that the model says and something to see or hear; what to say of them."""
    samples = from_corpus(corpus, labels)
    notes = []
    if gone := len(corpus) - len(samples):
        notes.append(f"{gone} clips are left out: the model does not say their label")
    manifest = corpus.manifest.set_index("sample_id").loc[list(samples.sample_ids)]
    empty = (manifest["face_coverage"] == 0) & (manifest["voice_coverage"] == 0)
    if n := int(empty.sum()):
        notes.append(f"{n} clips with neither a face nor a voice are left out")
        samples = samples.subset(np.flatnonzero(~empty))
    if summary and summary.failures:
        n = len(summary.failures)
        notes.append(f"{n} clips could not be read, see {clips / 'failures.csv'}")
    if not corpus.meta["lossless"]:
        notes.append("crops and audio were compressed (avtca prepare --lossless keeps them)")
    if not len(samples):
        raise CorpusError(
            f"evaluate on {corpus.path}", "no clip has a face or a voice", "give other clips"
        )
    return samples, notes


def _leak(trained: frozenset[str], samples: EmotionDataset, corpus: str, allow_leak: bool) -> str:
    both = sorted(trained & set(samples.speakers))
    if not both:
        return ""
    if not allow_leak:
        raise LeakError(
            "evaluate on people the model has not seen",
            f"it learned from {len(both)} of these speakers of {corpus}, the first is {both[0]!r}",
            "give clips of other people, or say --allow-leak and carry the mark",
        )
    return f"LEAK (allowed): {len(both)} speakers of the test were trained on"
