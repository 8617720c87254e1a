"""Purpose: try a change of the packaged fusion network on validation speakers.

Cost: five minutes a fold on one core, ten for the first.

    python experiments/default_model/trial.py PREPARED_RAVDESS WORK/voice ../shared OUT \
        --sizes n_segments=5 [--packaged]

Trains the network of fusion.py with other sizes and fewer epochs, one seed, on a fold's training
speakers. Prints the accuracy on its validation speakers (both / face / audio), with clean and
degraded audio. With `--packaged` it also trains on all speakers but actor 01 and measures his
published sequences and images, as matched_faces.py does. Does not use test speakers.
"""

import argparse
from pathlib import Path

import fusion
import numpy as np
from matched_faces import EPOCHS, WEIGHTS, accuracies, joined, of_pictures
from package import read_samples
from packaged_face import packaged_face

from avtca.corpora import PreparedCorpus, load_folds
from avtca.data.dataset import from_corpus
from avtca.labels import RAVDESS, SEVEN
from avtca.model.ensemble import Ensemble
from avtca.training.trainer import torch_threads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("prepared", "voice", "shared", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--sizes", nargs="*", default=[], metavar="NAME=NUMBER")
    parser.add_argument("--folds", nargs="*", type=int, default=list(range(5)))
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument(
        "--packaged", action="store_true", help="also train on all speakers but actor 01"
    )
    args = parser.parse_args()
    torch_threads(1)
    sizes = {name: int(value) for name, value in (each.split("=") for each in args.sizes)}
    recipe = fusion.RECIPE.model_copy(update={"epochs": args.epochs})
    corpus = PreparedCorpus.open(args.prepared)
    eight, seven = (from_corpus(corpus, labels, memory=True) for labels in (RAVDESS, SEVEN))

    def trained(people: list[str], name: str) -> Ensemble:
        learned, out = eight.of_speakers(people), args.out / name
        voice = args.voice / "last"
        return fusion.at_use(fusion.train(learned, people, voice, out, recipe, (0,), sizes))

    rows = []
    for fold in args.folds:
        split = load_folds("ravdess_luna_5fold").folds[fold]
        network = trained(list(split.train), f"fold{fold}")
        validation = seven.of_speakers(split.validation)
        tests = (validation, fusion.degraded(validation))
        rows.append([accuracies(network, samples) for samples in tests])
        clean, degraded = rows[-1]
        print(f"fold {fold}: {joined(clean)}, degraded {joined(degraded)}", flush=True)
    if rows:
        clean, degraded = np.mean(rows, axis=0)
        print(f"mean: {joined(clean)}, degraded {joined(degraded)}", *args.sizes, flush=True)
    if args.packaged:
        people = sorted(set(eight.speakers) - {fusion.HELD_OUT})
        network = trained(people, "packaged")
        published = joined(accuracies(network, seven.of_speakers({fusion.HELD_OUT})))
        face, _ = packaged_face(WEIGHTS)
        known = read_samples(face, args.shared / "corpora" / "ravdess", seven.spec)
        pictures = of_pictures(network, known, seven.spec)
        print(f"packaged: actor 01, published sequences {published}; pictures {pictures}")


if __name__ == "__main__":
    main()
