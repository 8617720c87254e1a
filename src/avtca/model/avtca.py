"""The AVT-CA network (Joe Dhanith et al., arXiv 2407.18552), in the order of its figure.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio steps, ``c`` channels, ``h``, ``w``
pixels, ``f`` features, ``d`` token width, ``n_h`` heads.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avtca.model.attention import AttentionMap, Maps
from avtca.model.config import ModelConfig
from avtca.model.experts import ExpertLogits
from avtca.model.transformer_block import PassThrough


class ModelOutput(NamedTuple):
    """Output of every variant.

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


@dataclass(kw_only=True, eq=False)
class Modules:
    """The steps of the figure; a network has them as attributes of the same names."""

    video_frontend: nn.Module
    audio_frontend: nn.Module
    video_before: nn.Module
    audio_before: nn.Module
    auxiliary: nn.Module
    audio_statistics: nn.Module
    video_statistics: nn.Module
    utterance_head: nn.Module
    video_positions: nn.Module
    audio_positions: nn.Module
    transformer: nn.Module
    video_after: nn.Module
    audio_after: nn.Module
    self_attention: nn.Module
    cross_attention: nn.Module
    video_pool: nn.Module
    audio_pool: nn.Module
    head: nn.Module


class AVTCA(nn.Module, Modules):
    """Runs the given modules in the order of the figure (:func:`~avtca.model.build_model`).

    Args:
        modules: The steps.
        variant: Name of the variant that they were built for, saved with a checkpoint.
        config: Sizes that they were built with, saved with a checkpoint.
    """

    def __init__(self, modules: Modules, *, variant: str, config: ModelConfig) -> None:
        super().__init__()
        for name, module in vars(modules).items():
            setattr(self, name, module)
        self.dropout = nn.Dropout(config.dropout)
        self.variant, self.config = variant, config
        self.early_fusion = not isinstance(modules.transformer, PassThrough)
        """Whether the streams are fused in step 4; auxiliary heads then read them before it."""

    def forward(
        self,
        video: Tensor,
        audio: Tensor,
        video_mask: Tensor | None = None,
        audio_mask: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> ModelOutput:
        """Predict.

        Values at masked steps have no effect; a missing modality is a mask that is False
        everywhere.

        Args:
            video: ``(b, t_v, c, h, w)`` in 0..1, or features ``(b, t_v, f)``.
            audio: ``(b, f, t_a)``.
            video_mask: bool ``(b, t_v)``, True for real steps; all True by default.
            audio_mask: bool ``(b, t_a)``, the same for audio.
            return_attention: Whether to return attention maps.

        Raises:
            ValueError: For shapes that the network was not built for.
        """
        maps: Maps = {} if return_attention else None

        v = self.video_frontend(video, video_mask)  # steps 1 to 3
        a = self.audio_frontend(audio, audio_mask)
        v = self.video_before(v)  # step 3, convolutions
        a = self.audio_before(a)  # step 1
        present = torch.stack((a.present, v.present), dim=1)

        experts = self.auxiliary(a, v) if self.early_fusion else {}
        v, a = self.video_positions(v), self.audio_positions(a)
        a, v = self.transformer(a, v, maps)  # step 4
        v = self.video_after(v)  # step 5
        a = self.audio_after(a)
        experts = experts if self.early_fusion else self.auxiliary(a, v)
        experts |= self.audio_statistics(audio, audio_mask)
        experts |= self.video_statistics(video, video_mask)
        experts |= self.utterance_head(video, video_mask)
        a, v = self.self_attention(a, v, maps)  # step 6
        a, v = self.cross_attention(a, v, maps)  # step 7

        from_video = self.dropout(self.video_pool(v))  # step 8
        from_audio = self.dropout(self.audio_pool(a))
        logits = self.head(from_audio, from_video, present, experts)  # step 9
        return ModelOutput(logits, v.tokens, a.tokens, v.mask, a.mask, experts, maps or {})
