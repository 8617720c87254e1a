"""Purpose: try a change of a row of the RAVDESS table on validation people.

Cost: as a row of the table (runs/ravdess.py) with as many epochs.

    python runs/ravdess_trials.py ../shared/corpora/ravdess WORK best --set train.epochs=24 \
        model.sizes.fusion=gated

For each of Luna-Jimenez's folds: the training people only, the configuration's epochs, the last
weights; accuracy on the fold's validation people, of both streams and of each with the other taken
away. Test people are neither trained on nor looked at.
"""

import argparse
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from ravdess import ROWS, SINGLE, VOICE, Cell, prepare

from avtca.evaluation.predict import predict_takes
from avtca.evaluation.speed import vary_speed
from avtca.evaluation.study import without
from avtca.evaluation.takes import TakeSet
from avtca.training.fit import fit, new_network, torch_threads
from avtca.training.run import load_material
from avtca.training.start import start_from

AWAY = {"both": "", "sound": "visual", "face": "sound"}
"""What is looked at -> the modality taken away."""


def at_speed(takes: TakeSet, factor: float) -> TakeSet:
    """The takes played so many times as fast."""
    if factor == 1:
        return takes
    raws = [vary_speed(raw, factor, takes.spec) for raw in takes.raws]
    seconds = [duration / factor for duration in takes.durations]
    return replace(takes, raws=raws, durations=seconds, kept={})


def accuracies(network: torch.nn.Module, played: list[TakeSet], away: str) -> list[float]:
    """Percent of the takes named right with a modality taken away, or with none; and, where they
    are played at more speeds, of the mean of the answers to all."""
    found = [predict_takes(network, without(takes, away)) for takes in played]
    asked = [found[0], np.mean(found, axis=0)][: len(found)]
    return [100 * float((probs.argmax(1) == played[0].labels).mean()) for probs in asked]


def said(ways: Iterable[str], percent: Iterable[float]) -> str:
    return "  ".join(f"{way} {value:.1f}" for way, value in zip(ways, percent, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="RAVDESS's audio-only form")
    parser.add_argument("work", type=Path)
    parser.add_argument("row", choices=list(ROWS))
    parser.add_argument("--voice", type=Path, default=VOICE)
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speeds", nargs="*", type=float, default=[], help="ask at these, too")
    parser.add_argument("--set", nargs="*", default=[], help="changes, as of avtca train")
    args = parser.parse_args()
    torch_threads(1)
    cell = Cell("luna_5fold", args.row, args.seed)
    experiment = cell.experiment(args.work, ["train.metric=none", *args.set], args.voice)
    prepare(args.corpus, args.work, ROWS[args.row][1])
    material = load_material(experiment)
    ways = {"both": ""} if args.row.split("+")[0] in SINGLE else AWAY
    asked = ("", ", all speeds") if args.speeds else ("",)
    names = [way + speeds for way in ways for speeds in asked]
    rows = []
    for fold in args.folds:
        train, validation = (material.side(fold, side) for side in ("train", "validation"))
        model = experiment.model
        network = new_network(model.variant, train.spec, seed=args.seed, **model.sizes)
        if model.start is not None:
            start_from(network, train.spec.labels, model.start)
        with tempfile.TemporaryDirectory() as out:
            result = fit(network, experiment.train, train, None, out=Path(out))
        played = [at_speed(validation, factor) for factor in (1.0, *args.speeds)]
        found = [accuracies(result.network, played, away) for away in ways.values()]
        rows.append([percent for way in found for percent in way])
        print(f"fold {fold}", said(names, rows[-1]), flush=True)
    print("mean", said(names, list(np.mean(rows, axis=0))), *args.set, flush=True)


if __name__ == "__main__":
    main()
