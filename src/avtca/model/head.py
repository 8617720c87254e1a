"""Figure, step 9: the two vectors become logits; and the baselines' ways to do so.

Shape legend: ``b`` batch, ``d`` token width. ``present`` is bool ``(b, 2)``: audio, video.
"""

import torch
from torch import Tensor, nn

from avtca.model.pooling import AttentivePool
from avtca.model.statistics import mean
from avtca.model.streams import (
    MaskedBatchNorm,
    Stream,
    given_mask,
    masked_softmax,
    zero_masked,
)

Own = dict[str, Tensor]
"""Logits of each modality on its own, by the names in :data:`OF`; empty in most variants."""
OF = {"audio": 0, "video": 1, "voice": 0, "face": 1, "utterance": 1}
"""Which of the two modalities each of them needs, a column of ``present``."""
LEFT_OUT, EXPERT_DROPOUT = 1 / 3, 0.4
"""Of :class:`Expert` while training: share of samples without it, dropout of its features."""


class Sum(nn.Module):
    """Figure, step 9: element-wise sum, then a fully connected layer."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, n_labels)

    def forward(self, audio: Tensor, video: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d)`` twice -> ``(b, n_labels)``."""
        out: Tensor = self.linear(audio + video)
        return out


class Concatenation(nn.Module):
    """Released code and the concatenation baseline: side by side, then fully connected."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * d, n_labels)

    def forward(self, audio: Tensor, video: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d)`` twice -> ``(b, n_labels)``."""
        out: Tensor = self.linear(torch.cat((audio, video), dim=1))
        return out


class Gated(nn.Module):
    """A softmax over the two vectors, of those present, weighs their sum; then linear."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * d, 2)
        self.linear = nn.Linear(d, n_labels)

    def forward(self, audio: Tensor, video: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d)`` twice -> ``(b, n_labels)``."""
        gates = masked_softmax(self.gate(torch.cat((audio, video), dim=1)), present)
        out: Tensor = self.linear(gates[:, :1] * audio + gates[:, 1:] * video)
        return out


class Product(nn.Module):
    """A product of experts (Hinton 2002): the own log-posteriors of what is present, added up.

    No parameters; the two vectors are left aside. Needs ``own`` of :class:`AuxiliaryHeads`.
    ``audio_weight`` is the exponent of the experts that hear.
    """

    def __init__(self, audio_weight: float = 1.0) -> None:
        super().__init__()
        self.trust = (audio_weight, 1.0)

    def forward(self, audio: Tensor, video: Tensor, present: Tensor, own: Own) -> Tensor:
        """``own``: ``(b, n_labels)`` each -> ``(b, n_labels)``; zeros where nothing is present."""
        votes = []
        for name, logits in own.items():
            column = OF[name]
            votes.append(self.trust[column] * logits.log_softmax(dim=1) * present[:, column, None])
        return torch.stack(votes).sum(dim=0)


class Late(Product):
    """The same with the gated logits of the two vectors as one more factor."""

    def __init__(self, d: int, n_labels: int, audio_weight: float = 1.0) -> None:
        super().__init__(audio_weight)
        self.joint = Gated(d, n_labels)

    def forward(self, audio: Tensor, video: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d)`` twice and ``own`` -> ``(b, n_labels)``."""
        joint: Tensor = self.joint(audio, video, present, own)
        return joint + super().forward(audio, video, present, own)


class MeanPosterior(nn.Module):
    """Baseline: a classifier for each modality, logits = log of their posteriors' mean."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.audio, self.video = nn.Linear(d, n_labels), nn.Linear(d, n_labels)

    def forward(self, audio: Tensor, video: Tensor, present: Tensor, own: Own) -> Tensor:
        """Over the modalities that are present; leaves each one's logits in ``own``."""
        own["audio"] = self.audio(audio) * present[:, :1]
        own["video"] = self.video(video) * present[:, 1:]
        posteriors = torch.stack((own["audio"], own["video"]), dim=1).softmax(dim=2)
        shares = present / present.sum(dim=1, keepdim=True).clamp(min=1)
        return (posteriors * shares[..., None]).sum(dim=1).clamp(min=1e-7).log()


class AudioOnly(nn.Module):
    """Baseline: the audio vector alone."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, n_labels)

    def forward(self, audio: Tensor, video: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d) -> (b, n_labels)``."""
        out: Tensor = self.linear(audio)
        return out


class VideoOnly(AudioOnly):
    """Baseline: the video vector alone."""

    def forward(self, audio: Tensor, video: Tensor, present: Tensor, own: Own) -> Tensor:
        """``(b, d) -> (b, n_labels)``."""
        out: Tensor = self.linear(video)
        return out


class AuxiliaryHeads(nn.Module):
    """Logits of each stream before it meets the other: attentive pool, dropout, linear.

    An option of ``best``: a loss on them keeps either modality good on its own.
    """

    def __init__(self, d_audio: int, d_video: int, n_labels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.pool_audio, self.pool_video = AttentivePool(d_audio), AttentivePool(d_video)
        self.dropout = nn.Dropout(dropout)
        self.audio, self.video = nn.Linear(d_audio, n_labels), nn.Linear(d_video, n_labels)

    def forward(self, audio: Stream, video: Stream) -> Own:
        """Zeros for an empty stream."""
        from_audio = self.audio(self.dropout(self.pool_audio(audio)))
        from_video = self.video(self.dropout(self.pool_video(video)))
        return {
            "audio": from_audio * audio.present[:, None],
            "video": from_video * video.present[:, None],
        }


class NoAuxiliaryHeads(nn.Module):
    """Most variants have none."""

    def forward(self, audio: Stream, video: Stream) -> Own:
        """Nothing."""
        return {}


class Expert(nn.Module):
    """Logits from numbers about a whole window: batch norm, dropout, linear.

    While training it is left out of every third sample, so that the others learn to do without:
    zeros, which say nothing in a product of experts.
    """

    def __init__(self, n_features: int, n_labels: int) -> None:
        super().__init__()
        self.norm = MaskedBatchNorm(n_features)
        self.dropout, self.linear = nn.Dropout(EXPERT_DROPOUT), nn.Linear(n_features, n_labels)

    def forward(self, features: Tensor, present: Tensor) -> Tensor:
        """``(b, n_features)``, bool ``(b, 1)`` -> ``(b, n_labels)``, zeros where not present."""
        scaled = self.norm(features[..., None], present)[..., 0]
        if self.training:
            present = present & (torch.rand_like(scaled[:, :1]) >= LEFT_OUT)
        out: Tensor = self.linear(self.dropout(scaled)) * present
        return out


class UtteranceHead(Expert):
    """An :class:`Expert` of what is said of a whole sample.

    An option of ``best``. It reads the last ``n_features`` of ``video (b, t_v, f)``, their mean
    over real steps.
    """

    def __init__(self, n_features: int, n_labels: int) -> None:
        super().__init__(n_features, n_labels)
        self.n_features = n_features

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Own:  # type: ignore[override]
        """``{"sample": (b, n_labels)}``, zeros where no step is real."""
        mask = given_mask(mask, video)
        features = zero_masked(video[..., -self.n_features :], mask)
        return {"utterance": super().forward(mean(features, mask), mask.any(dim=1, keepdim=True))}


class NoUtteranceHead(nn.Module):
    """Most networks have none."""

    def forward(self, video: Tensor, mask: Tensor | None = None) -> Own:
        """Nothing."""
        return {}
