"""Figure, step 9: logits from the two pooled vectors; and the heads of the other networks.

Shape legend: ``b`` batch, ``d`` token width. All heads have the same inputs: pooled vectors
``audio (b, d)`` and ``video (b, d)``, bool ``present (b, 2)`` (audio, video), and the logits of
the expert heads; and return logits ``(b, n_labels)``.
"""

import torch
from torch import Tensor, nn

from avtca.model.config import ModelConfig, Output
from avtca.model.experts import MODALITY_OF, ExpertLogits
from avtca.model.streams import masked_softmax


class Sum(nn.Module):
    """Figure, step 9: element-wise sum, then a fully connected layer."""

    n_vectors = 1
    """Vectors that are concatenated before the layer."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(self.n_vectors * d, n_labels)

    def forward(
        self, audio: Tensor, video: Tensor, present: Tensor, expert_logits: ExpertLogits
    ) -> Tensor:
        """Logits."""
        out: Tensor = self.linear(self.joined(audio, video))
        return out

    def joined(self, audio: Tensor, video: Tensor) -> Tensor:
        """Input of the fully connected layer."""
        return audio + video


class Concatenation(Sum):
    """Released code and the concatenation baseline: concatenated, then fully connected."""

    n_vectors = 2

    def joined(self, audio: Tensor, video: Tensor) -> Tensor:
        """Input of the fully connected layer."""
        return torch.cat((audio, video), dim=1)


class AudioOnly(Sum):
    """Baseline: fully connected layer on the audio vector."""

    def joined(self, audio: Tensor, video: Tensor) -> Tensor:
        """Input of the fully connected layer."""
        return audio


class VideoOnly(Sum):
    """Baseline: fully connected layer on the video vector."""

    def joined(self, audio: Tensor, video: Tensor) -> Tensor:
        """Input of the fully connected layer."""
        return video


class Gated(nn.Module):
    """Sum of the present vectors, weighted by a softmax gate, then a fully connected layer."""

    def __init__(self, d: int, n_labels: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2 * d, 2)
        self.linear = nn.Linear(d, n_labels)

    def forward(
        self, audio: Tensor, video: Tensor, present: Tensor, expert_logits: ExpertLogits
    ) -> Tensor:
        """Logits."""
        gates = masked_softmax(self.gate(torch.cat((audio, video), dim=1)), present)
        out: Tensor = self.linear(gates[:, :1] * audio + gates[:, 1:] * video)
        return out


class Product(nn.Module):
    """Product of experts (Hinton 2002): sum of the log-posteriors of the present experts.

    Where several labels may apply, the posteriors are those of each label's presence, and their
    log-odds are summed. It has no parameters and does not read the pooled vectors.

    Args:
        audio_weight: Weight of the log-posteriors of the audio experts (log-linear pooling).
        output: What the logits stand for.
    """

    def __init__(self, audio_weight: float = 1.0, output: Output = "softmax") -> None:
        super().__init__()
        self.weights, self.output = (audio_weight, 1.0), output

    def forward(
        self, audio: Tensor, video: Tensor, present: Tensor, expert_logits: ExpertLogits
    ) -> Tensor:
        """Logits; zeros if no modality is present."""
        terms = []
        for name, logits in expert_logits.items():
            i = MODALITY_OF[name]
            term = logits.log_softmax(dim=1) if self.output == "softmax" else logits
            terms.append(self.weights[i] * term * present[:, i, None])
        return torch.stack(terms).sum(dim=0)


class Late(Product):
    """:class:`Product` plus the logits of :class:`Gated` as one more factor."""

    def __init__(
        self, d: int, n_labels: int, audio_weight: float = 1.0, output: Output = "softmax"
    ) -> None:
        super().__init__(audio_weight, output)
        self.joint = Gated(d, n_labels)

    def forward(
        self, audio: Tensor, video: Tensor, present: Tensor, expert_logits: ExpertLogits
    ) -> Tensor:
        """Logits."""
        joint: Tensor = self.joint(audio, video, present, expert_logits)
        return joint + super().forward(audio, video, present, expert_logits)


class MeanPosterior(nn.Module):
    """Baseline: a classifier for each modality; logits are those of their mean posterior."""

    def __init__(self, d: int, n_labels: int, output: Output = "softmax") -> None:
        super().__init__()
        self.output = output
        self.audio, self.video = nn.Linear(d, n_labels), nn.Linear(d, n_labels)

    def forward(
        self, audio: Tensor, video: Tensor, present: Tensor, expert_logits: ExpertLogits
    ) -> Tensor:
        """Logits; adds those of each modality to ``expert_logits``."""
        from_audio = self.audio(audio) * present[:, :1]
        from_video = self.video(video) * present[:, 1:]
        expert_logits |= {"audio": from_audio, "video": from_video}
        logits = torch.stack((from_audio, from_video), dim=1)
        posteriors = logits.softmax(dim=2) if self.output == "softmax" else logits.sigmoid()
        shares = present / present.sum(dim=1, keepdim=True).clamp(min=1)
        mean = (posteriors * shares[..., None]).sum(dim=1)
        return mean.logit(eps=1e-7) if self.output == "sigmoid" else mean.clamp(min=1e-7).log()


def make_head(streams: str, fusion: str, d: int, config: ModelConfig) -> nn.Module:
    """The head for these streams and this fusion, see :class:`~avtca.model.variants.Variant`."""
    n_labels, output = config.n_labels, config.output or "softmax"
    if streams != "both":
        return AudioOnly(d, n_labels) if streams == "audio" else VideoOnly(d, n_labels)
    if fusion == "product":
        return Product(config.audio_weight, output)
    if fusion == "late":
        return Late(d, n_labels, config.audio_weight, output)
    if fusion == "mean_posterior":
        return MeanPosterior(d, n_labels, output)
    kinds = {"sum": Sum, "concatenation": Concatenation, "gated": Gated}
    return kinds[fusion](d, n_labels)
