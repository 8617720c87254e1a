"""Losses, modality dropout and mixup.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio frames.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from avtca.data.windows import Batch
from avtca.errors import ConfigError
from avtca.training.config import ModalityDropout, TrainConfig

MAX_POSITIVE_WEIGHT = 100.0
"""Upper bound of :func:`positive_weights`; its inverse is the lower bound."""


def positive_weights(targets: NDArray[np.float32]) -> Tensor:
    """Weights of positive targets with which presence and absence of a label weigh the same.

    ``(n - p) / p`` for a label with ``p`` positives among ``n`` samples, between 1/100 and 100. A
    probability of 0.5 is then the threshold of the best weighted accuracy.

    Args:
        targets: Presence of labels, ``(n, n_labels)``.

    Returns:
        Weights ``(n_labels,)``.

    Raises:
        ConfigError: A label does not occur.
    """
    positive = _label_counts(targets)
    weights = (len(targets) - positive) / positive
    return torch.tensor(
        weights.clip(1 / MAX_POSITIVE_WEIGHT, MAX_POSITIVE_WEIGHT), dtype=torch.float32
    )


def balanced_weights(targets: NDArray[np.float32]) -> Tensor:
    """Class weights inversely proportional to the frequency of labels.

    Args:
        targets: Shares of labels, ``(n, n_labels)``.

    Returns:
        Weights ``(n_labels,)`` with an expected weight of 1 per sample.

    Raises:
        ConfigError: A label does not occur.
    """
    share = _label_counts(targets)
    return torch.tensor(share.sum() / (len(share) * share), dtype=torch.float32)


def _label_counts(targets: NDArray[np.float32]) -> NDArray[np.float64]:
    """Sum of the targets of each label; :class:`ConfigError` where a label does not occur."""
    counts: NDArray[np.float64] = targets.astype(np.float64).sum(0)
    if (counts == 0).any():
        raise ConfigError(
            "weight the labels by how often they occur",
            f"label number {int(np.argmin(counts))} does not occur in training",
            "switch class_weights off or leave that label out",
        )
    return counts


class EmotionLoss(nn.Module):
    """Loss of logits against targets, both ``(b, n_labels)``.

    ``cross_entropy`` is ``-sum_k w_k t_k log p_k`` with class weights ``w`` and smoothed (possibly
    soft) targets ``t``. ``binary`` is a cross-entropy per label, averaged over labels, with
    :func:`positive_weights` on positive targets. ``l1`` is the mean absolute error.
    """

    weights: Tensor | None

    def __init__(self, config: TrainConfig, targets: NDArray[np.float32]) -> None:
        super().__init__()
        self.loss, self.smoothing = config.loss, config.label_smoothing
        weigh = positive_weights if self.loss == "binary" else balanced_weights
        weights = weigh(targets) if config.class_weights else None
        self.register_buffer("weights", weights, persistent=False)
        if self.loss == "cross_entropy" and not np.allclose(targets.sum(1), 1, atol=1e-4):
            raise ConfigError(
                "train with loss 'cross_entropy'",
                "the targets of some samples do not sum to 1",
                "set train.loss to binary where several labels may apply",
            )

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """The loss of each sample, ``(b,)``."""
        if self.loss == "l1":
            return (logits - target).abs().mean(1)
        if self.loss == "binary":
            return F.binary_cross_entropy_with_logits(
                logits, target, pos_weight=self.weights, reduction="none"
            ).mean(1)
        return F.cross_entropy(
            logits, target, self.weights, reduction="none", label_smoothing=self.smoothing
        )


def apply_modality_dropout(
    batch: Batch, config: ModalityDropout, generator: torch.Generator
) -> Batch:
    """Mask modalities of a batch, see :class:`ModalityDropout`.

    A sample with only one modality keeps it.

    Args:
        batch: The batch, on any device.
        config: Kind and probabilities.
        generator: A generator on the CPU, so that a seed has the same effect on every device.

    Returns:
        The masked batch; with ``softhard`` of four times as many samples.
    """
    b, device = len(batch.target), batch.target.device
    if config.mode == "whole":
        draw = torch.rand(b, generator=generator).to(device)
        no_audio = (draw < config.audio) & batch.video_mask.any(1)
        no_video = (draw >= 1 - config.video) & batch.audio_mask.any(1)
        return batch._replace(
            video_mask=batch.video_mask & ~no_video[:, None],
            audio_mask=batch.audio_mask & ~no_audio[:, None],
        )
    if config.mode == "softhard":
        share = torch.rand(b, generator=generator).to(device)
        soft = batch._replace(
            video=batch.video * (1 - share).view(b, *[1] * (batch.video.ndim - 1)),
            audio=batch.audio * share.view(b, 1, 1),
        )
        seen = batch._replace(audio_mask=_unless_alone(batch.audio_mask, batch.video_mask))
        heard = batch._replace(video_mask=_unless_alone(batch.video_mask, batch.audio_mask))
        return Batch(*(torch.cat(part) for part in zip(batch, soft, seen, heard, strict=True)))
    return batch


def _unless_alone(mask: Tensor, other: Tensor) -> Tensor:
    """All False, except for samples that have only this modality."""
    return mask & ~other.any(1, keepdim=True)


def mixup_batch(batch: Batch, alpha: float, generator: torch.Generator) -> Batch:
    """Mixup (Zhang et al. 2018) of both modalities and the targets with one share per sample.

    A step is unmasked where it is unmasked in the sample with the larger share.

    Args:
        batch: The batch, on any device.
        alpha: Parameter of the beta distribution of the shares.
        generator: A generator on the CPU.
    """
    b, device = len(batch.target), batch.target.device
    seed = int(torch.randint(2**31, (1,), generator=generator))
    drawn = np.random.default_rng(seed).beta(alpha, alpha, b)
    share = torch.from_numpy(np.maximum(drawn, 1 - drawn).astype(np.float32)).to(device)
    other = torch.randperm(b, generator=generator).to(device)

    def mixed(x: Tensor) -> Tensor:
        keep = share.view(b, *[1] * (x.ndim - 1))
        return x * keep + x[other] * (1 - keep)

    def both(x: Tensor, mask: Tensor, axis: int) -> Tensor:
        """Mixed where both are unmasked, else unchanged."""
        shape = [1] * x.ndim
        shape[0], shape[axis] = b, mask.shape[1]
        return torch.where(mask[other].view(shape), mixed(x), x)

    return batch._replace(
        video=both(batch.video, batch.video_mask, 1),
        audio=both(batch.audio, batch.audio_mask, 2),
        target=mixed(batch.target),
    )
