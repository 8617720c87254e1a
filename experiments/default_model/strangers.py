"""Purpose: choose the weight of the audio experts for audio of an unseen corpus.

Cost: about ten minutes a fold on one core.

    python experiments/default_model/voice.py ../shared/corpora WORK --for emodb
    python experiments/default_model/strangers.py PREPARED_RAVDESS WORK [--folds 0 1]

Trains the networks of fusion.py on a fold's training speakers, from an audio branch pretrained on
nEMO and RAVDESS. Measures them on the fold's validation speakers, and on the same faces, each with
EMO-DB audio of the same emotion in place of its own (EMO-DB has no surprise). Prints accuracy and
mean negative log-likelihood for each weight of the audio experts. Does not use test speakers.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from fold_predictions import INPUTS
from fusion import RECIPE, at_use, train
from voice import german

from avtca.corpora import PreparedCorpus, load_folds
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.evaluation.degradations import remove_modality
from avtca.evaluation.inference import predict_samples
from avtca.labels import RAVDESS, SEVEN
from avtca.training.trainer import torch_threads

AUDIO_WEIGHTS = (1.0, 0.75, 0.5, 0.25)


def with_voices(faces: EmotionDataset, voices: EmotionDataset, seed: int) -> EmotionDataset:
    """Samples with audio of other samples of the same label; those without a match are left out."""
    rng, rows, raws, seconds = np.random.default_rng(seed), [], [], []
    for row, label in enumerate(faces.labels):
        fitting = np.flatnonzero(voices.labels == label)
        if len(fitting):
            other = int(rng.choice(fitting))
            rows.append(row)
            seconds.append(max(faces.durations[row], voices.durations[other]))
            wave = voices.samples[other].wave
            raws.append(replace(faces.samples[row], wave=wave, duration_s=seconds[-1]))
    return replace(faces.subset(rows), samples=raws, durations=seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("prepared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--folds", nargs="+", type=int, default=[0, 1])
    args = parser.parse_args()
    torch_threads(1)
    corpus = PreparedCorpus.open(args.prepared)
    learned, samples = from_corpus(corpus, RAVDESS), from_corpus(corpus, SEVEN)
    voices = from_corpus(german(args.work), SEVEN, memory=True)
    recipe = RECIPE.model_copy(update={"epochs": 24})
    for fold in args.folds:
        split = load_folds("ravdess_luna_5fold").folds[fold]
        out = args.work / "strangers" / f"fold{fold}"
        voice = args.work / "voice_for_emodb" / "last"
        networks = train(learned, split.train, voice, out, recipe)
        own = samples.of_speakers(split.validation)
        tests = {"own": own, "unseen corpus": with_voices(own, voices, fold)}
        for weight in AUDIO_WEIGHTS:
            used, line = at_use(networks, weight), []
            for name, kind in tests.items():
                for way in ("both", "face") if weight == 1 else ("both",):
                    p = predict_samples(used, remove_modality(kind, INPUTS[way]))
                    right, likely = p.argmax(1) == kind.labels, p[np.arange(len(p)), kind.labels]
                    nll = -np.log(likely.clip(1e-9)).mean()
                    line.append(f"{name}, {way} {100 * right.mean():.1f} ({nll:.3f})")
            print(f"fold {fold}, audio weight {weight}:", "; ".join(line), flush=True)


if __name__ == "__main__":
    main()
