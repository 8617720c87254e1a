"""Batch norm over the real steps of masked sequences.

Shape legend: ``b`` batch, ``c`` channels, ``t`` steps.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch norm that computes its training statistics over real steps only.

    Input and output ``(b, c, ..., t)``, mask ``(b, t)``. State dict and result in evaluation mode
    are those of PyTorch's batch norm.
    """

    def total(self, values: Tensor) -> Tensor:
        """Sum over the processes that share a batch; a single process returns the values."""
        return values

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """Normalise. Outputs at masked steps are arbitrary and carry no gradient."""
        if not self._uses_batch_statistics:
            return self._with_running_statistics(x)
        return self._with_batch_statistics(x, mask, relu=False)

    def activated(self, x: Tensor, mask: Tensor) -> Tensor:
        """Normalise, ReLU, zero at masked steps; fused, since it is faster."""
        if not self._uses_batch_statistics:
            shaped = mask.reshape(mask.shape[0], *[1] * (x.ndim - 2), mask.shape[1])
            y = F.relu(self._with_running_statistics(x))
            return torch.where(shaped, y, torch.zeros((), dtype=y.dtype, device=y.device))
        return self._with_batch_statistics(x, mask, relu=True)

    @property
    def _uses_batch_statistics(self) -> bool:
        return self.training and self.running_mean is not None

    def _with_running_statistics(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean, self.running_var
        return F.batch_norm(x, mean, var, self.weight, self.bias, False, 0.0, self.eps)

    def _with_batch_statistics(self, x: Tensor, mask: Tensor, *, relu: bool) -> Tensor:
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
    """``(x - mean) / deviation * weight + bias`` over real steps; with ``relu`` then ReLU and zero
    at masked steps.

    The backward pass is written by hand: with PyTorch's own, forward and backward take 1.8 times
    as long (docs/decisions.md).
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
            gradient = gradients[0] * real
        else:  # it is zero where masked
            gradient = torch.ops.aten.threshold_backward(gradients[0], active, 0)
        sums = torch.stack((gradient.sum(axes), (gradient * scaled).sum(axes)))
        level, slope = context.total(sums) / count
        out = gradient.addcmul_(scaled, -slope.view(shape)).sub_(level.view(shape))
        out.mul_((weight * inverse).view(shape)).mul_(real)
        return out, None, sums[1], sums[0], None, None, None
