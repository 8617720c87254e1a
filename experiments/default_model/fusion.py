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
selects anything here, and no seed is left out. The temperature of a fold is fitted on the other
folds' predictions for *their* test speakers, that of the packaged networks on all but actor 01.

Resumes an interrupted run. Writes OUT/figures.json.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from avtca.audio.augment import WaveAugment
from avtca.corpora import PreparedCorpus, load_folds
from avtca.data.augment_config import Augmentation
from avtca.data.dataset import EmotionDataset, from_corpus, mapped_targets
from avtca.evaluation import bootstrap as intervals
from avtca.evaluation import calibration
from avtca.evaluation.degradations import remove_modality
from avtca.evaluation.inference import window_logits
from avtca.evaluation.selective import abstention_curve, fit_conformal, set_coverage
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
DEGRADED = 0.7
"""Probability of each degradation of the audio, for figures of degraded audio."""
AUDIO_WEIGHT = 0.75
"""Exponent of the audio experts after training. Of 1, 0.75, 0.5 and 0.25 it has the best mean
log-likelihood over validation speakers' samples and over the same faces with audio of an unseen
corpus in another language (experiments/default_model/strangers.py)."""
HELD_OUT = "01"
"""Actor whose images measure the whole recognizer."""
SURE_ACCURACY = 0.85
"""Target accuracy of predictions above the threshold, on unseen speakers."""


def degraded(samples: EmotionDataset) -> EmotionDataset:
    """The samples after rooms, noise, band limits and codecs, the same for every network."""
    vary = WaveAugment(chance=DEGRADED, gain_db=None)

    def degrade(row: int) -> RawSample:
        raw, rng = samples.samples[row], np.random.default_rng([len(samples), row])
        return replace(raw, wave=vary(raw.wave, samples.spec.sample_rate, rng))

    return replace(samples, samples=[degrade(row) for row in range(len(samples))])


AWAY = {"both": "", "face": "audio", "voice": "video"}
"""Available streams -> the modality removed."""


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


class Answers:
    """Window logits of every sample from the fold that tests its actor, by available streams."""

    def __init__(self, samples: EmotionDataset) -> None:
        self.samples, self.folds = samples, load_folds("ravdess_luna_5fold")
        self.found: dict[str, list[tuple[EmotionDataset, object]]] = {way: [] for way in AWAY}

    def add(self, network: torch.nn.Module, test: EmotionDataset) -> None:
        for way, away in AWAY.items():
            self.found[way].append((test, window_logits(network, remove_modality(test, away))))

    def temperature(self, way: str, *, left_out: int = -1, actor: str = "") -> float:
        """Fitted on the test speakers of every fold but one, and without one actor."""
        logits, labels, weights = [], [], []
        for number, (test, windows) in enumerate(self.found[way]):
            if number != left_out:
                kept = np.array(test.speakers)[windows.sample] != actor
                logits.append(windows.logits[kept])
                labels.append(test.labels[windows.sample][kept])
                weights.append(windows.weights[kept])
        parts = (np.concatenate(part) for part in (logits, labels, weights))
        z, y, w = parts
        return calibration.fit_temperature(z, y, weights=w)

    def accuracy(self) -> dict[str, list[float]]:
        """Accuracy by available streams, with intervals over actors."""
        labels, people = self.samples.labels, np.array(self.samples.speakers)
        return {
            way: intervals.intervals(self.probabilities(way), labels, people)["accuracy"].to_list()
            for way in AWAY
        }

    def probabilities(self, way: str) -> np.ndarray:
        """Probabilities of all samples; a fold's temperature is fitted on the other folds."""
        place = {name: at for at, name in enumerate(self.samples.sample_ids)}
        out = np.zeros((len(self.samples), len(SEVEN)))
        for number, (test, windows) in enumerate(self.found[way]):
            rows = [place[name] for name in test.sample_ids]
            out[rows] = windows.probabilities(self.temperature(way, left_out=number))
        return out


