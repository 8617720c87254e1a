"""Purpose: accuracy of the audio branch alone, on unseen speakers.

Cost: about an hour and a quarter on one core; half of it for each of two shells with `--only`.

    python experiments/default_model/voice.py ../shared/corpora WORK
    python experiments/default_model/voice.py ../shared/corpora WORK --for emodb
    python experiments/default_model/voice_figures.py PREPARED_RAVDESS WORK

RAVDESS, 8 emotions, Luna-Jimenez's five folds, from the audio branch pretrained on nEMO and EMO-DB;
EMO-DB, 7 emotions, leave one speaker out, from the branch pretrained on nEMO and RAVDESS. Video is
masked. Each network trains a fixed number of epochs on all speakers except the test speakers, and
no figure selects anything. As in the packaged model, three networks that differ only in the seed
form an ensemble; the figures of each are given too. Also measures the two pretrained branches
without further training on an unseen corpus: one on RAVDESS's English, the other on EMO-DB's German
(without boredom, which it was not trained on). Writes WORK/voice_figures.json, and the predictions
behind its first two parts to WORK/voice_predictions. Resumable.
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
from avtca.evaluation.predictions import Predictions
from avtca.labels import EMODB, RAVDESS, SEVEN
from avtca.model import load_checkpoint
from avtca.training.trainer import torch_threads


def answers(
    samples: EmotionDataset, splits: Sequence[Sequence[str]], voice: Path, out: Path, epochs: int
) -> list[np.ndarray]:
    """Per seed, probabilities of each sample from a network not trained on its speaker."""
    # Training and test data are from one studio, so microphones are not varied.
    recipe = RECIPE.model_copy(update={"epochs": epochs, "ema": 0.98, "augmentation": ONE_STUDIO})
    everyone = set(samples.speakers)
    place = {name: at for at, name in enumerate(samples.sample_ids)}
    probs = [np.zeros((len(samples), len(samples.spec.labels))) for _ in SEEDS]
    for number, test_speakers in enumerate(splits):
        test = samples.of_speakers(test_speakers)
        rows = [place[name] for name in test.sample_ids]
        people = sorted(everyone - set(test_speakers))
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


def of_seeds(samples: EmotionDataset, probs: list[np.ndarray], kept: Path) -> dict[str, object]:
    """Metrics of the ensemble of all seeds, and the accuracy of each seed; keeps predictions."""
    kept.mkdir(parents=True, exist_ok=True)
    for seed, one in zip(SEEDS, probs, strict=True):
        Predictions.of(samples, one).save(kept / f"seed{seed}.csv.gz", digits=4)
    each = [figures(samples, one)["accuracy"] for one in probs]
    return {**figures(samples, np.mean(probs, axis=0)), "each_seed": each}


def of_emodb(work: Path, epochs: int) -> dict[str, object]:
    samples = remove_modality(
        from_corpus(german(work), tuple(EMODB.values()), memory=True), "video"
    )
    splits = [(speaker,) for speaker in sorted(set(samples.speakers))]
    voice = work / "voice_for_emodb" / "last"
    found = answers(samples, splits, voice, work / "figures" / "emodb", epochs)
    return of_seeds(samples, found, work / "voice_predictions" / "emodb_loso")


def of_ravdess(work: Path, corpus: PreparedCorpus, epochs: int) -> dict[str, object]:
    samples = remove_modality(from_corpus(corpus, RAVDESS, memory=True), "video")
    splits = [split.test for split in load_folds("ravdess_luna_5fold").folds]
    voice = work / "voice" / "last"
    found = answers(samples, splits, voice, work / "figures" / "ravdess", epochs)
    return of_seeds(samples, found, work / "voice_predictions" / "ravdess_audio")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ravdess", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument(
        "--only", choices=["emodb", "ravdess"], help="train on this corpus only, write nothing"
    )
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
