"""The AVT-CA network (Joe Dhanith et al., arXiv 2407.18552), top to bottom as its figure.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio steps, ``c`` channels, ``h``, ``w``
pixels, ``f`` features, ``d`` token width, ``n_h`` heads.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avtca.model.attention import AttentionMap, Maps
from avtca.model.config import ModelConfig
from avtca.model.transformer_block import PassThrough


class ModelOutput(NamedTuple):
    """What every variant returns.

    ``logits``: ``(b, n_labels)``. ``video_tokens (b, t_v', d)`` and ``audio_tokens
    (b, t_a', d)``: both streams as they are pooled, zero where ``video_mask`` and ``audio_mask``
    are False. ``auxiliary``: logits of each modality alone, by "audio" and "video", where the
    variant has such heads, and of the experts for statistics of the "voice" and of the "face"
    and for the "take" as a whole; for the training loss, zeros where the modality is missing.
    ``attention``: the maps of every attention box, by "box.stream that asks"; empty unless asked
    for.
    """

    logits: Tensor
    video_tokens: Tensor
    audio_tokens: Tensor
    video_mask: Tensor
    audio_mask: Tensor
    auxiliary: dict[str, Tensor]
    attention: dict[str, AttentionMap]


@dataclass(kw_only=True, eq=False)
class Boxes:
    """The parts of the figure, each with the figure's name; a network has them as attributes."""

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


class AVTCA(nn.Module, Boxes):
    """The figure's boxes, given, in the figure's order.

    ``variant`` and ``config`` are what they were built from; they travel with a checkpoint.
    """

    def __init__(self, boxes: Boxes, *, variant: str, config: ModelConfig) -> None:
        super().__init__()
        for name, box in vars(boxes).items():
            setattr(self, name, box)
        self.dropout = nn.Dropout(config.dropout)
        self.variant, self.config = variant, config
        self.early_fusion = not isinstance(boxes.transformer, PassThrough)
        """Whether the streams meet in step 4; auxiliary heads stand where they are still apart."""

    def forward(
        self,
        video: Tensor,
        audio: Tensor,
        video_mask: Tensor | None = None,
        audio_mask: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> ModelOutput:
        """``video (b, t_v, c, h, w)`` in 0..1 or ``(b, t_v, f)``, ``audio (b, f, t_a)``; masks
        bool ``(b, t_v)`` and ``(b, t_a)``, True = real, all True by default. A missing modality
        is a mask that is False everywhere; what stands at masked steps changes nothing.

        Raises ``ValueError`` for shapes that the network was not made for.
        """
        maps: Maps = {} if return_attention else None

        v = self.video_frontend(video, video_mask)  # steps 1 to 3
        a = self.audio_frontend(audio, audio_mask)
        v = self.video_before(v)  # step 3, convolutions
        a = self.audio_before(a)  # step 1
        present = torch.stack((a.present, v.present), dim=1)

        own = self.auxiliary(a, v) if self.early_fusion else {}

        v, a = self.video_positions(v), self.audio_positions(a)
        a, v = self.transformer(a, v, maps)  # step 4
        v = self.video_after(v)  # step 5
        a = self.audio_after(a)
        own = own if self.early_fusion else self.auxiliary(a, v)
        own |= self.audio_statistics(audio, audio_mask)
        own |= self.video_statistics(video, video_mask) | self.utterance_head(video, video_mask)
        a, v = self.self_attention(a, v, maps)  # step 6
        a, v = self.cross_attention(a, v, maps)  # step 7

        from_video = self.dropout(self.video_pool(v))  # step 8
        from_audio = self.dropout(self.audio_pool(a))
        logits = self.head(from_audio, from_video, present, own)  # step 9
        return ModelOutput(logits, v.tokens, a.tokens, v.mask, a.mask, own, maps or {})
