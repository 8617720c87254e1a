"""Linear heads of the packaged model: their data, their fit, and the product of their posteriors.

Imported by heads.py and package.py. Shape legend: ``n`` samples, ``w`` windows, ``f`` features,
``k`` labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from predictions import indices
from torch.nn import functional as F

from avtca.data.augment import vary_posteriors
from avtca.data.dataset import EmotionDataset
from avtca.model.video_statistics import VideoStatisticsHead

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
N_SEGMENTS = 4
BIASES = (0.0, 0.25, 0.5)
"""Shift of the logarithms of expression posteriors in each copy of a training window: networks and
faces differ in their resting expression."""
ITERATIONS = 60


@dataclass(frozen=True)
class Table:
    """Features of the windows of samples.

    Attributes:
        sample_ids: ``(n,)``.
        speakers: ``(n,)``, with the corpus in front: "ravdess/01".
        labels: True labels as names ``(n,)``.
        sample: Index of each window's sample ``(w,)``.
        start: First video step of each window ``(w,)``.
        variant: 0 for a window as in recognition, more for an augmented one ``(w,)``.
        features: ``(w, f)``.
    """

    sample_ids: NDArray[np.str_]
    speakers: NDArray[np.str_]
    labels: NDArray[np.str_]
    sample: Ints
    start: Ints
    variant: Ints
    features: Floats

    def windows(self, rows: NDArray[np.bool_], *variants: int) -> "Table":
        """The windows of some of the samples, of these variants (all by default)."""
        chosen = rows[self.sample]
        if variants:
            chosen &= np.isin(self.variant, variants)
        parts = {name: getattr(self, name)[chosen] for name in ("sample", "start", "variant")}
        return replace(self, **parts, features=self.features[chosen])

    def of_speakers(self, speakers: Sequence[str]) -> NDArray[np.bool_]:
        """Which samples are of these speakers ``(n,)``."""
        return np.isin(self.speakers, list(speakers))


def audio_table(path: Path) -> Table:
    """What speech_windows.py wrote."""
    with np.load(path) as file:
        speakers = np.array([f"{path.stem}/{name}" for name in file["speakers"]])
        numbers = [file[name].astype(np.int64) for name in ("sample", "start", "variant")]
        return Table(file["sample_ids"], speakers, file["labels"], *numbers, file["statistics"])


def joined(tables: Sequence[Table]) -> Table:
    """Samples of several corpora as one table."""
    first = np.cumsum([0, *(len(table.sample_ids) for table in tables)])
    columns = ("sample_ids", "speakers", "labels", "start", "variant", "features")
    parts = {name: np.concatenate([getattr(table, name) for table in tables]) for name in columns}
    samples = [table.sample + at for table, at in zip(tables, first, strict=False)]
    return Table(sample=np.concatenate(samples), **parts)


def face_statistics(video: Floats, mask: NDArray[np.bool_]) -> Floats:
    """What :class:`VideoStatisticsHead` reads of posteriors ``(w, t, 7)``: ``(w, f)``."""
    head = VideoStatisticsHead(video.shape[2], 1, n_segments=N_SEGMENTS, probabilities=7)
    masked = torch.from_numpy(np.where(mask[..., None], video, 0).astype(np.float32))
    return head.statistics(masked, torch.from_numpy(mask)).numpy()


def face_table(data: EmotionDataset, corpus: str = "ravdess") -> Table:
    """Face statistics of the windows with a face, each as it is and with shifted posteriors."""
    rows, starts, video, masks = [], [], [], []
    for row in range(len(data)):
        for start in data.starts(row):
            values, mask = data.cut_video(row, data.samples[row], start)
            if mask.any():
                rows.append(row)
                starts.append(start)
                video.append(values)
                masks.append(mask)
    rng = np.random.default_rng(0)
    found = []
    for bias in BIASES:
        values = [vary_posteriors(v, rng, bias=bias, n=7) if bias else v for v in video]
        found.append(face_statistics(np.stack(values), np.stack(masks)))
    copies = len(BIASES)
    return Table(
        np.array(data.sample_ids),
        np.array([f"{corpus}/{name}" for name in data.speakers]),
        np.array([data.spec.labels[at] for at in data.labels]),
        np.tile(rows, copies),
        np.tile(starts, copies),
        np.repeat(np.arange(copies), len(rows)),
        np.concatenate(found),
    )


@dataclass(frozen=True)
class Linear:
    """Multinomial logistic regression on standardised features."""

    mean: Floats
    scale: Floats
    weight: Floats
    """``(f, k)``."""
    bias: Floats

    def log_posteriors(self, features: Floats) -> Floats:
        """``(w, f) -> (w, k)``."""
        logits = (features - self.mean) / self.scale @ self.weight + self.bias
        return F.log_softmax(torch.from_numpy(logits.astype(np.float32)), dim=1).numpy()


def fit_linear(
    table: Table, labels: Sequence[str], shares: Mapping[str, float], l2: float
) -> Linear:
    """Fit by L-BFGS on all windows of a table whose label is among ``labels``.

    Args:
        table: Training windows.
        labels: Labels of the head.
        shares: Corpus -> its total weight. In a corpus all samples weigh the same.
        l2: Weight of half the squared norm, against a mean cross entropy.
    """
    y = indices(table.labels, labels)[table.sample]
    counts = np.bincount(table.sample, minlength=len(table.sample_ids))
    weights = 1 / np.maximum(1, counts[table.sample]) * (y >= 0)
    corpora = np.array([name.partition("/")[0] for name in table.speakers])[table.sample]
    for name in np.unique(corpora):
        rows = corpora == name
        weights[rows] *= shares[name] / max(1e-9, weights[rows].sum())
    used = weights > 0
    x, y, weights = table.features[used], y[used], weights[used] / weights[used].sum()
    mean = (weights @ x).astype(np.float32)
    scale = (np.sqrt(weights @ np.square(x - mean)) + 1e-6).astype(np.float32)
    inputs, targets = torch.from_numpy((x - mean) / scale).float(), torch.from_numpy(y)
    importance = torch.from_numpy(weights).float()
    weight = torch.zeros(x.shape[1], len(labels), requires_grad=True)
    bias = torch.zeros(len(labels), requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weight, bias], max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        entropy = F.cross_entropy(inputs @ weight + bias, targets, reduction="none")
        out = importance @ entropy + l2 / 2 * weight.square().sum()
        out.backward()
        return out

    optimiser.step(loss)
    return Linear(mean, scale, weight.detach().numpy(), bias.detach().numpy())


def sample_posteriors(logits: torch.Tensor, sample: Ints, n: int) -> torch.Tensor:
    """Mean over the windows of each sample of ``softmax(logits (w, k))``: ``(n, k)``."""
    index = torch.from_numpy(sample)
    total = torch.zeros(n, logits.shape[1]).index_add(0, index, logits.softmax(dim=1))
    counts = torch.bincount(index, minlength=n).clamp(min=1)
    return total / counts[:, None]


def pool(
    heads: Sequence[Floats], exponents: Sequence[float], sample: Ints, n: int, sums: Floats
) -> NDArray[np.float64]:
    """Posteriors ``(n, labels)`` of the product of heads' posteriors ``(w, k)``.

    Args:
        heads: Log-posteriors of each head.
        exponents: Of each head; a single one is an inverse temperature.
        sample: Sample of each window.
        n: Number of samples.
        sums: ``(k, labels)``, 1 where a label of the heads counts as one of the result.
    """
    logits = sum(e * torch.from_numpy(h) for e, h in zip(exponents, heads, strict=True))
    assert isinstance(logits, torch.Tensor)
    return (sample_posteriors(logits, sample, n).numpy() @ sums).astype(np.float64)


def fit_exponents(
    heads: Sequence[Floats], sample: Ints, labels: Ints, sums: Floats
) -> tuple[list[float], float]:
    """Exponents of maximum likelihood of the samples, and their mean negative log-likelihood.

    ``labels (n,)`` are -1 for samples to leave out.
    """
    parts = [torch.from_numpy(head) for head in heads]
    logs = torch.zeros(len(parts), requires_grad=True)
    rows = torch.from_numpy(np.flatnonzero((labels >= 0) & np.isin(range(len(labels)), sample)))
    targets, summed = torch.from_numpy(labels)[rows], torch.from_numpy(sums)
    optimiser = torch.optim.LBFGS([logs], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = sum(e * part for e, part in zip(logs.exp(), parts, strict=True))
        assert isinstance(logits, torch.Tensor)
        p = (sample_posteriors(logits, sample, len(labels)) @ summed)[rows]
        out = F.nll_loss(p.clamp(min=1e-9).log(), targets)
        out.backward()
        return out

    optimiser.step(loss)
    return logs.detach().exp().tolist(), float(loss().detach())
