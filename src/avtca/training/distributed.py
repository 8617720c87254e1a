"""Several processes or machines under ``torchrun``: gloo on CPUs, NCCL on GPUs.

A step of ``n`` processes is the step of one: each takes its share of the same global batch
(:class:`~avtca.training.data.EpochOrder`), gradients are averaged, and batch norms over masked
streams take their statistics over all processes. The 2-D batch norms of the pixel trunk stay
each process's own on CPUs, where PyTorch has no synchronised form of them.
"""

import os
from typing import Any

import torch
from torch import Tensor, distributed, nn

from avtca.model.streams import MaskedBatchNorm


def process_rank() -> int:
    """Number of this process among all, from 0."""
    return int(os.environ.get("RANK", "0"))


def process_world() -> int:
    """Number of processes that ``torchrun`` started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def strategy() -> dict[str, Any]:
    """Arguments of Lightning's trainer for the processes that ``torchrun`` started."""
    world = process_world()
    if world == 1:
        return {"devices": 1}
    from lightning.pytorch.strategies import DDPStrategy

    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    return {
        "devices": local,
        "num_nodes": world // local,
        "strategy": DDPStrategy(process_group_backend=backend, find_unused_parameters=True),
    }


class SynchronisedMaskedBatchNorm(MaskedBatchNorm):
    """:class:`MaskedBatchNorm` whose training statistics are those of all processes."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """As the parent's, with sums over the processes."""
        mean, var = self.running_mean, self.running_var
        if not self.training or mean is None or var is None:
            return super().forward(x, mask)
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        real = mask.reshape(mask.shape[0], *[1] * (x.ndim - 2), mask.shape[1]).to(x.dtype)
        here = mask.sum().to(x.dtype) * (x[0, 0].numel() // x.shape[-1])
        total = _sum(torch.cat([(x * real).sum(axes), here[None]]))
        count = total[-1].detach()
        batch_mean = total[:-1] / count.clamp(min=1)
        centred = x - batch_mean.view(shape)
        batch_var = _sum((centred.square() * real).sum(axes)) / count.clamp(min=1)
        with torch.no_grad():
            momentum = (self.momentum or 0.1) * (count > 1).to(mean.dtype)
            mean.lerp_(batch_mean.to(mean.dtype), momentum)
            unbiased = batch_var * count / (count - 1).clamp(min=1)
            var.lerp_(unbiased.to(var.dtype), momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked.add_(1)
        scaled = centred * torch.rsqrt(batch_var + self.eps).view(shape)
        out: Tensor = scaled * self.weight.view(shape) + self.bias.view(shape)
        return out


class _Sum(torch.autograd.Function):
    """A sum over all processes; each process's gradient is the sum of all gradients."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total


def _sum(values: Tensor) -> Tensor:
    out: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return out


def synchronise_norms(network: nn.Module) -> None:
    """Let every masked batch norm of the network see all processes, in place."""
    for module in network.modules():
        if type(module) is MaskedBatchNorm:
            module.__class__ = SynchronisedMaskedBatchNorm
