"""A network's answers on samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from avtca.data.dataset import EmotionDataset
from avtca.data.windows import Batch, WindowDataset, evaluation_loader, mean_by_sample
from avtca.errors import ConfigError
from avtca.model.avtca import ModelOutput

Float = NDArray[np.float64]
LEAST = 1e-12
"""Probabilities of several networks' mean lie at least so far within 0..1."""


def resolve_device(wanted: str) -> str:
    """What "cpu", "cuda" or "auto" means here; the last is a graphics card where there is one.

    Raises :class:`ConfigError` for others, and for a card that is not there.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"use the device {wanted}", "unknown", "choose auto, cpu or cuda")
    there = wanted != "cpu" and torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise ConfigError("use the device cuda", "PyTorch finds none here", "choose cpu or auto")
    return "cuda" if there else "cpu"


def run_network(network: nn.Module, batch: Batch) -> ModelOutput:
    """The network's output on a batch."""
    output: ModelOutput = network(batch.video, batch.audio, batch.video_mask, batch.audio_mask)
    return output


@dataclass(frozen=True)
class WindowLogits:
    """Logits ``(windows, k)`` and the sample ``(windows,)`` each window is of, of ``n`` samples."""

    logits: Float
    sample: NDArray[np.int64]
    n: int
    binary: bool = False

    def probabilities(self, temperature: float = 1.0) -> Float:
        """Scores of samples ``(n, k)``: the mean of their windows' probabilities."""
        return mean_by_sample(self._of_windows(temperature), self.sample, self.n)

    def _of_windows(self, temperature: float = 1.0) -> Float:
        z = self.logits / temperature
        if self.binary:
            return np.asarray(1 / (1 + np.exp(-z)))
        e = np.exp(z - z.max(1, keepdims=True))
        return np.asarray(e / e.sum(1, keepdims=True))

    def at(self, rows: NDArray[np.int64]) -> "WindowLogits":
        """The windows of these samples alone, samples counted in the order given."""
        place = np.full(self.n, -1)
        place[rows] = np.arange(len(rows))
        sample = place[self.sample]
        return WindowLogits(self.logits[sample >= 0], sample[sample >= 0], len(rows), self.binary)

    @property
    def weights(self) -> Float:
        """``(windows,)``: one over the number of windows of the sample."""
        return np.asarray(1 / np.bincount(self.sample, minlength=self.n)[self.sample])


def ensemble(answers: Sequence[WindowLogits]) -> WindowLogits:
    """Several networks' answers on the same windows as those of one: their probabilities' mean."""
    first = answers[0]
    if len(answers) == 1:
        return first
    p = np.mean([one._of_windows() for one in answers], axis=0).clip(LEAST, 1 - LEAST)
    return replace(first, logits=np.log(p / (1 - p)) if first.binary else np.log(p))


@torch.no_grad()
def window_logits(
    network: nn.Module,
    samples: EmotionDataset,
    *,
    binary: bool = False,
    hop_s: float | None = None,
    data: WindowDataset | None = None,
) -> WindowLogits:
    """The network's logits on every window of the samples, in evaluation mode.

    ``data`` replaces the windows.
    """
    data = WindowDataset(samples, hop_s) if data is None else data
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device

    def answer(batch: Batch) -> Float:
        moved = Batch(*(part.to(device) for part in batch))
        return np.asarray(run_network(network, moved).logits.double().cpu())

    found = collect_logits(answer, data, len(samples), binary=binary)
    network.train(was_training)
    return found


def collect_logits(
    answer: Callable[[Batch], Float], data: WindowDataset, n: int, *, binary: bool = False
) -> WindowLogits:
    """What ``answer`` gives for the windows, ``(b, k)`` a batch, of ``n`` samples."""
    batches = [(answer(batch), batch.sample.numpy()) for batch in evaluation_loader(data)]
    logits, rows = (np.concatenate(part) for part in zip(*batches, strict=True))
    return WindowLogits(logits, rows, n, binary)


def predict_samples(
    network: nn.Module,
    samples: EmotionDataset,
    *,
    binary: bool = False,
    temperature: float = 1.0,
    hop_s: float | None = None,
) -> Float:
    """Probabilities ``(n, k)`` of samples: the mean over each sample's windows."""
    found = window_logits(network, samples, binary=binary, hop_s=hop_s)
    return found.probabilities(temperature)
