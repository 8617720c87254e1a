"""A stream of tokens with its mask and its clock, and arithmetic that respects the mask.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width, ``c`` channels.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Stream(NamedTuple):
    """One modality on its way through the network.

    ``tokens``: ``(b, t, d)``, zero where masked. ``mask``: bool ``(b, t)``, True where real.
    ``times``: ``(t,)``, each token's middle as a fraction 0..1 of the window.
    """

    tokens: Tensor
    mask: Tensor
    times: Tensor

    @property
    def present(self) -> Tensor:
        """Bool ``(b,)``: any real step."""
        return self.mask.any(dim=1)

    def with_tokens(self, tokens: Tensor) -> "Stream":
        """The same clock and mask with other tokens, zeroed where masked."""
        return self._replace(tokens=zero_masked(tokens, self.mask))


def zero_masked(x: Tensor, mask: Tensor) -> Tensor:
    """Zeros in place of whatever stands at masked steps, NaN too: ``x (b, t, ...)``."""
    shaped = mask.reshape(*mask.shape, *[1] * (x.ndim - 2))
    return torch.where(shaped, x, torch.zeros((), dtype=x.dtype, device=x.device))


def masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """Softmax over the last axis; masked places get zero, and all of them where none is real."""
    lowest = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~mask, lowest).softmax(dim=-1)
    return weights * mask


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch norm whose training statistics are those of real steps alone.

    ``(b, c, ..., t)`` with a mask ``(b, t)``; shape kept. Same state dict and same result in
    evaluation as PyTorch's batch norm.
    """

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise; values at masked steps are whatever comes out."""
        mean, var = self.running_mean, self.running_var
        if not self.training or mean is None or var is None:
            return F.batch_norm(x, mean, var, self.weight, self.bias, False, 0.0, self.eps)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        real = mask.reshape(mask.shape[0], *[1] * (x.ndim - 2), mask.shape[1]).to(x.dtype)
        count = mask.sum().to(x.dtype) * (x[0, 0].numel() // x.shape[-1])
        at_least_one = count.clamp(min=1)
        batch_mean = (x * real).sum(axes) / at_least_one
        centred = x - batch_mean.view(shape)
        batch_var = (centred.square() * real).sum(axes) / at_least_one
        with torch.no_grad():
            momentum = (self.momentum or 0.1) * (count > 1).to(x.dtype)
            unbiased = batch_var * count / (count - 1).clamp(min=1)
            mean.lerp_(batch_mean.to(mean.dtype), momentum.to(mean.dtype))
            var.lerp_(unbiased.to(var.dtype), momentum.to(var.dtype))
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        scaled = centred * torch.rsqrt(batch_var + self.eps).view(shape)
        return scaled * self.weight.view(shape) + self.bias.view(shape)
