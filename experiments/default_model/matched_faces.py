"""Purpose: trial of training the fusion network on sequences made from FERPlus images too, so that
it adapts better from the published face network to ours.

Cost: five minutes for the first network on one core, up to ten for one trained on images; two
networks a fold.

    python experiments/default_model/matched_faces.py PREPARED_RAVDESS WORK/voice ../shared OUT

Trains the network of fusion.py, one seed, on a fold's training speakers: unchanged, and with a copy
of every sample and half as many epochs. The copy has the sample's audio and, in place of its face,
the packaged face network's outputs for three images of the same emotion (calm: neutral) from
FERPlus's validation set, interpolated over time. Their logits are scaled to the mean and deviation
of the published ones over the training speakers' frames. Prints the accuracy (both / face / audio)
on the fold's validation speakers with published sequences, and with sequences of held-out images.
Does not use test speakers. With `--packaged` it trains on all speakers but actor 01, and measures
his published sequences and, as package.py does, his images (both / face).
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from face_training import load_ferplus
from fold_predictions import INPUTS
from fusion import HELD_OUT, RECIPE, at_use, train
from numpy.typing import NDArray
from package import Sample, fit_bridge, label_of, names, read_samples
from packaged_face import packaged_face

from avtca.clipspec import MIN_PROB, ClipSpec
from avtca.corpora import PreparedCorpus, load_folds
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.evaluation.degradations import remove_modality
from avtca.evaluation.inference import predict_samples
from avtca.labels import FER2013, FERPLUS, RAVDESS, SEVEN, order_map
from avtca.model.ensemble import Ensemble
from avtca.training.trainer import torch_threads

PICTURES = 3
"""Images in a sequence."""
EPOCHS = 24
WEIGHTS = Path(__file__).parents[2] / "src" / "avtca" / "weights"
Float = NDArray[np.float32]
Faces = dict[str, Float]
"""FERPlus label -> centred logits of its images, ``(n, 7)`` in the order of FER2013."""


def seen_faces(ferplus: Path) -> tuple[Faces, Faces]:
    """Logits of two halves of the validation images from the packaged face network."""
    network, _ = packaged_face(WEIGHTS)
    _, stills, _ = load_ferplus(ferplus)
    crops = torch.from_numpy(stills.images)[:, None].float() / 255
    with torch.no_grad():
        logits = torch.cat([network(part) for part in crops.split(256)])
    seven = logits[:, order_map(FERPLUS, FER2013)]
    centred = (seven - seven.mean(1, keepdim=True)).numpy()
    by_label = {
        name: centred[stills.majority == at] for at, name in enumerate(FERPLUS) if name in SEVEN
    }
    return (
        {name: rows[0::2] for name, rows in by_label.items()},
        {name: rows[1::2] for name, rows in by_label.items()},
    )


def moments(rows: Float) -> tuple[Float, Float]:
    return rows.mean(0), rows.std(0)


def made_of(
    samples: EmotionDataset, faces: Faces, like: tuple[Float, Float], seed: int
) -> EmotionDataset:
    """The samples with sequences made from images in place of faces, at the same steps."""
    rng = np.random.default_rng(seed)
    labels = ["neutral" if name == "calm" else name for name in samples.spec.labels]
    sequences = []
    for raw, label in zip(samples.samples, samples.labels, strict=True):
        rows = faces[labels[label]]
        drawn = rows[rng.integers(0, len(rows), PICTURES)]
        place = np.linspace(0, PICTURES - 1, len(raw.steps))
        columns = [np.interp(place, np.arange(PICTURES), column) for column in drawn.T]
        sequences.append(np.stack(columns, axis=1))
    mean, deviation = moments(np.concatenate(sequences))
    raws = []
    for raw, sequence in zip(samples.samples, sequences, strict=True):
        logits = torch.from_numpy((sequence - mean) / deviation * like[1] + like[0])
        raws.append(replace(raw, video=torch.softmax(logits, 1).float().numpy()))
    return replace(samples, samples=raws)


def published_moments(samples: EmotionDataset) -> tuple[Float, Float]:
    """Mean and deviation of the centred logarithms of all frames."""
    logs = np.log(np.maximum(np.concatenate([raw.video for raw in samples.samples]), MIN_PROB))
    return moments(logs - logs.mean(1, keepdims=True))


def twice(samples: EmotionDataset, copy: EmotionDataset) -> EmotionDataset:
    """Samples and copies together; copies get other names, because windows are cached by name."""
    return replace(
        samples,
        sample_ids=[*samples.sample_ids, *(f"{name} pictures" for name in samples.sample_ids)],
        speakers=[*samples.speakers, *copy.speakers],
        durations=[*samples.durations, *copy.durations],
        targets=np.concatenate([samples.targets, copy.targets]),
        samples=[*samples.samples, *copy.samples],
        metadata={},
    )


def accuracies(network: torch.nn.Module, samples: EmotionDataset) -> list[float]:
    """Accuracy in %: both, face, audio."""
    found = (predict_samples(network, remove_modality(samples, away)) for away in INPUTS.values())
    return [100 * float((probs.argmax(1) == samples.labels).mean()) for probs in found]


def joined(percent: Iterable[float]) -> str:
    return " / ".join(f"{value:.1f}" for value in percent)


def of_pictures(network: Ensemble, known: dict[str, Sample], spec: ClipSpec) -> str:
    """Correct predictions on actor 01's images, aligned on one half and tested on the other."""
    halves = [sorted(known)[0::2], sorted(known)[1::2]]
    right = {"both": 0, "face": 0}
    for fit_on, test_on in (halves, halves[::-1]):
        bridge = fit_bridge(
            [known[sample] for sample in fit_on], "moments", torch.zeros(len(FER2013))
        )
        for way in right:
            named = [names(network, spec, known[sample], bridge, way) for sample in test_on]
            right[way] += sum(a == label_of(b) for a, b in zip(named, test_on, strict=True))
    return f"{right['both']} / {right['face']} of {len(known)}"


