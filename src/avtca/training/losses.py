"""What is minimised, and which modalities the network is given while it is.

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


def balanced_weights(targets: NDArray[np.float32]) -> Tensor:
    """Weights ``(n_labels,)`` inverse to the labels' share of ``targets (n, n_labels)``.

    Scaled so that the expected weight of a training sample is 1. Raises :class:`ConfigError` for a
    label that no sample has.
    """
    share = targets.astype(np.float64).sum(0)
    if (share == 0).any():
        raise ConfigError(
            "weight the labels by how often they occur",
            f"label number {int(np.argmin(share))} does not occur in training",
            "switch class_weights off or leave that label out",
        )
    return torch.tensor(share.sum() / (len(share) * share), dtype=torch.float32)


class EmotionLoss(nn.Module):
    """The recipe's loss of ``logits (b, n_labels)`` against ``target (b, n_labels)``.

    ``cross_entropy``: ``-sum_k w_k t_k log p_k``, averaged over the batch, ``t`` smoothed;
    soft labels are targets like any other. ``binary``: a cross-entropy for each label, averaged
    over labels and batch; weights count where the label holds.
    """

    weights: Tensor | None

    def __init__(self, recipe: TrainConfig, targets: NDArray[np.float32]) -> None:
        super().__init__()
        self.binary, self.smoothing = recipe.loss == "binary", recipe.label_smoothing
        weights = balanced_weights(targets) if recipe.class_weights else None
        self.register_buffer("weights", weights, persistent=False)
        if not self.binary and not np.allclose(targets.sum(1), 1, atol=1e-4):
            raise ConfigError(
                "train with loss 'cross_entropy'",
                "there are samples whose label shares do not sum to 1",
                "set loss: binary where several labels may hold",
            )

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """A loss for each sample, ``(b,)``."""
        if self.binary:
            return F.binary_cross_entropy_with_logits(
                logits, target, pos_weight=self.weights, reduction="none"
            ).mean(1)
        return F.cross_entropy(
            logits, target, self.weights, reduction="none", label_smoothing=self.smoothing
        )


def apply_modality_dropout(
    batch: Batch, form: ModalityDropout, generator: torch.Generator
) -> Batch:
    """The batch with modalities masked as :class:`ModalityDropout` says.

    ``softhard`` returns four times as many samples. Nothing that was missing comes back, and a
    sample that has only one modality keeps it. The generator is the processor's, wherever the batch
    is, so that a seed says the same on every device.
    """
    b, device = len(batch.target), batch.target.device
    if form.mode == "whole":
        draw = torch.rand(b, generator=generator).to(device)
        no_audio = (draw < form.audio) & batch.video_mask.any(1)
        no_video = (draw >= 1 - form.video) & batch.audio_mask.any(1)
        return batch._replace(
            video_mask=batch.video_mask & ~no_video[:, None],
            audio_mask=batch.audio_mask & ~no_audio[:, None],
        )
    if form.mode == "softhard":
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
    """All False, but for samples of which nothing would be left."""
    return mask & ~other.any(1, keepdim=True)


def mixup_batch(batch: Batch, alpha: float, generator: torch.Generator) -> Batch:
    """Mixup (Zhang et al. 2018) of samples: both modalities and the target by one share.

    A step is real in the mixture where it is real in the sample with the larger share. The generator
    is the processor's.
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
        """Mixed where both are real, the sample's own value where the other has none."""
        shape = [1] * x.ndim
        shape[0], shape[axis] = b, mask.shape[1]
        return torch.where(mask[other].view(shape), mixed(x), x)

    return batch._replace(
        video=both(batch.video, batch.video_mask, 1),
        audio=both(batch.audio, batch.audio_mask, 2),
        target=mixed(batch.target),
    )
