"""Purpose: what the audio branch is worth alone, on people it never heard.

Cost: about an hour and a quarter on one core; half of it for each of two shells with `--only`.

    python experiments/default_model/voice.py ../shared/corpora WORK
    python experiments/default_model/voice.py ../shared/corpora WORK --for emodb
    python experiments/default_model/voice_figures.py PREPARED_RAVDESS WORK

RAVDESS, 8 emotions, Luna-Jimenez's five folds, from the voice pretrained on nEMO and EMO-DB;
EMO-DB, 7 emotions, each speaker left out in turn, from the voice pretrained on nEMO and RAVDESS.
Faces are taken out of the samples. A fixed number of epochs on all people but the test people;
nothing is chosen by anybody's figures. As in the packaged model three networks, which differ in the
seed alone, answer as one; each one's figures stand beside. And what a voice is worth in a language
and a studio that it never heard: the two pretrained voices as they are, the one on RAVDESS's
English, the other on EMO-DB's German (without boredom, which nobody told it). Writes
WORK/voice_figures.json. Resumable.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from fusion import SEEDS, train
from voice import ONE_STUDIO, RECIPE, SPEECH, german

from avtca.corpora import PreparedCorpus, load_folds
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.evaluation import bootstrap as intervals
from avtca.evaluation.degradations import remove_modality
from avtca.evaluation.inference import predict_samples
from avtca.labels import EMODB, RAVDESS, SEVEN
from avtca.model import load_checkpoint
from avtca.training.trainer import torch_threads


def answers(
    samples: EmotionDataset, splits: Sequence[Sequence[str]], voice: Path, out: Path, epochs: int
) -> list[np.ndarray]:
    """For each seed, probabilities of each sample from the network that never heard its speaker."""
    # Both sides are of one studio: other microphones are not what these figures ask for.
    recipe = RECIPE.model_copy(update={"epochs": epochs, "ema": 0.98, "augmentation": ONE_STUDIO})
    everyone = set(samples.speakers)
    place = {name: at for at, name in enumerate(samples.sample_ids)}
    probs = [np.zeros((len(samples), len(samples.spec.labels))) for _ in SEEDS]
    for number, test_people in enumerate(splits):
        test = samples.of_speakers(test_people)
        rows = [place[name] for name in test.sample_ids]
        people = sorted(everyone - set(test_people))
        networks = train(samples, people, voice, out / f"fold{number}", recipe)
        for found, network in zip(probs, networks, strict=True):
            found[rows] = predict_samples(network, test)
        shown = [round(float((p[rows].argmax(1) == test.labels).mean()), 3) for p in probs]
        print(f"{out.name} {number}: {shown}", flush=True)
    return probs


def unheard(corpus: PreparedCorpus, voice: Path) -> dict[str, object]:
    """A pretrained voice on a corpus of which it heard nothing."""
    network, card = load_checkpoint(voice)
    samples = from_corpus(corpus.view(card.clip_spec), SPEECH, memory=True)
    samples = remove_modality(samples, "video")
    samples = samples.subset(np.flatnonzero(samples.labels < len(SEVEN)))
    return figures(samples, predict_samples(network, samples))


def figures(samples: EmotionDataset, probs: np.ndarray) -> dict[str, object]:
    found = intervals.intervals(probs, samples.labels, np.array(samples.speakers))
    return {name: interval.to_list() for name, interval in found.items()}


def of_seeds(samples: EmotionDataset, probs: list[np.ndarray]) -> dict[str, object]:
    """Of the mean of all seeds' probabilities, and each seed's accuracy."""
    each = [figures(samples, one)["accuracy"] for one in probs]
    return {**figures(samples, np.mean(probs, axis=0)), "each_seed": each}


def of_emodb(work: Path, epochs: int) -> dict[str, object]:
    samples = remove_modality(
        from_corpus(german(work), tuple(EMODB.values()), memory=True), "video"
    )
    splits = [(speaker,) for speaker in sorted(set(samples.speakers))]
    voice = work / "voice_for_emodb" / "last"
    return of_seeds(samples, answers(samples, splits, voice, work / "figures" / "emodb", epochs))


def of_ravdess(work: Path, corpus: PreparedCorpus, epochs: int) -> dict[str, object]:
    samples = remove_modality(from_corpus(corpus, RAVDESS, memory=True), "video")
    splits = [split.test for split in load_folds("ravdess_luna_5fold").folds]
    voice = work / "voice" / "last"
    return of_seeds(samples, answers(samples, splits, voice, work / "figures" / "ravdess", epochs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ravdess", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--only", choices=["emodb", "ravdess"], help="train these, write nothing")
    args = parser.parse_args()
    work, corpus = args.work, PreparedCorpus.open(args.ravdess)
    out: dict[str, object] = {"epochs": args.epochs}
    if args.only != "ravdess":
        out["emodb_loso"] = of_emodb(work, args.epochs)
    if args.only != "emodb":
        out["ravdess_audio"] = of_ravdess(work, corpus, args.epochs)
    if args.only:
        print(json.dumps(out))
        return
    out["unheard"] = {
        "english": unheard(corpus, work / "voice" / "last"),
        "german": unheard(german(work), work / "voice_for_emodb" / "last"),
    }
    path = work / "voice_figures.json"
    path.write_text(json.dumps(out, indent=1))
    print(path.read_text())


if __name__ == "__main__":
    torch.set_flush_denormal(True)
    torch_threads(1)
    main()
