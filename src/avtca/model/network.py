"""What training, evaluation and export use of a network."""

from typing import Literal, NamedTuple

from torch import Tensor, nn

from avtca.model.attention import AttentionMap
from avtca.model.config import ModelConfig
from avtca.model.experts import ExpertLogits

Streams = Literal["both", "audio", "video"]


class ModelOutput(NamedTuple):
    """Output of every network.

    Attributes:
        logits: ``(b, n_labels)``.
        video_tokens: ``(b, t_v', d)``, the stream before pooling, zero where masked.
        audio_tokens: ``(b, t_a', d)``, the same for audio.
        video_mask: bool ``(b, t_v')``, True for real tokens.
        audio_mask: bool ``(b, t_a')``, the same for audio.
        expert_logits: Logits of each expert head that the network has, ``(b, n_labels)`` by the
            names in :data:`~avtca.model.experts.MODALITY_OF`, for the auxiliary loss; zeros where
            the modality is missing.
        attention: Maps of every attention layer by "step.query stream"; empty unless requested.
    """

    logits: Tensor
    video_tokens: Tensor
    audio_tokens: Tensor
    video_mask: Tensor
    audio_mask: Tensor
    expert_logits: ExpertLogits
    attention: dict[str, AttentionMap]


class FusionNetwork(nn.Module):
    """A network from windows of video and audio to :class:`ModelOutput`."""

    variant: str
    """Its name in configurations and cards."""
    config: ModelConfig
    """Its sizes; with the name they are enough to build it again."""
    streams: Streams
    """Modalities that it reads."""
