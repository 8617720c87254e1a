"""Purpose: pretrain the audio branch of `experts` on German and Polish speech.

Cost: twenty to twenty-five minutes on one core.

    python experiments/default_model/voice.py ../shared/corpora WORK
    python experiments/default_model/voice.py ../shared/corpora WORK --for emodb

All clips of nEMO (Christop 2024; nine speakers, six emotions) and EMO-DB (Burkhardt 2005; ten
speakers, seven emotions); no speaker of RAVDESS is among them. The network is `experts` with the
video masked and without pitch: the whole audio branch is trained except the head on audio
statistics, which starts from random weights in each corpus. Writes WORK/voice/last.safetensors and
.json, for `model.init_from`. `--for emodb`, for tests on EMO-DB, uses RAVDESS's audio instead of
EMO-DB's and writes WORK/voice_for_emodb. `--standardise`, for networks of features normalised per
speaker, trains on such features and writes WORK/voice_standardised. Resumable.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from avtca.clipspec import ClipSpec
from avtca.corpora import PreparedCorpus, build_cache, index_corpus
from avtca.data.augment_config import Augmentation
from avtca.data.dataset import EmotionDataset, from_corpus
from avtca.data.normalise import speaker_normalise
from avtca.evaluation.degradations import remove_modality
from avtca.labels import SEVEN
from avtca.training.config import Optimiser, TrainConfig
from avtca.training.pretrained import init_weights
from avtca.training.trainer import fit, new_network, torch_threads

SPEECH = (*SEVEN, "boredom")
"""Labels of both corpora together."""
CORPORA = {"ravdess": ("nemo", "emodb"), "emodb": ("nemo", "ravdess")}
"""Corpus of later use -> corpora of the pretraining."""
SPEC = Path(__file__).with_name("clipspec.json")
BANDS = {"audio": "logmel", "audio_dim": 64, "n_fft": 1024, "hop": 640, "high_pass": False}
"""Audio input of the convolutions: without pitch, every second frame."""
RECIPE = TrainConfig(
    epochs=40,
    batch_size=32,
    label_smoothing=0.1,
    auxiliary_weight=1.0,
    ema=0.99,
    metric="none",
    augmentation=Augmentation(
        crop=True,
        crop_slack_s=0.3,
        speed=0.15,
        channel_db=4.0,
        background=0.5,
        mixup=0.2,
    ),
    optimiser=Optimiser(learning_rate=2e-3, weight_decay=0.05, warmup_epochs=1, clip_norm=1.0),
)


ONE_STUDIO = RECIPE.augmentation.model_copy(update={"channel_db": 0.0, "background": 0.0})
"""Augmentation without channel variation and backgrounds."""


def speech_samples(shared: Path, work: Path, names: Sequence[str]) -> EmotionDataset:
    """Samples of several speech corpora as one data set; missing caches are built."""
    spec = ClipSpec(**{**json.loads(SPEC.read_text()), **BANDS, "labels": ()})
    sets = []
    for name in names:
        out = work / "prepared" / name
        build_cache(index_corpus(name, shared / name, spec), out, spec)
        samples = from_corpus(PreparedCorpus.open(out), SPEECH, memory=True)
        sets.append(remove_modality(samples, "video"))
    return joined(sets)


def joined(sets: list[EmotionDataset]) -> EmotionDataset:
    """Samples of several data sets with the same spec; speakers of different corpora differ."""
    first = sets[0]
    for other in sets[1:]:
        first.spec.require(other.spec, action="join samples")
    return EmotionDataset(
        first.spec,
        [name for one in sets for name in one.sample_ids],
        [f"{n}/{speaker}" for n, one in enumerate(sets) for speaker in one.speakers],
        [seconds for one in sets for seconds in one.durations],
        np.concatenate([one.targets for one in sets]),
        [one.samples[row] for one in sets for row in range(len(one))],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--for", dest="use", choices=list(CORPORA), default="ravdess")
    parser.add_argument("--standardise", action="store_true")
    parser.add_argument("--sizes", type=json.loads, default={})
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, help="initial weights, from self_supervised.py")
    args = parser.parse_args()
    torch_threads(1)
    corpora = CORPORA[args.use]
    samples = speech_samples(args.shared, args.work, corpora)
    sizes = {"dropout": 0.2, "probabilities": samples.spec.video_dim}
    if args.standardise:
        samples, sizes = speaker_normalise(samples), {"dropout": 0.2, "audio_norm": "none"}
    sizes |= args.sizes
    network = new_network("experts", samples.spec, seed=args.seed, **sizes)
    if args.start is not None:
        init_weights(network, SPEECH, args.start)
    changes: dict[str, object] = {"epochs": args.epochs, "seed": args.seed}
    if args.standardise:  # the bands are no longer in dB
        changes["augmentation"] = ONE_STUDIO
    recipe = RECIPE.model_copy(update=changes)
    name = "voice" if args.use == "ravdess" else f"voice_for_{args.use}"
    out = args.work / (f"{name}_standardised" if args.standardise else name)
    result = fit(
        network,
        recipe,
        samples,
        out=out,
        provenance={"corpora": list(corpora)},
    )
    print(f"{len(samples)} clips, last training loss {result.history[-1]['train_loss']:.3f}: {out}")


if __name__ == "__main__":
    main()
