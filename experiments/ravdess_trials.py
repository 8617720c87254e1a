"""Purpose: try a change of a row of the RAVDESS table on validation people.

Cost: as a row of the table (experiments/ravdess.py) with as many epochs.

    python experiments/ravdess_trials.py ../shared/corpora/ravdess WORK best --set train.epochs=24 \
        model.sizes.fusion=gated

For each of Luna-Jimenez's folds: the training people only, the configuration's epochs, the last
weights; accuracy on the fold's validation people, of both streams, of each with the other taken
away, and with both at any damage of `avtca robustness`. Test people are neither trained on nor
looked at.
"""

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from ravdess import ROWS, SINGLE, VOICE, Cell, prepare

from avtca.data.dataset import EmotionDataset
from avtca.evaluation.evaluate import remove_modality
from avtca.evaluation.inference import predict_samples
from avtca.evaluation.robustness import CONDITIONS, Condition
from avtca.training.fold import load_data_module
from avtca.training.pretrained import init_weights
from avtca.training.trainer import fit, new_network, torch_threads

AWAY = {"both": "", "audio": "video", "face": "audio"}
"""What is looked at -> the modality taken away."""


def damage(text: str) -> tuple[str, Condition, float]:
    """A condition of `avtca robustness` at a level, such as noise=10."""
    name, _, level = text.partition("=")
    return text, CONDITIONS[name], float(level)


def accuracy(network: torch.nn.Module, samples: EmotionDataset) -> float:
    """Percent of the samples named right."""
    return 100 * float((predict_samples(network, samples).argmax(1) == samples.labels).mean())


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
    parser.add_argument(
        "--damage", nargs="*", type=damage, default=[], help="also damaged: noise=10 shift=1 ..."
    )
    parser.add_argument("--set", nargs="*", default=[], help="changes, as of avtca train")
    args = parser.parse_args()
    torch_threads(1)
    cell = Cell("luna_5fold", args.row, args.seed)
    experiment = cell.experiment(args.work, ["train.metric=none", *args.set], args.voice)
    prepare(args.corpus, args.work, ROWS[args.row][1])
    data_module = load_data_module(experiment)
    ways = {"both": ""} if args.row.split("+")[0] in SINGLE else AWAY
    names = [*ways, *(text for text, _, _ in args.damage)]
    rows = []
    for fold in args.folds:
        train, validation = (data_module.subset(fold, side) for side in ("train", "validation"))
        model = experiment.model
        network = new_network(model.variant, train.spec, seed=args.seed, **model.sizes)
        if model.init_from is not None:
            init_weights(network, train.spec.labels, model.init_from)
        with tempfile.TemporaryDirectory() as out:
            result = fit(network, experiment.train, train, None, out=Path(out))
        action = [remove_modality(validation, away) for away in ways.values()]
        action += [condition.applied(validation, level) for _, condition, level in args.damage]
        rows.append([accuracy(result.network, samples) for samples in action])
        print(f"fold {fold}", said(names, rows[-1]), flush=True)
    print("mean", said(names, list(np.mean(rows, axis=0))), *args.set, flush=True)


if __name__ == "__main__":
    main()
