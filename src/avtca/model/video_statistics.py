"""Statistics of a whole window's face as an expert of its own: what it showed, how much, and when.

What :mod:`avtca.model.audio_statistics` is for a voice: a linear layer learns from few
takes what convolutions do not. Shape legend: ``b`` batch, ``t`` video steps, ``f`` features.
"""

import torch
from torch import Tensor, nn

from avtca.model.frontends import MIN_PROB
from avtca.model.head import Expert, Own
from avtca.model.statistics import deviation, equal_parts, mean
from avtca.model.streams import given_mask, zero_masked


class VideoStatisticsHead(nn.Module):
    """Logits from each video feature's mean, deviation, and mean in equal parts of the window.

    An option of ``best``, for sequences of features. The first ``probabilities`` features are read
    as their logarithms, the others as they are, of the first ``read``.
    """

    def __init__(self, read: int, n_labels: int, *, parts: int, probabilities: int = 0) -> None:
        super().__init__()
        self.read, self.parts, self.probabilities = read, parts, probabilities
        self.expert = Expert((2 + parts) * read, n_labels)

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Own:
        """``video (b, t, f)`` -> ``{"face": (b, n_labels)}``, zeros where nothing is real."""
        mask = given_mask(mask, video)
        with torch.no_grad():
            found = self.statistics(zero_masked(video[..., : self.read], mask), mask)
        return {"face": self.expert(found, mask.any(dim=1, keepdim=True))}

    def statistics(self, features: Tensor, mask: Tensor) -> Tensor:
        """``(b, t, read)``, zero where masked -> ``(b, (2 + parts) read)``."""
        logs = features[..., : self.probabilities].clamp(min=MIN_PROB).log()
        rows = torch.cat((logs, features[..., self.probabilities :]), dim=2)
        means = [mean(rows, part & mask) for part in equal_parts(mask, self.parts)]
        return torch.cat((mean(rows, mask), deviation(rows, mask), *means), dim=1)


class NoVideoStatisticsHead(nn.Module):
    """Most networks have none."""

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Own:
        """Nothing."""
        return {}
