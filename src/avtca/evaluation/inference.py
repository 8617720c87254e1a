"""A network's answers on takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from avtca.data.dataset import TakeSet
from avtca.data.windows import Batch, EvaluationData, evaluation_loader, mean_by_take
from avtca.errors import ConfigError
from avtca.model.avtca import ModelOutput

Float = NDArray[np.float64]
LEAST = 1e-12
"""Probabilities of several networks' mean lie at least so far within 0..1."""


def chosen_device(wanted: str) -> str:
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
    output: ModelOutput = network(batch.visual, batch.sound, batch.visual_mask, batch.sound_mask)
    return output


@dataclass(frozen=True)
class WindowLogits:
    """Logits ``(windows, k)`` and the take ``(windows,)`` each window is of, of ``n`` takes."""

    logits: Float
    take: NDArray[np.int64]
    n: int
    binary: bool = False

    def probabilities(self, temperature: float = 1.0) -> Float:
        """Scores of takes ``(n, k)``: the mean of their windows' probabilities."""
        return mean_by_take(self._of_windows(temperature), self.take, self.n)

    def _of_windows(self, temperature: float = 1.0) -> Float:
        z = self.logits / temperature
        if self.binary:
            return np.asarray(1 / (1 + np.exp(-z)))
        e = np.exp(z - z.max(1, keepdims=True))
        return np.asarray(e / e.sum(1, keepdims=True))

    def at(self, rows: NDArray[np.int64]) -> "WindowLogits":
        """The windows of these takes alone, takes counted in the order given."""
        place = np.full(self.n, -1)
        place[rows] = np.arange(len(rows))
        take = place[self.take]
        return WindowLogits(self.logits[take >= 0], take[take >= 0], len(rows), self.binary)

    @property
    def weights(self) -> Float:
        """``(windows,)``: one over the number of windows of the take."""
        return np.asarray(1 / np.bincount(self.take, minlength=self.n)[self.take])


def together(answers: Sequence[WindowLogits]) -> WindowLogits:
    """Several networks' answers on the same windows as those of one: their probabilities' mean."""
    first = answers[0]
    if len(answers) == 1:
        return first
    p = np.mean([one._of_windows() for one in answers], axis=0).clip(LEAST, 1 - LEAST)
    return replace(first, logits=np.log(p / (1 - p)) if first.binary else np.log(p))


@torch.no_grad()
def window_logits(
    network: nn.Module,
    takes: TakeSet,
    *,
    binary: bool = False,
    hop_s: float | None = None,
    data: EvaluationData | None = None,
) -> WindowLogits:
    """The network's logits on every window of the takes, in evaluation mode.

    ``data`` replaces the windows.
    """
    data = EvaluationData(takes, hop_s) if data is None else data
    was_training = network.training
    network.eval()
    device = next(network.parameters()).device

    def answer(batch: Batch) -> Float:
        moved = Batch(*(part.to(device) for part in batch))
        return np.asarray(run_network(network, moved).logits.double().cpu())

    found = answered_windows(answer, data, len(takes), binary=binary)
    network.train(was_training)
    return found


def answered_windows(
    answer: Callable[[Batch], Float], data: EvaluationData, n: int, *, binary: bool = False
) -> WindowLogits:
    """What ``answer`` gives for the windows, ``(b, k)`` a batch, of ``n`` takes."""
    batches = [(answer(batch), batch.take.numpy()) for batch in evaluation_loader(data)]
    logits, rows = (np.concatenate(part) for part in zip(*batches, strict=True))
    return WindowLogits(logits, rows, n, binary)


def predict_takes(
    network: nn.Module,
    takes: TakeSet,
    *,
    binary: bool = False,
    temperature: float = 1.0,
    hop_s: float | None = None,
) -> Float:
    """Probabilities ``(n, k)`` of takes: the mean over each take's windows."""
    found = window_logits(network, takes, binary=binary, hop_s=hop_s)
    return found.probabilities(temperature)
