"""Purpose: train the fusion network of the packaged model on RAVDESS, actors apart.

Cost: about a quarter of an hour a fold on one core. First the five folds of Luna-Jimenez et al.
(test actors never seen), then the network that is packaged: actor 01 is in no training set, so
that the step from face sequences to pictures can be measured on his.

    avtca prepare ravdess ../shared/corpora/ravdess --out PREPARED \
        --spec runs/default_model/clipspec.json
    python runs/default_model/fusion.py PREPARED OUT

Stop it at any time; it goes on where it was. Writes OUT/figures.json.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from avtca.corpora import PreparedCorpus, load_folds
from avtca.evaluation import calibration, intervals, metrics
from avtca.evaluation.predict import window_logits
from avtca.evaluation.takes import TakeSet, from_corpus
from avtca.evaluation.windows import Batch
from avtca.labels import SEVEN
from avtca.training.fit import FitResult, fit, new_network
from avtca.training.recipe import Augmentation, ModalityDropout, Optimiser, Recipe

VARIANT, SIZES = "best", {"sound_front": "conv1d", "dropout": 0.2}
RECIPE = Recipe(
    epochs=24,
    batch=32,
    label_smoothing=0.05,
    auxiliary=0.3,
    ema=0.98,
    modality_dropout=ModalityDropout(form="whole", sound=0.15, visual=0.25),
    augmentation=Augmentation(
        crop=True,
        crop_slack_s=0.4,
        time_masks=2,
        band_masks=2,
        step_dropout=0.1,
        visual_noise=0.03,
    ),
    optimiser=Optimiser(learning_rate=1e-3, weight_decay=0.05, warmup_epochs=1),
)
HELD_OUT = "01"
"""Actor of the pictures that the whole recognizer is measured on."""
VALIDATION = ("02", "09", "16", "23")
"""Actors that choose the packaged network's epoch and temperature; two of each sex."""


def without(modality: str) -> object:
    """A change of a batch that takes one modality away."""

    def change(batch: Batch) -> Batch:
        mask = f"{modality}_mask"
        return batch._replace(**{mask: torch.zeros_like(getattr(batch, mask))})

    return change


WAYS = {"both": None, "face": without("sound"), "voice": without("visual")}


def answers(result: FitResult, takes: TakeSet, temperature: float) -> dict[str, np.ndarray]:
    """Probabilities of takes with both modalities, and with each alone."""
    return {
        way: window_logits(result.network, takes, change=change).probabilities(temperature)
        for way, change in WAYS.items()
    }


def temperature_of(result: FitResult, validation: TakeSet) -> float:
    """Fitted on the validation actors."""
    found = window_logits(result.network, validation)
    return calibration.fit_temperature(
        found.logits, validation.labels[found.take], weights=found.weights
    )


def train(takes: TakeSet, train_on: set[str], validate_on: set[str], out: Path) -> FitResult:
    """One network."""
    network = new_network(VARIANT, takes.spec, **SIZES)
    return fit(network, RECIPE, takes.of(train_on), takes.of(validate_on), out=out)


def main() -> None:
    """All folds, then the packaged network."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packaged-only", action="store_true")
    args = parser.parse_args()
    takes = from_corpus(PreparedCorpus.open(args.prepared), SEVEN)

    everyone = set(takes.speakers)
    held_out, validate_on = {HELD_OUT}, set(VALIDATION)
    result = train(takes, everyone - held_out - validate_on, validate_on, args.out / "packaged")
    temperature = temperature_of(result, takes.of(validate_on))
    held = takes.of(held_out)
    figures: dict[str, object] = {
        "packaged": {
            "epoch": result.epoch,
            "temperature": temperature,
            "validation": result.figures,
            "held_out_actor_face_sequences": {
                way: metrics.summary(p, held.labels, SEVEN)["accuracy"]
                for way, p in answers(result, held, temperature).items()
            },
        }
    }
    print(json.dumps(figures, indent=1), flush=True)
    if not args.packaged_only:
        figures["luna_5fold"] = folds_figures(takes, args.out)
    (args.out / "figures.json").write_text(json.dumps(figures, indent=1))
    print(json.dumps(figures, indent=1))


def folds_figures(takes: TakeSet, out: Path) -> dict[str, object]:
    """Figures on each take when its actor was in the test fold."""
    folds = load_folds("ravdess_luna_5fold")
    probs = {way: np.zeros((len(takes), len(SEVEN))) for way in WAYS}
    place = {name: at for at, name in enumerate(takes.names)}
    for number, split in enumerate(folds.splits):
        result = train(takes, set(split.train), set(split.validation), out / f"fold{number}")
        temperature = temperature_of(result, takes.of(split.validation))
        test = takes.of(split.test)
        rows = [place[name] for name in test.names]
        for way, p in answers(result, test, temperature).items():
            probs[way][rows] = p
        right = {way: float((probs[way][rows].argmax(1) == test.labels).mean()) for way in WAYS}
        print(f"fold {number}: {right}, temperature {temperature:.2f}", flush=True)
    speakers = np.array(takes.speakers)
    out_figures: dict[str, object] = {
        way: {
            name: interval.to_list()
            for name, interval in intervals.intervals(p, takes.labels, speakers).items()
        }
        for way, p in probs.items()
    }
    out_figures["ece"] = calibration.ece(probs["both"], takes.labels)
    out_figures["folds_hash"] = folds.hash
    return out_figures


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
