"""Several processes or machines under ``torchrun``: gloo on CPUs, NCCL on GPUs.

A step of ``n`` processes is the step of one: each samples its share of the same global batch
(:class:`~avtca.data.training.EpochSampler`), gradients are averaged, and batch norms over masked
streams sample their statistics over all processes. The 2-D batch norms of the pixel trunk stay
each process's own.
"""

import os
from typing import Any

from torch import Tensor, distributed, nn

from avtca.evaluation.inference import resolve_device
from avtca.model.streams import MaskedBatchNorm


def process_rank() -> int:
    """Number of this process among all, from 0."""
    return int(os.environ.get("RANK", "0"))


def process_world() -> int:
    """Number of processes that ``torchrun`` started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def strategy(device: str) -> dict[str, Any]:
    """Arguments of Lightning's trainer for the processes that ``torchrun`` started.

    NCCL where they train on graphics cards (``device`` "cuda", or "auto" with cards here), else
    gloo.
    """
    world = process_world()
    if world == 1:
        return {"devices": 1}
    from lightning.pytorch.strategies import DDPStrategy

    local = int(os.environ.get("LOCAL_WORLD_SIZE", str(world)))
    backend = "nccl" if resolve_device(device) == "cuda" else "gloo"
    return {
        "devices": local,
        "num_nodes": world // local,
        "strategy": DDPStrategy(process_group_backend=backend, find_unused_parameters=True),
    }


def wait_for_all() -> None:
    """Until every process that trains together is here."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


class SynchronisedMaskedBatchNorm(MaskedBatchNorm):
    """:class:`MaskedBatchNorm` whose training statistics are those of all processes."""

    def total(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        out = values.clone()
        distributed.all_reduce(out)
        return out


def synchronise_norms(network: nn.Module) -> None:
    """Let every masked batch norm of the network see all processes, in place."""
    for module in network.modules():
        if type(module) is MaskedBatchNorm:
            module.__class__ = SynchronisedMaskedBatchNorm
