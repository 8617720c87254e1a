"""Masked statistics over time, which the statistics heads are computed from.

Shape legend: ``b`` batch, ``t`` steps, ``d`` features. Masks are bool ``(b, t)``.
"""

import torch
from torch import Tensor

from avtca.voicing import masked_mean

mean = masked_mean


def deviation(x: Tensor, mask: Tensor) -> Tensor:
    """Standard deviation over the steps in ``mask``; shapes as in :func:`mean`."""
    centred = x - mean(x, mask)[:, None]
    return (mean(centred.square(), mask) + 1e-8).sqrt()


def equal_segments(mask: Tensor, n: int) -> list[Tensor]:
    """Masks ``(b, t)`` of ``n`` equal segments from the first to the last step in ``mask``."""
    index = torch.arange(mask.shape[1], device=mask.device).expand(mask.shape)
    first = index.masked_fill(~mask, mask.shape[1]).amin(dim=1, keepdim=True)
    length = index.masked_fill(~mask, -1).amax(dim=1, keepdim=True) + 1 - first
    scaled = (index - first) * n
    return [(scaled >= k * length) & (scaled < (k + 1) * length) for k in range(n)]
