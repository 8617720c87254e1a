"""Purpose: train the fusion network of the packaged model on RAVDESS, by speaker.

Cost: eight minutes for the first network on one core, less for the next, since windows are kept in
memory. Trains the five folds of Luna-Jimenez et al. first (test actors unseen), then the packaged
networks on all actors but 01, whose videos measure the change from face sequences to images. Each
is an ensemble of three networks that differ only in the seed (`avtca.model.ensemble`). They
predict RAVDESS's eight emotions; calm is added to neutral.

    avtca prepare ravdess ../shared/corpora/ravdess --out PREPARED \
        --spec experiments/default_model/clipspec.json
    python experiments/default_model/voice.py ../shared/corpora WORK
    python experiments/default_model/fusion.py PREPARED WORK/voice OUT

Every network trains a fixed number of epochs on all speakers except its test speakers; no figure
selects anything here, and no seed is left out. The folds' networks are measured by
fold_predictions.py; temperature and threshold of the packaged networks are fitted on the folds'
predictions for all speakers but actor 01.

Resumes an interrupted run. Writes OUT/luna_5fold.npz (predictions) and OUT/figures.json.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from fold_predictions import DEGRADED, FOLDS, INPUTS, KEPT, FoldPredictions, packaged_calibration
from fold_predictions import figures as fold_figures

from avtca.audio.augment import WaveAugment
from avtca.corpora import PreparedCorpus, load_folds
from avtca.data.augment_config import Augmentation
from avtca.data.dataset import EmotionDataset, from_corpus, mapped_targets
from avtca.evaluation.degradations import remove_modality
from avtca.evaluation.inference import window_logits
from avtca.labels import RAVDESS, SEVEN
from avtca.model import build_model
from avtca.model.avtca import AVTCA
from avtca.model.ensemble import Ensemble
from avtca.preprocess import RawSample
from avtca.training.config import ModalityDropout, Optimiser, TrainConfig
from avtca.training.pretrained import init_weights
from avtca.training.trainer import fit, new_network, torch_threads

VARIANT, SIZES = "experts", {"dropout": 0.2, "probabilities": 7, "audio_stride": 2}
RECIPE = TrainConfig(
    epochs=40,
    batch_size=32,
    label_smoothing=0.1,
    auxiliary_weight=1.0,
    ema=0.98,
    metric="none",
    modality_dropout=ModalityDropout(mode="whole", audio=0.2, video=0.2),
    augmentation=Augmentation(
        crop=True,
        crop_slack_s=0.4,
        speed=0.15,
        channel_db=4.0,
        background=0.25,
        step_dropout=0.1,
        posterior_bias=0.5,
        mixup=0.2,
    ),
    optimiser=Optimiser(learning_rate=2e-3, weight_decay=0.05, warmup_epochs=1, clip_norm=1.0),
)
SEEDS = (0, 1, 2)
CALM_IS_NEUTRAL = torch.from_numpy(mapped_targets(np.eye(8, dtype=np.float32), RAVDESS, SEVEN)[0])
"""Maps the networks' eight labels to the seven of the package, ``(8, 7)``."""
DEGRADATION = 0.7
"""Probability of each degradation of the audio, for figures of degraded audio."""
AUDIO_WEIGHT = 0.75
"""Exponent of the audio experts after training. Of 1, 0.75, 0.5 and 0.25 it has the best mean
log-likelihood over validation speakers' samples and over the same faces with audio of an unseen
corpus in another language (experiments/default_model/strangers.py)."""
HELD_OUT = "01"
"""Actor whose images measure the whole recognizer."""


def degraded(samples: EmotionDataset) -> EmotionDataset:
    """The samples after rooms, noise, band limits and codecs, the same for every network."""
    vary = WaveAugment(chance=DEGRADATION, gain_db=None)

    def degrade(row: int) -> RawSample:
        raw, rng = samples.samples[row], np.random.default_rng([len(samples), row])
        return replace(raw, wave=vary(raw.wave, samples.spec.sample_rate, rng))

    return replace(samples, samples=[degrade(row) for row in range(len(samples))])


