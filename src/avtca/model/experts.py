"""Expert heads: logits of one modality alone, for the auxiliary loss and the product of experts.

Shape legend: ``b`` batch, ``t`` steps, ``d`` token width, ``f`` features.
"""

import torch
from torch import Tensor, nn

from avtca.model.masked_norm import MaskedBatchNorm
from avtca.model.pooling import AttentivePool
from avtca.model.statistics import deviation, mean
from avtca.model.streams import Stream, given_mask, zero_masked

ExpertLogits = dict[str, Tensor]
"""Logits ``(b, n_labels)`` of each expert, by the names in :data:`MODALITY_OF`."""
MODALITY_OF = {
    "audio": 0,
    "video": 1,
    "audio_statistics": 0,
    "video_statistics": 1,
    "utterance": 1,
}
"""Expert -> the modality that it reads, as a column of ``present (b, 2)``: 0 audio, 1 video."""
EXPERT_DROP_RATE = 1 / 3
"""Share of the training samples for which a :class:`LinearExpert` outputs zeros."""
FEATURE_DROPOUT = 0.4
"""Dropout on the features of a :class:`LinearExpert`."""


class AuxiliaryHeads(nn.Module):
    """Logits of each stream before fusion: attentive pooling, dropout, linear."""

    def __init__(self, d_audio: int, d_video: int, n_labels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.pool_audio, self.pool_video = AttentivePool(d_audio), AttentivePool(d_video)
        self.dropout = nn.Dropout(dropout)
        self.audio, self.video = nn.Linear(d_audio, n_labels), nn.Linear(d_video, n_labels)

    def forward(self, audio: Stream, video: Stream) -> ExpertLogits:
        """Logits "audio" and "video", zero for an empty stream."""
        from_audio = self.audio(self.dropout(self.pool_audio(audio)))
        from_video = self.video(self.dropout(self.pool_video(video)))
        return {
            "audio": from_audio * audio.present[:, None],
            "video": from_video * video.present[:, None],
        }


class LinearExpert(nn.Module):
    """Logits from features of a whole window: batch norm, dropout, linear.

    In training its output is zero for a random third of the samples, so that the other experts
    do not depend on it; zeros have no effect in a product of experts.
    """

    def __init__(self, n_features: int, n_labels: int) -> None:
        super().__init__()
        self.norm = MaskedBatchNorm(n_features)
        self.dropout, self.linear = nn.Dropout(FEATURE_DROPOUT), nn.Linear(n_features, n_labels)

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """``(b, n_features)``, bool ``(b, 1)`` -> ``(b, n_labels)``, zeros where not present."""
        scaled = self.norm(features[..., None], present)[..., 0]
        if self.training:
            present = present & (torch.rand_like(scaled[:, :1]) >= EXPERT_DROP_RATE)
        out: Tensor = self.linear(self.dropout(scaled)) * present
        return out


class UtteranceHead(LinearExpert):
    """A :class:`LinearExpert` on utterance-level features (``utterance_features``).

    It reads the last ``n_features`` columns of ``video (b, t, f)``, averaged over real steps.
    """

    def __init__(self, n_features: int, n_labels: int) -> None:
        super().__init__(n_features, n_labels)
        self.n_features = n_features

    def forward(  # type: ignore[override]
        self, video: Tensor, mask: Tensor | None = None
    ) -> ExpertLogits:
        """Logits "utterance", zero if no step is real."""
        mask = given_mask(mask, video)
        features = zero_masked(video[..., -self.n_features :], mask)
        return {"utterance": super().forward(mean(features, mask), mask.any(dim=1, keepdim=True))}


class MomentsHead(nn.Module):
    """A :class:`LinearExpert` on mean and deviation over time of audio features."""

    def __init__(self, audio_dim: int, n_labels: int) -> None:
        super().__init__()
        self.expert = LinearExpert(2 * audio_dim, n_labels)

    def forward(self, audio: Tensor, mask: Tensor | None = None) -> ExpertLogits:
        """``audio (b, d, t)`` -> logits "audio_statistics", zero if no step is real."""
        tokens = audio.transpose(1, 2)
        mask = given_mask(mask, tokens)
        tokens = zero_masked(tokens, mask)
        found = torch.cat((mean(tokens, mask), deviation(tokens, mask)), dim=1)
        return {"audio_statistics": self.expert(found, mask.any(dim=1, keepdim=True))}


class NoExpert(nn.Module):
    """In place of the expert heads that a network does not have."""

    def forward(self, *inputs: Stream | Tensor | None) -> ExpertLogits:
        """No logits."""
        return {}
