"""A stream of tokens with its mask and its clock, and arithmetic that respects the mask.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width, ``c`` channels.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

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


def given_mask(mask: Tensor | None, x: Tensor) -> Tensor:
    """The mask, or all True for ``x (b, t, ...)``."""
    if mask is None:
        return torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
    if mask.dtype != torch.bool:
        raise ValueError(f"a mask is bool, True = real; found {mask.dtype}")
    return mask


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

    def total(self, values: Tensor) -> Tensor:
        """Where several processes share a batch, the sum over them; here the values."""
        return values

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise; values at masked steps are whatever comes out, and carry no gradient."""
        if not self._learns:
            return self._as_learned(x)
        return self._of_the_batch(x, mask, relu=False)

    def activated(self, x: Tensor, mask: Tensor) -> Tensor:
        """Normalise, ReLU, and zero where masked, in one."""
        if not self._learns:
            shaped = mask.reshape(mask.shape[0], *[1] * (x.ndim - 2), mask.shape[1])
            y = F.relu(self._as_learned(x))
            return torch.where(shaped, y, torch.zeros((), dtype=y.dtype, device=y.device))
        return self._of_the_batch(x, mask, relu=True)

    @property
    def _learns(self) -> bool:
        return self.training and self.running_mean is not None

    def _as_learned(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean, self.running_var
        return F.batch_norm(x, mean, var, self.weight, self.bias, False, 0.0, self.eps)

    def _of_the_batch(self, x: Tensor, mask: Tensor, *, relu: bool) -> Tensor:
        mean, var = self.running_mean, self.running_var
        assert mean is not None and var is not None
        real = mask.reshape(mask.shape[0], *[1] * (x.ndim - 2), mask.shape[1]).to(x.dtype)
        normalised: tuple[Tensor, Tensor, Tensor, Tensor] = _Normalise.apply(  # type: ignore[no-untyped-call]
            x, real, self.weight, self.bias, self.eps, self.total, relu
        )
        out, batch_mean, batch_var, count = normalised
        with torch.no_grad():
            momentum = (self.momentum or 0.1) * (count > 1).to(x.dtype)
            unbiased = batch_var * count / (count - 1).clamp(min=1)
            mean.lerp_(batch_mean.to(mean.dtype), momentum.to(mean.dtype))
            var.lerp_(unbiased.to(var.dtype), momentum.to(var.dtype))
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        return out


class _Normalise(torch.autograd.Function):
    """``(x - mean) / deviation * weight + bias`` over real steps, in few passes over memory; with
    ``relu`` then ReLU, and zero where masked.

    Written out, because the same in plain operations was 40 % of a training step of ``best``.
    """

    @staticmethod
    def forward(
        context: Any,
        x: Tensor,
        real: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        total: Callable[[Tensor], Tensor],
        relu: bool,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        here = real.sum() * (x[0, 0].numel() // x.shape[-1])
        sums = total(torch.cat(((x * real).sum(axes), here[None])))
        count = sums[-1].clamp(min=1)
        mean = sums[:-1] / count
        scaled = (x - mean.view(shape)).mul_(real)
        var = total(torch.linalg.vector_norm(scaled, dim=axes).square()) / count
        inverse = torch.rsqrt(var + eps)
        scaled.mul_(inverse.view(shape))
        out = torch.addcmul(bias.view(shape), scaled, weight.view(shape))
        if relu:
            out.clamp_(min=0).mul_(real)
        context.save_for_backward(scaled, real, weight, inverse, count, out if relu else None)
        context.total = total
        context.mark_non_differentiable(mean, var, sums[-1])
        return out, mean, var, sums[-1]

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        scaled, real, weight, inverse, count, active = context.saved_tensors
        axes = [axis for axis in range(scaled.ndim) if axis != 1]
        shape = [1, -1, *[1] * (scaled.ndim - 2)]
        if active is None:
            given = gradients[0] * real
        else:  # it is zero where masked
            given = torch.ops.aten.threshold_backward(gradients[0], active, 0)
        own = torch.stack((given.sum(axes), (given * scaled).sum(axes)))
        level, slope = context.total(own) / count
        passed = given.addcmul_(scaled, -slope.view(shape)).sub_(level.view(shape))
        passed.mul_((weight * inverse).view(shape)).mul_(real)
        return passed, None, own[1], own[0], None, None, None
