"""Purpose: try a change of a system of the RAVDESS table on validation speakers.

Cost: as the system (experiments/ravdess.py) with as many epochs.

    python experiments/ravdess_trials.py ../shared/corpora/ravdess WORK experts \
        --set train.epochs=24 model.sizes.fusion=gated

For each of Luna-Jimenez's folds: trains on the training speakers for the configured number of
epochs and prints the accuracy of the last weights on the validation speakers, with both streams,
with one masked, and with both under any degradation of `avtca robustness`. Test speakers are not
used.
"""

import argparse
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from names import published
from ravdess import PRETRAINED, SINGLE_STREAM, SYSTEMS, Run, prepare

from avtca.data.dataset import EmotionDataset
from avtca.evaluation.degradations import CONDITIONS, Condition, remove_modality
from avtca.evaluation.inference import predict_samples
from avtca.training.fold import load_data_module
from avtca.training.pretrained import init_weights
from avtca.training.trainer import fit, new_network, torch_threads

MASKED = {"both": "", "audio": "video", "face": "audio"}
"""Input -> the modality that is masked."""


def damage(argument: str) -> tuple[str, Condition, float]:
    """A condition of `avtca robustness` at a level, such as noise=10."""
    name, _, level = argument.partition("=")
    return argument, CONDITIONS[name], float(level)


def accuracy(network: torch.nn.Module, samples: EmotionDataset) -> float:
    """Accuracy in %."""
    return 100 * float((predict_samples(network, samples).argmax(1) == samples.labels).mean())


def text(inputs: Iterable[str], percent: Iterable[float]) -> str:
    return "  ".join(f"{name} {value:.1f}" for name, value in zip(inputs, percent, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="RAVDESS, audio with face sequences")
    parser.add_argument("work", type=Path)
    parser.add_argument("system", type=published, choices=list(SYSTEMS))
    parser.add_argument("--pretrained", type=Path, default=PRETRAINED)
    parser.add_argument("--folds", nargs="+", type=int, default=list(range(5)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--damage", nargs="*", type=damage, default=[], help="also degraded: noise=10 shift=1 ..."
    )
    parser.add_argument("--set", nargs="*", default=[], help="changes, as in avtca train")
    args = parser.parse_args()
    torch_threads(1)
    run = Run("luna_5fold", args.system, args.seed)
    experiment = run.experiment(args.work, ["train.metric=none", *args.set], args.pretrained)
    prepare(args.corpus, args.work, SYSTEMS[args.system][1])
    data_module = load_data_module(experiment)
    masked = {"both": ""} if args.system.split("+")[0] in SINGLE_STREAM else MASKED
    names = [*masked, *(name for name, _, _ in args.damage)]
    rows = []
    for fold in args.folds:
        train, validation = (data_module.subset(fold, side) for side in ("train", "validation"))
        model = experiment.model
        network = new_network(model.variant, train.spec, seed=args.seed, **model.sizes)
        if model.init_from is not None:
            init_weights(network, train.spec.labels, model.init_from)
        with tempfile.TemporaryDirectory() as out:
            result = fit(network, experiment.train, train, None, out=Path(out))
        degraded = [remove_modality(validation, modality) for modality in masked.values()]
        degraded += [condition.apply(validation, level) for _, condition, level in args.damage]
        rows.append([accuracy(result.network, samples) for samples in degraded])
        print(f"fold {fold}", text(names, rows[-1]), flush=True)
    print("mean", text(names, list(np.mean(rows, axis=0))), *args.set, flush=True)


if __name__ == "__main__":
    main()
