"""Several networks as one: the mean of what they say.

Networks that differ in nothing but the seed of their training err in different places; the mean of
their posteriors errs less (Lakshminarayanan et al. 2017, "deep ensembles"). Shape legend: ``b``
batch, ``t_v`` video steps, ``t_a`` audio steps, ``f`` features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

LEAST = 1e-7
"""Probability of what none of the networks holds possible."""


class Ensemble(nn.Module):
    """The mean of the networks' posteriors, as logits.

    ``sums (n_own, n_labels)``, where the networks name more labels than are wanted: 1 where one
    of their labels counts as one of those.
    """

    sums: Tensor | None

    def __init__(self, networks: Sequence[nn.Module], sums: Tensor | None = None) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.register_buffer("sums", sums)

    def forward(
        self,
        video: Tensor,
        audio: Tensor,
        video_mask: Tensor | None = None,
        audio_mask: Tensor | None = None,
    ) -> "EnsembleOutput":
        """As :meth:`AVTCA.forward`, logits only: ``log`` of the mean posterior."""
        given = (video, audio, video_mask, audio_mask)
        posteriors = [network(*given).logits.softmax(dim=1) for network in self.networks]
        mean = torch.stack(posteriors).mean(dim=0)
        if self.sums is not None:
            mean = mean @ self.sums
        return EnsembleOutput(mean.clamp(min=LEAST).log())


class EnsembleOutput(NamedTuple):
    """``logits (b, n_labels)``."""

    logits: Tensor
