"""Purpose: what attention between face and voice is worth, on tokens of a speech encoder.

    python experiments/attention/train.py TOKENS OUT [NETWORK ...]

Cost: three hours on one core. Start it twice for two cores: each fit is a file that one process
claims. It can be stopped at any time; fits that are there are skipped.

RAVDESS, eight emotions, the five folds of Luna-Jimenez et al., face sequences and audio tokens of
tokens.py (one in 160 ms, reduced to 128 principal components of the training speakers). All
networks have the same trunks (stride-1 pooling, time encoding) and the same tuning: two learning
rates, three numbers of epochs. For test fold k the setting comes from two fits that use neither
its speakers nor those that they are measured on: one without folds k and k + 1, measured on k + 1,
and one without k - 1 and k, measured on k - 1. The chosen setting is then trained on the four other
folds with five seeds, and the test speakers are predicted once, also with their audio late and
early.

Writes OUT/tuning/*.json (accuracy by epoch), OUT/final/*.npz (posteriors of test samples).
`table.py` makes the table.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokens import STRIDE
from torch import Tensor, nn
from torch.nn import functional as F

from avtca.corpora import load_folds
from avtca.data.augment import vary_posteriors
from avtca.files import write_atomic
from avtca.labels import RAVDESS, to_seven
from avtca.model.avtca import AVTCA, build_model

sys.path.append(str(Path(__file__).resolve().parents[1]))
from ravdess import claim

NETWORKS = (
    "audio_only",
    "concatenation",
    "figure",
    "mean_posterior",
    "ct4",
    "it4",
    "released",
    "experts",
    "experts_attention",
)
SEEDS = (0, 1, 2, 3, 4)
LEARNING_RATES = (1e-3, 3e-3)
EPOCHS = (8, 12, 16)
"""Numbers of epochs that may be chosen."""
EVERY = 2
"""Of the tokens of tokens.py, one in two is read: one in 160 ms."""
WINDOW_TOKENS = 181
"""Tokens of a window, as in recognition."""
COMPONENTS, WIDTH, DROPOUT = 128, 64, 0.2
BATCH, WEIGHT_DECAY, SMOOTHING, CLIP, AVERAGE = 64, 0.05, 0.1, 1.0, 0.98
STEP_DROPOUT = 0.1
AUXILIARY = {"experts": 1.0, "experts_attention": 1.0, "audio_only": 0.0}
"""Weight of the experts' own losses; 0.3 for the others, as in configs/recipes/features.yaml."""
PLAIN, TRAINED, SHIFTED = 0, (0, 1, 2), (4, 5, 6, 7)
"""Variants of tokens.py: as it is, those of the training, and those with shifted audio."""
N_FOLDS = 5


@dataclass(frozen=True)
class Recipe:
    """What paper.py does differently."""

    variants: tuple[int, ...] = TRAINED
    modality_dropout: float = 0.1
    """Probability that a sample loses its audio, and that it loses its video."""
    expression_bias: float = 0.0
    """See :func:`~avtca.data.augment.vary_posteriors`."""


