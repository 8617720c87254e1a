"""Several processes or machines under ``torchrun``: gloo on CPUs, NCCL on GPUs.

A step of ``n`` processes equals the step of one: each takes its share of the same global batch
(:class:`~avtca.data.training.EpochSampler`), gradients are averaged, and batch norms over masked
streams compute their statistics over all processes. The 2-D batch norms of the pixel trunk use
the share of their process.
"""

import os
from typing import Any

from torch import Tensor, distributed, nn

from avtca.evaluation.inference import resolve_device
from avtca.model.masked_norm import MaskedBatchNorm


def process_rank() -> int:
    """Index of this process, from 0."""
    return int(os.environ.get("RANK", "0"))


def process_world() -> int:
    """Number of processes that ``torchrun`` started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def strategy(device: str) -> dict[str, Any]:
    """Arguments of Lightning's trainer for the processes that ``torchrun`` started.

    Args:
        device: "cpu", "cuda" or "auto". NCCL connects GPUs, gloo CPUs.
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
    """Wait until every process is here."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


class SynchronisedMaskedBatchNorm(MaskedBatchNorm):
    """:class:`MaskedBatchNorm` whose training statistics are those of all processes."""

    def total(self, values: Tensor) -> Tensor:
        """Sum over all processes."""
        out = values.clone()
        distributed.all_reduce(out)
        return out


def synchronise_norms(network: nn.Module) -> None:
    """Compute the statistics of masked batch norms over all processes, in place."""
    for module in network.modules():
        if type(module) is MaskedBatchNorm:
            module.__class__ = SynchronisedMaskedBatchNorm