def compare(
    learned: EmotionDataset,
    tests: dict[str, EmotionDataset],
    copy: EmotionDataset,
    voice: Path,
    out: Path,
) -> dict[str, Ensemble]:
    """Train both ways and print the accuracy on every test set."""
    networks = {}
    ways = {"as it is": (learned, EPOCHS), "pictures": (twice(learned, copy), EPOCHS // 2)}
    for way, (samples, epochs) in ways.items():
        recipe = RECIPE.model_copy(update={"epochs": epochs})
        people, folder = sorted(set(samples.speakers)), out / way.replace(" ", "_")
        network = at_use(train(samples, people, voice / "last", folder, recipe, seeds=(0,)))
        networks[way] = network
        for name, test in tests.items():
            print(f"{out.name}, {way}: {name} {joined(accuracies(network, test))}", flush=True)
    return networks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("prepared", "voice", "shared", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--folds", nargs="*", type=int, default=[0, 1])
    parser.add_argument(
        "--packaged", action="store_true", help="also train on all speakers but actor 01"
    )
    args = parser.parse_args()
    torch_threads(1)
    corpus = PreparedCorpus.open(args.prepared)
    eight, seven = (from_corpus(corpus, labels, memory=True) for labels in (RAVDESS, SEVEN))
    shown, kept_back = seen_faces(args.shared / "corpora" / "ferplus" / "ferplus.npz")
    for fold in args.folds:
        split = load_folds("ravdess_luna_5fold").folds[fold]
        learned, validation = eight.of_speakers(split.train), seven.of_speakers(split.validation)
        like = published_moments(learned)
        tests = {
            "published sequences": validation,
            "pictures": made_of(validation, kept_back, like, 1),
        }
        copy = made_of(learned, shown, like, 0)
        compare(learned, tests, copy, args.voice, args.out / f"fold{fold}")
    if args.packaged:
        learned = eight.of_speakers(sorted(set(eight.speakers) - {HELD_OUT}))
        copy = made_of(learned, shown, published_moments(learned), 0)
        held = {"actor 01, published sequences": seven.of_speakers({HELD_OUT})}
        networks = compare(learned, held, copy, args.voice, args.out / "packaged")
        face, _ = packaged_face(WEIGHTS)
        known = read_samples(face, args.shared / "corpora" / "ravdess", seven.spec)
        for way, network in networks.items():
            print(f"packaged, {way}: actor 01, pictures {of_pictures(network, known, seven.spec)}")


if __name__ == "__main__":
    torch.set_flush_denormal(True)
    main()
