"""Expert on statistics (functionals) of the video features over a window.

Shape legend: ``b`` batch, ``t`` video steps, ``f`` features.
"""

import torch
from torch import Tensor, nn

from avtca.clipspec import MIN_PROB
from avtca.model.experts import ExpertLogits, LinearExpert
from avtca.model.statistics import deviation, equal_segments, mean
from avtca.model.streams import given_mask, zero_masked


class VideoStatisticsHead(nn.Module):
    """Logits from the mean, deviation and segment means of each video feature (``n_segments``).

    Args:
        n_features: How many of the video features, the first ones, it reads.
        n_labels: Number of emotions.
        n_segments: Segments of equal length whose means are taken.
        probabilities: How many of the features, the first ones, are probabilities, which are
            read as logarithms.
    """

    def __init__(
        self, n_features: int, n_labels: int, *, n_segments: int, probabilities: int = 0
    ) -> None:
        super().__init__()
        self.n_features, self.n_segments = n_features, n_segments
        self.probabilities = probabilities
        self.expert = LinearExpert((2 + n_segments) * n_features, n_labels)

    def forward(self, video: Tensor, mask: Tensor | None = None) -> ExpertLogits:
        """``video (b, t, f)`` -> logits "video_statistics", zero if no step is real."""
        mask = given_mask(mask, video)
        with torch.no_grad():
            found = self.statistics(zero_masked(video[..., : self.n_features], mask), mask)
        return {"video_statistics": self.expert(found, mask.any(dim=1, keepdim=True))}

    def statistics(self, features: Tensor, mask: Tensor) -> Tensor:
        """``(b, t, n_features)``, zero where masked -> ``(b, (2 + n_segments) n_features)``."""
        logs = features[..., : self.probabilities].clamp(min=MIN_PROB).log()
        rows = torch.cat((logs, features[..., self.probabilities :]), dim=2)
        means = [mean(rows, part & mask) for part in equal_segments(mask, self.n_segments)]
        return torch.cat((mean(rows, mask), deviation(rows, mask), *means), dim=1)