def figures_of(answers: Answers) -> dict[str, object]:
    """Intervals over actors, calibration, conformal sets, abstention, groups."""
    samples = answers.samples
    speakers, labels = np.array(samples.speakers), samples.labels
    probs = {way: answers.probabilities(way) for way in AWAY}
    out: dict[str, object] = {
        way: {
            name: interval.to_list()
            for name, interval in intervals.intervals(p, labels, speakers).items()
        }
        for way, p in probs.items()
    }
    both = probs["both"]
    out["ece"] = {way: calibration.ece(p, labels) for way, p in probs.items()}
    groups = {
        "male": np.array([int(s) % 2 == 1 for s in speakers]),
        "strong": np.array([name.split("-")[3] == "02" for name in samples.sample_ids]),
    }
    names = {"male": ("male", "female"), "strong": ("strong", "normal")}
    out["groups"] = {
        called: float(np.mean(both[rows].argmax(1) == labels[rows]))
        for group, mask in groups.items()
        for called, rows in zip(names[group], (mask, ~mask), strict=True)
    }
    right = both.argmax(1) == labels
    out["per_label"] = {name: float(right[labels == at].mean()) for at, name in enumerate(SEVEN)}
    # Prediction sets and threshold: fitted on all folds but one, measured on that one.
    fold_of = np.zeros(len(samples), int)
    for number, split in enumerate(answers.folds.folds):
        fold_of[np.isin(speakers, list(split.test))] = number
    covered, size, answered, correct = [], [], [], []
    for number in range(len(answers.folds.folds)):
        test = fold_of == number
        sets = fit_conformal(both[~test], labels[~test], alpha=0.1).sets(both[test])
        covered.append(set_coverage(sets, labels[test]) * test.sum())
        size.append(sets.sum())
        threshold = abstention_curve(both[~test], labels[~test]).threshold_for(SURE_ACCURACY)
        sure = both[test].max(1) >= (2.0 if threshold is None else threshold)
        answered.append(sure.sum())
        correct.append((right[test] & sure).sum())
    out["conformal_90"] = {
        "coverage": float(sum(covered) / len(samples)),
        "labels_in_a_set": float(sum(size) / len(samples)),
    }
    out["sure"] = {
        "wanted_accuracy": SURE_ACCURACY,
        "answered": float(sum(answered) / len(samples)),
        "accuracy_of_answers": float(sum(correct) / max(1, sum(answered))),
    }
    out["folds_hash"] = answers.folds.hash
    return out


def main() -> None:
    """Train all folds, then the packaged networks."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("prepared", "voice", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    corpus = PreparedCorpus.open(args.prepared)
    learned, samples = from_corpus(corpus, RAVDESS), from_corpus(corpus, SEVEN)
    voice = args.voice / "last"
    answers, rough = Answers(samples), Answers(samples)
    alone = [Answers(samples) for _ in SEEDS]
    for number, split in enumerate(answers.folds.folds):
        people = (*split.train, *split.validation)
        networks = train(learned, people, voice, args.out / f"fold{number}")
        ensemble = at_use(networks)
        answers.add(ensemble, samples.of_speakers(split.test))
        rough.add(ensemble, degraded(samples.of_speakers(split.test)))
        for seed, network in enumerate(networks):
            alone[seed].add(at_use([network]), samples.of_speakers(split.test))
        shown = {
            way: float((w.probabilities().argmax(1) == test.labels).mean())
            for way, found in answers.found.items()
            for test, w in found[-1:]
        }
        print(f"fold {number}: {shown}", flush=True)
    everyone = sorted(set(samples.speakers) - {HELD_OUT})
    network = at_use(train(learned, everyone, voice, args.out / "packaged"))
    held = samples.of_speakers({HELD_OUT})
    temperature = answers.temperature("both", actor=HELD_OUT)
    rest = np.array(samples.speakers) != HELD_OUT
    curve = abstention_curve(answers.probabilities("both")[rest], samples.labels[rest])
    figures = {
        "luna_5fold": {
            **figures_of(answers),
            "degraded_audio": rough.accuracy(),
            "each_seed": [one.accuracy() for one in alone],
        },
        "packaged": {
            "temperature": temperature,
            "sure": curve.threshold_for(SURE_ACCURACY),
            "held_out_actor_face_sequences": {
                way: float(
                    (
                        window_logits(network, remove_modality(held, away))
                        .probabilities(temperature)
                        .argmax(1)
                        == held.labels
                    ).mean()
                )
                for way, away in AWAY.items()
            },
        },
    }
    (args.out / "figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    torch_threads(1)
    main()
