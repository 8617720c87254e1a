"""Throughput of the training loader, and of a training step for comparison, in items per second.

    python benchmarks/loader.py [--samples 480] [--spec SPEC.json] [--out FILE]

RAVDESS's audio and face sequences, batches of 32 from `avtca.data.training`, one thread;
CPU seconds, so that other work on the machine has little effect. The first epoch computes windows,
the second finds the unchanged ones in the cache. Then two networks with the windows and training
configuration of their own over eight epochs: `experts` uses pitch, whose windows cost more; each
window is computed once, and a sample has some dozens (speeds and crops). Then the cost of each step
of waveform augmentation, on a window of the usual length and of a prime length.
Cost: three minutes.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from avtca.audio import augment, features
from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, load_ravdess_features
from avtca.data.augment_config import Augmentation
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.data.training import TrainingDataset, training_loader
from avtca.data.windows import Batch
from avtca.files import write_json
from avtca.model import ModelConfig, build_model
from avtca.training.config_file import load_experiment
from avtca.training.trainer import torch_threads

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("AVTCA_SHARED", ROOT.parent / "shared"))
CONFIGS = ROOT / "configs" / "ravdess_sequences"
EPOCHS = 8
WAVEFORM = {"waveform": 0.5, "gain_db": 6.0}
KINDS = {
    "plain": {},
    "speed": {"speed": 0.1},
    "waveform": WAVEFORM,
    "waveform_speed": {**WAVEFORM, "speed": 0.1},
}


def fed(
    samples: EmotionDataset, augmentation: Augmentation, epochs: int = 2
) -> tuple[list[int], Batch]:
    """Items per second of each epoch, and a batch."""
    data = TrainingDataset(samples, augmentation, seed=0)
    batches = training_loader(data, 32)
    out, batch = [], None
    for epoch in range(epochs):
        batches.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        before, items = time.process_time(), 0
        for batch in batches:
            items += len(batch.sample)
        out.append(round(items / (time.process_time() - before)))
    assert batch is not None
    return out, batch


def eaten(variant: str, spec: ClipSpec, batch: Batch, *, steps: int = 12, **sizes: Any) -> int:
    """Items per second of a training step."""
    model = build_model(variant, ModelConfig.for_spec(spec, **sizes))
    optimiser = torch.optim.AdamW(model.parameters())
    before = 0.0
    for step in range(steps + 2):
        if step == 2:
            before = time.process_time()
        answer = model(batch.video, batch.audio, batch.video_mask, batch.audio_mask)
        loss = F.cross_entropy(answer.logits, batch.target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return round(32 * steps / (time.process_time() - before))


def as_trained(corpus: PreparedCorpus, name: str, samples: int) -> dict[str, Any]:
    """A network of the RAVDESS table with its own windows, training configuration and sizes."""
    file = "experts.yaml" if name == "experts" else "luna_5fold.yaml"
    experiment = load_experiment(CONFIGS / file, [f"model.variant={name}"])
    some = every_nth(from_corpus(corpus.view(experiment.input.over(corpus.spec))), samples)
    items, batch = fed(some, experiment.train.augmentation, EPOCHS)
    model = experiment.model
    return {
        "audio": some.spec.audio,
        "loader_items_per_s": items,
        "training_step_items_per_s": eaten(model.variant, some.spec, batch, **model.sizes),
    }


def every_nth(samples: EmotionDataset, n: int) -> EmotionDataset:
    """A subset of ``n`` samples of all speakers, with an empty window cache."""
    every = max(1, len(samples) // n)
    return replace(samples.subset(np.arange(0, len(samples), every)[:n]))


def milliseconds(work: Callable[[], Any], *, times: int = 40) -> float:
    """CPU time of one call."""
    work()
    before = time.process_time()
    for _ in range(times):
        work()
    return round((time.process_time() - before) / times * 1e3, 2)


def parts(spec: ClipSpec, n: int) -> dict[str, float]:
    """Milliseconds of each step on ``n`` samples."""
    rng, rate = np.random.default_rng(0), spec.sample_rate
    wave = (0.1 * rng.standard_normal(n)).astype(np.float32)
    work: dict[str, Callable[[], Any]] = {
        "room": lambda: augment.reverberate(wave, rate, rng.uniform(0.1, 0.8), rng),
        "white_noise": lambda: augment.add_noise(wave, rate, 10, rng),
        "pink_noise": lambda: augment.add_noise(wave, rate, 10, rng, colour="pink"),
        "band_limit": lambda: augment.band_limit(wave, rate, high_hz=3000),
        "mu_law": lambda: augment.mu_law(wave, 8),
        "speed": lambda: augment.speed(wave, 1.1),
        "gain": lambda: augment.gain(wave, 3),
        "chain": lambda: augment.WaveAugment(chance=0.5)(wave, rate, rng),
        "audio_features": lambda: features(wave, spec),
    }
    return {name: milliseconds(one) for name, one in work.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=480)
    parser.add_argument(
        "--spec", type=Path, default=ROOT / "configs/ravdess_sequences/clipspec.json"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks/results/loader.json")
    action = parser.parse_args()
    torch_threads(1)
    spec = ClipSpec.from_dict({**ClipSpec().to_dict(), **json.loads(action.spec.read_text())})
    with tempfile.TemporaryDirectory() as folder:
        corpus = load_ravdess_features(SHARED / "corpora" / "ravdess", spec, Path(folder) / "r")
        samples = every_nth(from_corpus(corpus), action.samples)
        items: dict[str, list[int]] = {}
        for name, change in KINDS.items():
            augmentation = Augmentation(crop_slack_s=0.4, **change)
            items[name], batch = fed(replace(samples), augmentation)
            print(name, items[name], flush=True)
        models = {name: eaten(name, samples.spec, batch) for name in ("figure", "experts")}
        trained = {}
        for name in models:
            trained[name] = as_trained(corpus, name, action.samples)
            print(name, trained[name], flush=True)
    result = {
        "what": "RAVDESS features, batches of 32, one thread; items a second of processor time",
        "spec": {name: getattr(spec, name) for name in ("audio_dim", "n_fft", "hop", "window_s")},
        "samples": len(samples),
        "loader_items_per_s": items,
        "training_step_items_per_s": models,
        "as_trained": trained,
        "milliseconds": parts(spec, spec.window_samples),
        "milliseconds_of_a_prime_length": parts(spec, 57_593),
        "machine": f"{os.cpu_count()} cores ({platform.machine()}), load {os.getloadavg()[0]:.1f}",
    }
    write_json(action.out, result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