@dataclass(frozen=True)
class Data:
    """Windows in memory.

    ``speakers`` and ``labels`` (of ``names``) are those of samples ``(n,)``. ``share (n,)`` is the
    probability that a sample takes part in an epoch.
    """

    names: tuple[str, ...]

    speakers: NDArray[np.str_]
    labels: NDArray[np.int64]
    sample: NDArray[np.int64]
    variant: NDArray[np.int64]
    audio: Tensor
    audio_mask: Tensor
    video: Tensor
    video_mask: Tensor
    share: NDArray[np.float64]

    @classmethod
    def load(cls, path: Path, names: tuple[str, ...] = RAVDESS, share: float = 1.0) -> "Data":
        """The file of tokens.py.

        A label that is not among the names counts as the nearest. Samples without one (boredom)
        take part in no epoch.
        """
        with np.load(path) as file:
            streams = {
                "audio": torch.from_numpy(file["audio"][..., ::EVERY]),
                "audio_mask": torch.from_numpy(file["audio_mask"][:, ::EVERY]),
                "video": torch.from_numpy(file["video"]),
                "video_mask": torch.from_numpy(file["video_mask"]),
            }
            nearest = [x if x in names else to_seven(x) for x in file["labels"]]
            labels = np.array([names.index(x) if x in names else -1 for x in nearest])
            speakers = np.array([f"{path.stem}/{name}" for name in file["speakers"]])
            rows = file["sample"].astype(np.int64), file["variant"]
            shares = np.where(labels < 0, 0.0, share)
            return cls(names, speakers, labels, *rows, **streams, share=shares)

    def windows(self, rows: NDArray[np.bool_], *variants: int) -> NDArray[np.int64]:
        """Positions of the windows of some samples ``(n,)`` bool, of these variants."""
        return np.flatnonzero(rows[self.sample] & np.isin(self.variant, variants))


