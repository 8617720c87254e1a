"""An exported model with labelled clips or a prepared corpus to test it on.

It is evaluated as it recognises, face network and temperature included, with one difference: as in
every evaluation, the audio of a window without speech is not masked.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avtca.corpora import BuildSummary, PreparedCorpus, build_cache
from avtca.corpora.folder import index_folder
from avtca.corpora.leakage import speaker_warnings
from avtca.data.caveats import WHOLE_CORPUS, Caveat, CaveatKind, manifest_caveats
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.data.windows import Batch
from avtca.errors import ConfigError, CorpusError
from avtca.evaluation.evaluated_model import EvaluatedModel, FoldModel
from avtca.evaluation.leakage import leakage_caveats
from avtca.evaluation.report import SplitInfo
from avtca.model.checkpoint import read_card
from avtca.model.config import Card
from avtca.preprocess import ModelInput
from avtca.progress import ProgressHook, no_progress
from avtca.runtime.backends import Backend, OnnxBackend
from avtca.runtime.bundle import Bundle, read_bundle

CROPS_PER_RUN = 64
"""Face crops in one run of the face network, which bounds its memory."""
NO_VALIDATION = "an exported model has its temperature, and no other speakers to fit on"


@dataclass(frozen=True)
class ExportedModel:
    """A backend as a network: crops of the face network's size or video features to logits."""

    backend: Backend

    def logits(self, batch: Batch) -> NDArray[np.float64]:
        """Logits ``(b, k)``, divided by the backend's temperature.

        The batch's video is crops ``(b, t, c, h, w)`` in 0..1, or features ``(b, t, f)``.
        """
        video, mask = batch.video.numpy(), batch.video_mask.numpy()
        if video.ndim == 5 and self.backend.spec.video == "features":
            video = self._features(video, mask)
        inputs = ModelInput(video, mask, batch.audio.numpy(), batch.audio_mask.numpy())
        scaled = self.backend.logits(inputs) / np.float32(self.backend.temperature)
        return scaled.astype(np.float64)

    def _features(self, video: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """The face network's features of all crops that are there."""
        crops = (video[mask] * 255).round().astype(np.uint8)
        crops = crops[:, 0] if crops.shape[1] == 1 else np.moveaxis(crops, 1, -1)
        out = np.zeros((*mask.shape, self.backend.spec.video_dim), np.float32)
        parts = [
            self.backend.encode_faces(crops[start : start + CROPS_PER_RUN])
            for start in range(0, len(crops), CROPS_PER_RUN)
        ]
        if parts:
            out[mask] = np.concatenate(parts)
        return out


def open_exported_model(
    path: Path,
    data: Path,
    clips: Path,
    *,
    allow_leak: bool = False,
    device: str = "cpu",
    workers: int = 0,
    progress: ProgressHook = no_progress,
) -> EvaluatedModel:
    """Open an exported model with all of ``data`` as test data.

    Clips with labels that the model does not predict, and clips with neither a face nor speech,
    are left out, with a caveat.

    Args: As :func:`~avtca.evaluation.open_model.open_model`.

    Raises:
        LeakError: If the model was trained on this corpus or these speakers, unless
            ``allow_leak``.
        ClipSpecMismatch: If the corpus is prepared with another ClipSpec.
        ConfigError: For other devices.
        CorpusError: If no clip remains.
    """
    if device not in ("auto", "cpu"):
        problem = f"it cannot run on the device {device}"
        raise ConfigError(f"evaluate {path}", problem, "leave --device out")
    bundle = read_bundle(path)
    backend = OnnxBackend(bundle)
    media = backend.spec.of_media(backend.crop_px, backend.colour)
    summary = None
    if (data / "corpus.json").is_file():
        corpus = PreparedCorpus.open(data)
    else:
        index = index_folder(data, media)
        source = hashlib.sha256(str(data.resolve()).encode()).hexdigest()[:12]
        clips = clips / media.hash / source
        summary = build_cache(
            index, clips, media, lossless=True, workers=workers, progress=progress
        )
        corpus = PreparedCorpus.open(clips)
    corpus = corpus.view(backend.spec if corpus.spec.video == "features" else media)
    dataset, notes = _usable(corpus, bundle.spec.labels, summary, clips)
    card = _card(bundle)
    leaks = leakage_caveats(
        card,
        corpus.name,
        dataset.speakers,
        action=f"evaluate on unseen speakers of {corpus.name}",
        fix="give clips of other speakers, or pass --allow-leak and report the caveat",
        allow_leak=allow_leak,
        model="the model",
    )
    caveats = (
        WHOLE_CORPUS,
        *leaks,
        *manifest_caveats(speaker_warnings(corpus.manifest)),
        *notes,
    )
    return EvaluatedModel(
        name=bundle.name,
        folds=(FoldModel((ExportedModel(backend),), dataset, None, NO_VALIDATION),),
        card=card,
        split=SplitInfo.of(
            caveats,
            corpus=corpus.name,
            data_hash=corpus.data_hash,
            failed=len(summary.failures) if summary else 0,
        ),
    )


def _card(bundle: Bundle) -> Card:
    """The card of the exported model, with the sizes of the network in it."""
    name = bundle.card.get("checkpoint", {}).get("name", "fusion")
    return replace(
        read_card(bundle.folder / f"{name}.json"),
        clip_spec=bundle.spec,
        calibration=bundle.card["calibration"],
        provenance=bundle.card["provenance"],
        weights_sha256=bundle.card["weights_sha256"],
    )


def _usable(
    corpus: PreparedCorpus, labels: tuple[str, ...], summary: BuildSummary | None, clips: Path
) -> tuple[EmotionDataset, list[Caveat]]:
    """Samples with a face or speech and a label of the model, and notes on the others."""
    dataset = from_corpus(corpus, labels)
    notes = []
    if dropped := len(corpus) - len(dataset):
        notes.append(f"{dropped} clips are left out: the model does not predict their label")
    manifest = corpus.manifest.set_index("sample_id").loc[list(dataset.sample_ids)]
    empty = (manifest["face_coverage"] == 0) & (manifest["voice_coverage"] == 0)
    if n := int(empty.sum()):
        notes.append(f"{n} clips with neither a face nor speech are left out")
        dataset = dataset.subset(np.flatnonzero(~empty))
    if summary and summary.failures:
        n = len(summary.failures)
        notes.append(f"{n} clips could not be decoded, see {clips / 'failures.csv'}")
    if not corpus.meta["lossless"]:
        notes.append("crops and audio were compressed (avtca prepare --lossless keeps them)")
    if not len(dataset):
        raise CorpusError(
            f"evaluate on {corpus.path}", "no clip has a face or speech", "give other clips"
        )
    return dataset, [Caveat(CaveatKind.NOTE, note) for note in notes]
