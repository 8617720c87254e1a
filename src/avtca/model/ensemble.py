"""Deep ensemble: average of the members' posteriors.

The members differ in the seed of their training only (Lakshminarayanan et al. 2017). Shape
legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio steps, ``f`` features.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avtca.model.streams import present_modalities

MIN_PROB = 1e-7
"""Lower bound of the mean posterior, applied before taking the logarithm."""


class Ensemble(nn.Module):
    """The mean of the members' posteriors, as logits.

    Args:
        networks: The members.
        sums: ``(n_member_labels, n_labels)``, if the members distinguish more labels than the
            ensemble: 1 where a member's label counts as a label of the ensemble.
        temperatures: Divisors of the members' logits, three numbers: for windows with both
            modalities, with audio alone, with video alone. 1 by default.
    """

    sums: Tensor | None
    temperatures: Tensor

    def __init__(
        self,
        networks: Sequence[nn.Module],
        sums: Tensor | None = None,
        temperatures: Sequence[float] = (1.0, 1.0, 1.0),
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.register_buffer("sums", sums)
        self.register_buffer("temperatures", torch.tensor(temperatures))

    def forward(
        self,
        video: Tensor,
        audio: Tensor,
        video_mask: Tensor | None = None,
        audio_mask: Tensor | None = None,
    ) -> "EnsembleOutput":
        """Inputs as for :meth:`AVTCA.forward`; the logits are ``log`` of the mean posterior."""
        given = (video, audio, video_mask, audio_mask)
        heard, seen = present_modalities(*given).unbind(dim=1)
        both, alone_audio, alone_video = self.temperatures
        divisor = torch.where(seen & heard, both, torch.where(heard, alone_audio, alone_video))
        posteriors = [
            (network(*given).logits / divisor[:, None]).softmax(dim=1) for network in self.networks
        ]
        mean = torch.stack(posteriors).mean(dim=0)
        if self.sums is not None:
            mean = mean @ self.sums
        return EnsembleOutput(mean.clamp(min=MIN_PROB).log())


class EnsembleOutput(NamedTuple):
    """``logits (b, n_labels)``."""

    logits: Tensor
