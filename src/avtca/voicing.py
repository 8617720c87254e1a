"""Which frames of a window are voiced, for the network and for speaker normalisation."""

import torch
from torch import Tensor


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the frames of a mask ``(b, t)``, 0 for none: ``(b, t[, d]) -> (b[, d])``."""
    share = mask.to(x.dtype) / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("bt,bt...->b...", share, x)


def loud_and_voiced(energy: Tensor, voicing: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Frames above a window's mean level, and those of them above their mean voicing.

    All ``(b, t)``.
    """
    loud = mask & (energy > masked_mean(energy, mask)[:, None])
    return loud, loud & (voicing > masked_mean(voicing, loud)[:, None])
