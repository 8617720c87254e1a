"""Training samples a second on one thread: from clips, from a cache of crops, and from features.

python benchmarks/speed_training.py FOLDER        prints a JSON object

From clips: the six of CREMA-D, decoded, searched for faces and written to a cache by `avtca
prepare`, then a step of the paper's network `figure` on crops of 224 pixels. Features: 480 samples
of RAVDESS's published sequences of faces and audio, whose cache FOLDER keeps; windows are computed
and kept in the first epoch. Each figure includes the loader and the step of the network with AdamW.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speed_films import ROOT, SHARED
from torch.nn import functional as F

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, build_cache, index_corpus, load_ravdess_features
from avtca.data.augment_config import Augmentation
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.data.training import TrainingDataset, training_loader
from avtca.model import ModelConfig, build_model
from avtca.training.trainer import torch_threads

SEQUENCES = ROOT / "configs" / "ravdess_sequences" / "clipspec.json"
N_FEATURES = 480
BATCH, PIXEL_BATCH = 32, 6
PIXEL_EPOCHS, FEATURE_EPOCHS = 3, 3


def training(folder: Path) -> dict[str, Any]:
    """Samples for each CPU second; the folder keeps the cache of features."""
    torch_threads(1)
    with tempfile.TemporaryDirectory() as made:
        spec = ClipSpec()
        index = index_corpus("cremad", SHARED / "corpora" / "cremad", spec)
        before = time.process_time()
        build_cache(index, Path(made) / "cremad", spec)
        prepared_s = time.process_time() - before
        crops = from_corpus(PreparedCorpus.open(Path(made) / "cremad"))
        crops_s = min(epochs_s(crops, PIXEL_BATCH, PIXEL_EPOCHS))
    wanted = ClipSpec.from_dict(ClipSpec().to_dict() | json.loads(SEQUENCES.read_text()))
    features = from_corpus(
        load_ravdess_features(SHARED / "corpora" / "ravdess", wanted, folder / "ravdess")
    )
    every = max(1, len(features) // N_FEATURES)
    features = features.subset(np.arange(0, len(features), every)[:N_FEATURES])
    first, *later = epochs_s(features, BATCH, FEATURE_EPOCHS)
    n = len(crops)
    return {
        "clips": n,
        "from_clips_per_s": round(n / (prepared_s + crops_s), 2),
        "prepared_per_s": round(n / prepared_s, 2),
        "crops_per_s": round(n / crops_s, 2),
        "features": len(features),
        "features_first_per_s": round(len(features) / first),
        "features_per_s": round(len(features) / min(later)),
    }


def epochs_s(samples: EmotionDataset, batch: int, epochs: int) -> list[float]:
    """CPU seconds of each epoch of `figure`, loader and steps."""
    model = build_model("figure", ModelConfig.for_spec(samples.spec)).train()
    optimiser = torch.optim.AdamW(model.parameters())
    batches = training_loader(
        TrainingDataset(samples, Augmentation(crop_slack_s=2.0), seed=0), batch
    )
    found = []
    for epoch in range(epochs):
        batches.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        before = time.process_time()
        for one in batches:
            answer = model(one.video, one.audio, one.video_mask, one.audio_mask)
            loss = F.cross_entropy(answer.logits, one.target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        found.append(time.process_time() - before)
    return found


if __name__ == "__main__":
    print(json.dumps(training(Path(sys.argv[1]))))