class Network(nn.Module):
    """Principal components of the audio tokens, then a network of the package."""

    components: Tensor
    centre: Tensor

    def __init__(self, name: str, data: Data, train: NDArray[np.int64]) -> None:
        super().__init__()
        centre, components = principal_components(data, train)
        self.register_buffer("centre", centre)
        self.register_buffer("components", components)
        self.network: AVTCA = build_model(
            name,
            n_labels=len(data.names),
            video="features",
            video_dim=7,
            probabilities=7,
            audio_dim=COMPONENTS,
            speech=True,
            dropout=DROPOUT,
            video_widths=(WIDTH,) * 4,
            audio_widths=(WIDTH,) * 4,
            audio_stride=STRIDE * EVERY,
            audio_pool="slide",
            positions=True,
            n_segments=4 if name.startswith("experts") else 0,
        )

    def forward(self, audio: Tensor, audio_mask: Tensor, video: Tensor, video_mask: Tensor) -> Any:
        """The network's output; audio ``(b, 512, t_a)``, video ``(b, t_v, 7)``."""
        audio, audio_mask = self.read_audio(audio, audio_mask)
        return self.network(video.float(), audio, video_mask, audio_mask)

    def read_audio(self, audio: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Components of all tokens of a window, those that are not read zero and masked."""
        every = torch.zeros(len(audio), COMPONENTS, WINDOW_TOKENS)
        masks = torch.zeros(len(audio), WINDOW_TOKENS, dtype=torch.bool)
        every[..., :: STRIDE * EVERY] = self.components @ (audio.float() - self.centre[:, None])
        masks[:, :: STRIDE * EVERY] = mask
        return every, masks


def principal_components(data: Data, train: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Mean ``(512,)`` and scaled principal axes ``(components, 512)`` of the training tokens."""
    chosen = train[:: max(1, len(train) // 1000)]
    tokens = data.audio[chosen].float().transpose(1, 2)[data.audio_mask[chosen]].double()
    centre = tokens.mean(0)
    values, axes = torch.linalg.eigh(torch.cov((tokens - centre).T))
    values, axes = values[-COMPONENTS:].flip(0), axes[:, -COMPONENTS:].flip(1)
    return centre.float(), (axes / values.sqrt()).T.float()


def batches(
    data: Data, rows: NDArray[np.bool_], variants: Sequence[int], rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """One window of each sample that takes part, in random order."""
    if (data.share < 1).any():
        rows = rows & (rng.random(len(rows)) < data.share)
    windows = rng.permutation(data.windows(rows, *variants))
    _, first = np.unique(data.sample[windows], return_index=True)
    order = rng.permutation(windows[first])
    for at in range(0, len(order) - BATCH + 1, BATCH):
        yield order[at : at + BATCH]


def dropped(
    masks: tuple[Tensor, Tensor], rng: np.random.Generator, chance: float
) -> tuple[Tensor, Tensor]:
    """Masks ``(b, t)`` of audio and video without some video steps and whole modalities.

    A sample without video keeps its audio.
    """
    audio, video = masks
    video = video & torch.from_numpy(rng.random(video.shape) >= STEP_DROPOUT)
    if chance:
        lost = torch.from_numpy(rng.random((len(audio), 1)))
        audio = audio & ((lost >= chance) | ~video.any(dim=1, keepdim=True))
        video = video & ((lost < chance) | (lost >= 2 * chance))
    return audio, video


def fit(
    name: str,
    data: Data,
    rows: NDArray[np.bool_],
    learning_rate: float,
    seed: int,
    epochs: int,
    recipe: Recipe = Recipe(),
) -> Iterator[tuple[int, Network]]:
    """Train on samples ``rows (n,)`` bool; the network with averaged weights after each epoch."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Network(name, data, data.windows(rows, *recipe.variants))
    averaged = torch.optim.swa_utils.AveragedModel(
        network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(AVERAGE)
    )
    vectors = [p for p in network.parameters() if p.ndim < 2]
    matrices = [p for p in network.parameters() if p.ndim >= 2]
    groups = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, learning_rate, weight_decay=WEIGHT_DECAY, fused=True)
    weight, step = AUXILIARY.get(name, 0.3), 0
    warm = int(data.share[rows].sum()) // BATCH
    chance = 0.0 if name == "audio_only" else recipe.modality_dropout
    for epoch in range(1, epochs + 1):
        network.train()
        for chosen in batches(data, rows, recipe.variants, rng):
            step += 1
            for group in optimiser.param_groups:
                group["lr"] = learning_rate * min(1.0, step / warm)
            masks = data.audio_mask[chosen], data.video_mask[chosen]
            audio_mask, video_mask = dropped(masks, rng, chance)
            video = data.video[chosen]
            if recipe.expression_bias:
                values = video.float().numpy()
                varied = [vary_posteriors(v, rng, bias=recipe.expression_bias, n=7) for v in values]
                video = torch.from_numpy(np.stack(varied))
            out = network(data.audio[chosen], audio_mask, video, video_mask)
            truth = torch.from_numpy(data.labels[data.sample[chosen]])
            loss = F.cross_entropy(out.logits, truth, label_smoothing=SMOOTHING)
            for logits in out.expert_logits.values() if weight else ():
                loss = loss + weight * F.cross_entropy(logits, truth, label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP)
            optimiser.step()
            averaged.update_parameters(network)
        kept: Network = averaged.module
        kept.load_state_dict(dict(network.named_buffers()), strict=False)
        yield epoch, kept


@torch.inference_mode()
def posteriors(
    network: Network,
    data: Data,
    rows: NDArray[np.bool_],
    variant: int = PLAIN,
    *,
    hear: bool = True,
    see: bool = True,
    temperature: float = 1.0,
) -> NDArray[np.float32]:
    """Mean posteriors ``(n, k)`` over the windows of each sample; NaN for other samples."""
    network.eval()
    total = np.zeros((len(rows), len(data.names)))
    count = np.zeros(len(rows))
    windows = data.windows(rows, variant)
    for at in range(0, len(windows), 256):
        chosen = windows[at : at + 256]
        masks = data.audio_mask[chosen] & hear, data.video_mask[chosen] & see
        out = network(data.audio[chosen], masks[0], data.video[chosen], masks[1])
        found = (out.logits / temperature).softmax(1).numpy()
        np.add.at(total, data.sample[chosen], found)
        np.add.at(count, data.sample[chosen], 1)
    with np.errstate(invalid="ignore"):
        return (total / count[:, None]).astype(np.float32)


def correct(network: Network, data: Data, rows: NDArray[np.bool_]) -> int:
    """How many of the samples get their label."""
    found = posteriors(network, data, rows)[rows]
    return int((found.argmax(1) == data.labels[rows]).sum())


def fold_of(data: Data) -> NDArray[np.int64]:
    """The fold of which each sample is a test sample ``(n,)``; -1 for other corpora."""
    out = np.full(len(data.labels), -1)
    for k, fold in enumerate(load_folds("ravdess_luna_5fold").folds):
        out[np.isin(data.speakers, [f"ravdess/{name}" for name in fold.test])] = k
    return out


def tune(name: str, data: Data, folds: NDArray[np.int64], k: int, number: int) -> dict[str, Any]:
    """A fit without folds k and k + 1: how many of each it gets right after each epoch."""
    pair = k, (k + 1) % N_FOLDS
    right: dict[str, list[int]] = {str(one): [] for one in pair}
    for epoch, network in fit(
        name, data, ~np.isin(folds, pair), LEARNING_RATES[number], seed=100, epochs=EPOCHS[-1]
    ):
        if epoch in EPOCHS:
            for one in pair:
                right[str(one)].append(correct(network, data, folds == one))
    return {"right": right, "samples": {str(one): int((folds == one).sum()) for one in pair}}


def choose(tuned: Mapping[tuple[int, int], dict[str, Any]], k: int) -> tuple[int, int]:
    """Setting and epochs for test fold k, from fits that use none of its speakers.

    Args:
        tuned: (first left-out fold, setting) -> :func:`tune`.
        k: The test fold.
    """
    after, before = (k + 1) % N_FOLDS, (k - 1) % N_FOLDS
    scores = np.array(
        [
            np.add(
                tuned[k, number]["right"][str(after)], tuned[before, number]["right"][str(before)]
            )
            for number in range(len(LEARNING_RATES))
        ]
    )
    number, at = np.unravel_index(scores.argmax(), scores.shape)
    return int(number), EPOCHS[at]


def save(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write an NPZ file, moved into place when complete."""
    content = BytesIO()
    np.savez_compressed(content, **arrays)
    write_atomic(path, content.getvalue())


def claimed(path: Path) -> bool:
    """Whether this process may make the file: it is not there and no other process makes it."""
    return not path.exists() and claim(path.parent, path.with_suffix(".lock").name)


def run(name: str, data: Data, out: Path, seeds: Sequence[int]) -> None:
    """The fits of one network with some seeds that are not there."""
    folds = fold_of(data)
    tuning = {
        (k, number): out / "tuning" / f"{name}-{k}-{number}.json"
        for k in range(N_FOLDS)
        for number in range(len(LEARNING_RATES))
    }
    for (k, number), path in tuning.items():
        if claimed(path):
            write_atomic(path, json.dumps(tune(name, data, folds, k, number)).encode())
            path.with_suffix(".lock").unlink()
            print(path.name, flush=True)
    if not all(path.exists() for path in tuning.values()):
        return
    tuned = {key: json.loads(path.read_text()) for key, path in tuning.items()}
    for seed in seeds:
        for k in range(N_FOLDS):
            path = out / "final" / f"{name}-{seed}-{k}.npz"
            if not claimed(path):
                continue
            number, epochs = choose(tuned, k)
            *_, (_, network) = fit(name, data, folds != k, LEARNING_RATES[number], seed, epochs)
            test = folds == k
            found: dict[str, Any] = {
                f"variant{variant}": posteriors(network, data, test, variant)[test]
                for variant in (PLAIN, *SHIFTED)
            }
            found |= {"rows": np.flatnonzero(test), "setting": number, "epochs": epochs}
            save(path, found)
            path.with_suffix(".lock").unlink()
            print(path.name, LEARNING_RATES[number], epochs, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokens", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    data = Data.load(args.tokens / "ravdess.npz")
    for folder in ("tuning", "final"):
        (args.out / folder).mkdir(parents=True, exist_ok=True)
    for seeds in ((), SEEDS[:2], SEEDS[:3], SEEDS):  # all are tuned first, by all processes
        for name in args.networks:
            run(name, data, args.out, seeds)


if __name__ == "__main__":
    main()
