"""Logits and probabilities of a network on the samples of a data set.

Shape legend: ``b`` batch, ``k`` labels, ``n`` samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from avtca.data.dataset import EmotionDataset
from avtca.data.windows import Batch, WindowDataset, evaluation_loader, mean_by_sample
from avtca.errors import ConfigError
from avtca.model.avtca import ModelOutput
from avtca.model.config import Output
from avtca.runtime.scores import softmax

Float = NDArray[np.float64]
EPS = 1e-12
"""Averaged probabilities are kept within ``EPS .. 1 - EPS`` before logarithms are taken."""


class BatchModel(Protocol):
    """A model outside of PyTorch, for example an exported one."""

    def logits(self, batch: Batch) -> Float:
        """Logits ``(b, k)`` of a batch of windows."""


Network = nn.Module | BatchModel


def resolve_device(device: str) -> str:
    """The device of PyTorch for "cpu", "cuda" or "auto" (a graphics card where there is one).

    Raises:
        ConfigError: For other names, and for a card that PyTorch does not find.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"use the device {device}", "unknown", "choose auto, cpu or cuda")
    found = device != "cpu" and torch.cuda.is_available()
    if device == "cuda" and not found:
        raise ConfigError("use the device cuda", "PyTorch finds none here", "choose cpu or auto")
    return "cuda" if found else "cpu"


def run_network(network: nn.Module, batch: Batch) -> ModelOutput:
    """The network's output on a batch."""
    output: ModelOutput = network(batch.video, batch.audio, batch.video_mask, batch.audio_mask)
    return output


@dataclass(frozen=True)
class WindowLogits:
    """Logits of windows.

    Attributes:
        logits: ``(windows, k)``.
        sample: Index of the sample of each window, ``(windows,)``.
        n: Number of samples.
        output: What the logits stand for.
    """

    logits: Float
    sample: NDArray[np.int64]
    n: int
    output: Output = "softmax"

    def probabilities(self, temperature: float = 1.0) -> Float:
        """Probabilities of samples ``(n, k)``: the mean of their windows' probabilities.

        A network with linear output predicts values in place of probabilities.
        """
        return mean_by_sample(self.window_probabilities(temperature), self.sample, self.n)

    def window_probabilities(self, temperature: float = 1.0) -> Float:
        """Probabilities of windows ``(windows, k)``."""
        if self.output == "linear":
            return self.logits
        if self.output == "sigmoid":
            return np.asarray(1 / (1 + np.exp(-self.logits / temperature)))
        return softmax(self.logits, temperature)

    def at(self, rows: NDArray[np.int64]) -> "WindowLogits":
        """The windows of these samples alone, samples counted in the order given."""
        place = np.full(self.n, -1)
        place[rows] = np.arange(len(rows))
        sample = place[self.sample]
        return WindowLogits(self.logits[sample >= 0], sample[sample >= 0], len(rows), self.output)

    @property
    def weights(self) -> Float:
        """``(windows,)``: one over the number of windows of the sample."""
        return np.asarray(1 / np.bincount(self.sample, minlength=self.n)[self.sample])


def average_networks(logits: Sequence[WindowLogits]) -> WindowLogits:
    """The mean of several networks' probabilities on the same windows, as logits."""
    first = logits[0]
    if len(logits) == 1:
        return first
    p = np.mean([one.window_probabilities() for one in logits], axis=0)
    if first.output == "linear":
        return replace(first, logits=p)
    p = p.clip(EPS, 1 - EPS)
    return replace(first, logits=np.log(p / (1 - p)) if first.output == "sigmoid" else np.log(p))


@torch.no_grad()
def window_logits(
    network: Network,
    dataset: EmotionDataset,
    *,
    output: Output = "softmax",
    hop_s: float | None = None,
    data: WindowDataset | None = None,
) -> WindowLogits:
    """Logits of a network, in evaluation mode, on every window of the samples.

    Args:
        network: A module of PyTorch, or another model that maps batches to logits.
        dataset: The samples.
        output: What the logits stand for.
        hop_s: Seconds between windows.
        data: Windows to use in place of the data set's.
    """
    data = WindowDataset(dataset, hop_s) if data is None else data
    if not isinstance(network, nn.Module):
        return collect_logits(network.logits, data, len(dataset), output=output)
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device

    def logits(batch: Batch) -> Float:
        moved = Batch(*(part.to(device) for part in batch))
        return np.asarray(run_network(network, moved).logits.double().cpu())

    found = collect_logits(logits, data, len(dataset), output=output)
    network.train(was_training)
    return found


def collect_logits(
    logits: Callable[[Batch], Float], data: WindowDataset, n: int, *, output: Output = "softmax"
) -> WindowLogits:
    """The logits ``(b, k)`` that a function returns for all windows of ``n`` samples."""
    batches = [(logits(batch), batch.sample.numpy()) for batch in evaluation_loader(data)]
    values, rows = (np.concatenate(part) for part in zip(*batches, strict=True))
    return WindowLogits(values, rows, n, output)


def predict_samples(
    network: nn.Module,
    dataset: EmotionDataset,
    *,
    output: Output = "softmax",
    temperature: float = 1.0,
    hop_s: float | None = None,
) -> Float:
    """Probabilities ``(n, k)`` of samples: the mean over each sample's windows."""
    found = window_logits(network, dataset, output=output, hop_s=hop_s)
    return found.probabilities(temperature)
