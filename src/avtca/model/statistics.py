"""Statistics over the steps of a window that count, as the experts for voice and face read them.

Shape legend: ``b`` batch, ``t`` steps, ``d`` features. Which steps count is a mask ``(b, t)``.
"""

import torch
from torch import Tensor


def mean(x: Tensor, there: Tensor) -> Tensor:
    """Over the frames ``there``; 0 where there is none. ``(b, t[, d]) -> (b[, d])``, finite."""
    share = there.to(x.dtype) / there.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("bt,bt...->b...", share, x)


def deviation(x: Tensor, there: Tensor) -> Tensor:
    """Its square is :func:`mean`'s of the squared distance to the mean; shapes as there."""
    centred = x - mean(x, there)[:, None]
    return (mean(centred.square(), there) + 1e-8).sqrt()


def equal_parts(there: Tensor, n: int) -> list[Tensor]:
    """Masks ``(b, t)`` of ``n`` equal parts between the first and the last step ``there``."""
    place = torch.arange(there.shape[1], device=there.device).expand(there.shape)
    first = place.masked_fill(~there, there.shape[1]).amin(dim=1, keepdim=True)
    length = place.masked_fill(~there, -1).amax(dim=1, keepdim=True) + 1 - first
    at = (place - first) * n
    return [(at >= k * length) & (at < (k + 1) * length) for k in range(n)]