def at_use(networks: Sequence[AVTCA], audio_weight: float = AUDIO_WEIGHT) -> Ensemble:
    """The ensemble with the audio weight of the packaged model."""
    weighted = [reweighted(network, audio_weight) for network in networks]
    return Ensemble(weighted, CALM_IS_NEUTRAL).eval()


def reweighted(network: AVTCA, audio_weight: float) -> AVTCA:
    """The network with another weight of the audio experts."""
    out = build_model(network.variant, replace(network.config, audio_weight=audio_weight))
    out.load_state_dict(network.state_dict())
    return out.eval()


def train(
    samples: EmotionDataset,
    people: Sequence[str],
    voice: Path,
    out: Path,
    recipe: TrainConfig = RECIPE,
    seeds: Sequence[int] = SEEDS,
    sizes: Mapping[str, int] = MappingProxyType({}),
) -> list[AVTCA]:
    """A network per seed from a pretrained audio branch; `sizes` override the packaged ones."""
    networks = []
    for seed in seeds:
        network = new_network(VARIANT, samples.spec, seed=seed, **SIZES | sizes)
        init_weights(network, samples.spec.labels, voice)
        seeded = recipe.model_copy(update={"seed": seed})
        folder = out / f"seed{seed}"
        networks.append(fit(network, seeded, samples.of_speakers(people), None, out=folder).network)
    return networks


def predict_fold(networks: Sequence[AVTCA], test: EmotionDataset, number: int) -> FoldPredictions:
    """Predictions of a fold's networks for its test speakers, with clean and degraded audio."""
    alone, ensemble, rough = [at_use([one]) for one in networks], at_use(networks), degraded(test)
    found = {
        name: [window_logits(one, remove_modality(test, away)) for one in alone]
        for name, away in INPUTS.items()
    }
    for name in ("both", "voice"):
        rough_windows = window_logits(ensemble, remove_modality(rough, INPUTS[name]))
        found[DEGRADED[name]] = [rough_windows]
    return FoldPredictions(
        np.array(test.sample_ids),
        np.array(test.speakers),
        test.labels,
        np.full(len(test), number),
        found["both"][0].sample,
        {
            name: np.stack([one.logits for one in windows]).astype(np.float16)
            for name, windows in found.items()
        },
    )


def main() -> None:
    """Train all folds, then the packaged networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("prepared", "voice", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    corpus = PreparedCorpus.open(args.prepared)
    learned, samples = from_corpus(corpus, RAVDESS), from_corpus(corpus, SEVEN)
    voice = args.voice / "last"
    parts = []
    for number, split in enumerate(load_folds(FOLDS).folds):
        people = (*split.train, *split.validation)
        networks = train(learned, people, voice, args.out / f"fold{number}")
        part = predict_fold(networks, samples.of_speakers(split.test), number)
        shown = {
            name: float((part.windows(name).probabilities().argmax(1) == part.labels).mean())
            for name in INPUTS
        }
        print(f"fold {number}: {shown}", flush=True)
        parts.append(part)
    found = FoldPredictions.joined(parts)
    found.save(args.out / KEPT.name)
    everyone = sorted(set(samples.speakers) - {HELD_OUT})
    network = at_use(train(learned, everyone, voice, args.out / "packaged"))
    held = samples.of_speakers({HELD_OUT})
    fitted = packaged_calibration(found, HELD_OUT)
    figures = {
        "luna_5fold": fold_figures(found),
        "packaged": {
            **fitted,
            "held_out_actor_face_sequences": {
                name: float(
                    (
                        window_logits(network, remove_modality(held, away))
                        .probabilities(fitted["temperature"])
                        .argmax(1)
                        == held.labels
                    ).mean()
                )
                for name, away in INPUTS.items()
            },
        },
    }
    (args.out / "figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    torch_threads(1)
    main()
