"""Batches of windows for evaluation and training.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio frames, ``f`` features.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from avtca.data.dataset import EmotionDataset
from avtca.preprocess import Window

Float = NDArray[np.float32]


class Batch(NamedTuple):
    """Windows with their targets.

    Attributes:
        video: ``(b, t_v, ...)``.
        video_mask: ``(b, t_v)``.
        audio: ``(b, f, t_a)``.
        audio_mask: ``(b, t_a)``.
        target: ``(b, n_labels)``.
        sample: Position in the data set of each window's sample, ``(b,)``.
    """

    video: Tensor
    video_mask: Tensor
    audio: Tensor
    audio_mask: Tensor
    target: Tensor
    sample: Tensor


class WindowDataset(Dataset[Any]):
    """All windows of each sample, in order.

    The score of a sample is the mean of its windows' probabilities: :func:`mean_by_sample`.
    """

    def __init__(self, dataset: EmotionDataset, hop_s: float | None = None) -> None:
        self.dataset = dataset
        self.rows = [
            (index, start)
            for index in range(len(dataset))
            for start in dataset.starts(index, hop_s)
        ]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitems__(self, keys: Sequence[int]) -> Batch:
        rows = [self.rows[key] for key in keys]
        windows = [self.dataset.window(*row) for row in rows]
        indices = np.array([index for index, _ in rows])
        return make_batch(windows, self.dataset.targets[indices], indices)


def make_batch(windows: Sequence[Window], targets: Float, indices: NDArray[np.int64]) -> Batch:
    """Windows stacked to tensors."""
    parts = [torch.from_numpy(np.stack(part)) for part in zip(*windows, strict=True)]
    video, video_mask, audio, audio_mask = parts
    rest = torch.from_numpy(targets), torch.from_numpy(indices)
    return Batch(video, video_mask, audio, audio_mask, *rest)


def identity(batch: Any) -> Any:
    """Collate function of data sets that make batches themselves."""
    return batch


def evaluation_loader(data: WindowDataset, batch: int = 64, workers: int = 0) -> DataLoader[Any]:
    """Batches of all windows in order."""
    return DataLoader(data, batch_size=batch, collate_fn=identity, num_workers=workers)


def mean_by_sample(
    scores: NDArray[np.floating[Any]], sample: NDArray[np.int64], n: int
) -> NDArray[np.float64]:
    """Mean over the windows of each sample.

    Args:
        scores: ``(windows, k)``.
        sample: Sample of each window, ``(windows,)``.
        n: Number of samples.

    Returns:
        ``(n, k)``; NaN for samples without a window.
    """
    total = np.zeros((n, scores.shape[1]), np.float64)
    np.add.at(total, sample, scores.astype(np.float64))
    count = np.bincount(sample, minlength=n)[:, None]
    with np.errstate(invalid="ignore"):
        return total / count
