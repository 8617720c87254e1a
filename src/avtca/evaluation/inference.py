"""Logits and probabilities of a network on the samples of a data set.

Shape legend: ``b`` batch, ``k`` labels, ``n`` samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from avtca.data.dataset import EmotionDataset
from avtca.data.windows import Batch, WindowDataset, evaluation_loader, mean_by_sample
from avtca.errors import ConfigError
from avtca.model.config import Output
from avtca.model.network import ModelOutput
from avtca.preprocess import ModelInput
from avtca.runtime.backends import Backend
from avtca.runtime.scores import softmax

Float = NDArray[np.float64]
EPS = 1e-12
"""Averaged probabilities are kept within ``EPS .. 1 - EPS`` before logarithms are taken."""
Network = nn.Module | Backend
CROPS_PER_RUN = 64
"""Face crops in one run of a backend's face network, which bounds its memory."""


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
    network: Network, dataset: EmotionDataset, *, output: Output = "softmax"
) -> WindowLogits:
    """Logits of a network, in evaluation mode, on every window of the samples.

    Args:
        network: A module of PyTorch; or a backend, which makes features of face crops itself and
            whose logits are divided by its temperature.
        dataset: The samples.
        output: What the logits stand for.
    """
    windows = WindowDataset(dataset)
    batches = evaluation_loader(windows)
    if isinstance(network, nn.Module):
        was_training, device = network.training, next(network.parameters()).device
        network.eval()
        moved = (Batch(*(part.to(device) for part in batch)) for batch in batches)
        values = [run_network(network, batch).logits.double().cpu().numpy() for batch in moved]
        network.train(was_training)
    else:
        values = [_backend_logits(network, batch) for batch in batches]
    sample = np.array([index for index, _ in windows.rows], np.int64)
    return WindowLogits(np.concatenate(values), sample, len(dataset), output)


def _backend_logits(backend: Backend, batch: Batch) -> Float:
    """Logits ``(b, k)``, of which video is crops ``(b, t, c, h, w)`` in 0..1, or features."""
    video, mask = batch.video.numpy(), batch.video_mask.numpy()
    if video.ndim == 5 and backend.spec.video == "features":
        crops = (video[mask] * 255).round().astype(np.uint8)
        crops = crops[:, 0] if crops.shape[1] == 1 else np.moveaxis(crops, 1, -1)
        video = np.zeros((*mask.shape, backend.spec.video_dim), np.float32)
        starts = range(0, len(crops), CROPS_PER_RUN)
        if parts := [backend.encode_faces(crops[at : at + CROPS_PER_RUN]) for at in starts]:
            video[mask] = np.concatenate(parts)
    inputs = ModelInput(video, mask, batch.audio.numpy(), batch.audio_mask.numpy())
    scaled = backend.logits(inputs) / np.float32(backend.temperature)
    return scaled.astype(np.float64)


def predict_samples(
    network: nn.Module,
    dataset: EmotionDataset,
    *,
    output: Output = "softmax",
    temperature: float = 1.0,
) -> Float:
    """Probabilities ``(n, k)`` of samples: the mean over each sample's windows."""
    return window_logits(network, dataset, output=output).probabilities(temperature)
