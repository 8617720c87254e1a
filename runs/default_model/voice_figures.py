"""Purpose: what the sound branch is worth alone, on people it never heard.

Cost: about half an hour on one core.

    python runs/default_model/voice.py ../shared/corpora WORK
    python runs/default_model/voice.py ../shared/corpora WORK --for emodb
    python runs/default_model/voice_figures.py PREPARED_RAVDESS WORK

RAVDESS, 8 emotions, Luna-Jimenez's five folds, from the voice pretrained on nEMO and EMO-DB;
EMO-DB, 7 emotions, each speaker left out in turn, from the voice pretrained on nEMO and RAVDESS.
Faces are taken out of the takes. A fixed number of epochs on all people but the test people;
nothing is chosen by anybody's figures. And what a voice is worth in a language and a studio that it
never heard: the two pretrained voices as they are, the one on RAVDESS's English, the other on
EMO-DB's German (without boredom, which nobody told it). Writes WORK/voice_figures.json. Resumable.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from fusion import SIZES, VARIANT
from voice import RECIPE, SPEECH, german

from avtca.corpora import PreparedCorpus, load_folds
from avtca.evaluation import intervals
from avtca.evaluation.predict import predict_takes
from avtca.evaluation.study import without
from avtca.evaluation.takes import TakeSet, from_corpus
from avtca.labels import EMODB, RAVDESS, SEVEN
from avtca.model import load_checkpoint
from avtca.training.fit import fit, new_network, torch_threads
from avtca.training.start import start_from


def answers(
    takes: TakeSet, splits: Sequence[Sequence[str]], voice: Path, out: Path, epochs: int
) -> np.ndarray:
    """Probabilities of each take from the network that never heard its speaker."""
    # Both sides are of one studio: other microphones are not what these figures ask for.
    off = {"channel_db": 0.0, "background": 0.0}
    plain = RECIPE.augmentation.model_copy(update=off)
    recipe = RECIPE.model_copy(update={"epochs": epochs, "ema": 0.98, "augmentation": plain})
    everyone = set(takes.speakers)
    place = {name: at for at, name in enumerate(takes.names)}
    probs = np.zeros((len(takes), len(takes.spec.labels)))
    for number, test_people in enumerate(splits):
        network = new_network(VARIANT, takes.spec, **SIZES)
        start_from(network, takes.spec.labels, voice)
        train = takes.of(everyone - set(test_people))
        result = fit(network, recipe, train, None, out=out / f"fold{number}")
        test = takes.of(test_people)
        p = predict_takes(result.network, test)
        probs[[place[name] for name in test.names]] = p
        print(f"{out.name} {number}: {(p.argmax(1) == test.labels).mean():.3f}", flush=True)
    return probs


def unheard(corpus: PreparedCorpus, voice: Path) -> dict[str, object]:
    """A pretrained voice on a corpus of which it heard nothing."""
    network, card = load_checkpoint(voice)
    takes = from_corpus(corpus.view(card.clip_spec), SPEECH, memory=True)
    takes = without(takes, "visual")
    takes = takes.at(np.flatnonzero(takes.labels < len(SEVEN)))
    return figures(takes, predict_takes(network, takes))


def figures(takes: TakeSet, probs: np.ndarray) -> dict[str, object]:
    found = intervals.intervals(probs, takes.labels, np.array(takes.speakers))
    return {name: interval.to_list() for name, interval in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ravdess", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    args = parser.parse_args()
    out: dict[str, object] = {"epochs": args.epochs}
    speech = german(args.work)
    takes = without(from_corpus(speech, tuple(EMODB.values()), memory=True), "visual")
    splits = [(speaker,) for speaker in sorted(set(takes.speakers))]
    voice = args.work / "voice_for_emodb" / "last"
    probs = answers(takes, splits, voice, args.work / "figures" / "emodb", args.epochs)
    out["emodb_loso"] = figures(takes, probs)
    folds = load_folds("ravdess_luna_5fold")
    takes = from_corpus(PreparedCorpus.open(args.ravdess), RAVDESS, memory=True)
    takes = without(takes, "visual")
    splits = [split.test for split in folds.splits]
    voice = args.work / "voice" / "last"
    probs = answers(takes, splits, voice, args.work / "figures" / "ravdess", args.epochs)
    out["ravdess_sound"] = figures(takes, probs)
    out["unheard"] = {
        "english": unheard(PreparedCorpus.open(args.ravdess), args.work / "voice" / "last"),
        "german": unheard(speech, args.work / "voice_for_emodb" / "last"),
    }
    path = args.work / "voice_figures.json"
    path.write_text(json.dumps(out, indent=1))
    print(path.read_text())


if __name__ == "__main__":
    torch.set_flush_denormal(True)
    torch_threads(1)
    main()
