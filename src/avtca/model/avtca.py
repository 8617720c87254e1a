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

    ``logits``: ``(b, n_labels)``. ``visual_tokens (b, t_v', d)`` and ``sound_tokens
    (b, t_a', d)``: both streams as they are pooled, zero where ``visual_mask`` and ``sound_mask``
    are False. ``auxiliary``: logits of each modality alone, by "sound" and "visual", where the
    variant has such heads, and of the experts for statistics of the "voice" and of the "face"
    and for the "take" as a whole; for the training loss, zeros where the modality is missing.
    ``attention``: the maps of every attention box, by "box.stream that asks"; empty unless asked
    for.
    """

    logits: Tensor
    visual_tokens: Tensor
    sound_tokens: Tensor
    visual_mask: Tensor
    sound_mask: Tensor
    auxiliary: dict[str, Tensor]
    attention: dict[str, AttentionMap]


@dataclass(kw_only=True, eq=False)
class Boxes:
    """The parts of the figure, each with the figure's name; a network has them as attributes."""

    visual_front: nn.Module
    sound_front: nn.Module
    visual_before: nn.Module
    sound_before: nn.Module
    auxiliary: nn.Module
    voice_expert: nn.Module
    face_expert: nn.Module
    take_expert: nn.Module
    visual_positions: nn.Module
    sound_positions: nn.Module
    transformer: nn.Module
    visual_after: nn.Module
    sound_after: nn.Module
    self_attention: nn.Module
    cross_attention: nn.Module
    visual_pool: nn.Module
    sound_pool: nn.Module
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
        self.meet_early = not isinstance(boxes.transformer, PassThrough)
        """Whether the streams meet in step 4; auxiliary heads stand where they are still apart."""

    def forward(
        self,
        visual: Tensor,
        sound: Tensor,
        visual_mask: Tensor | None = None,
        sound_mask: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> ModelOutput:
        """``visual (b, t_v, c, h, w)`` in 0..1 or ``(b, t_v, f)``, ``sound (b, f, t_a)``; masks
        bool ``(b, t_v)`` and ``(b, t_a)``, True = real, all True by default. A missing modality
        is a mask that is False everywhere; what stands at masked steps changes nothing.

        Raises ``ValueError`` for shapes that the network was not made for.
        """
        maps: Maps = {} if return_attention else None

        v = self.visual_front(visual, visual_mask)  # steps 1 to 3
        a = self.sound_front(sound, sound_mask)
        v = self.visual_before(v)  # step 3, convolutions
        a = self.sound_before(a)  # step 1
        present = torch.stack((a.present, v.present), dim=1)

        own = self.auxiliary(a, v) if self.meet_early else {}

        v, a = self.visual_positions(v), self.sound_positions(a)
        a, v = self.transformer(a, v, maps)  # step 4
        v = self.visual_after(v)  # step 5
        a = self.sound_after(a)
        own = own if self.meet_early else self.auxiliary(a, v)
        own |= self.voice_expert(sound, sound_mask)
        own |= self.face_expert(visual, visual_mask) | self.take_expert(visual, visual_mask)
        a, v = self.self_attention(a, v, maps)  # step 6
        a, v = self.cross_attention(a, v, maps)  # step 7

        from_visual = self.dropout(self.visual_pool(v))  # step 8
        from_sound = self.dropout(self.sound_pool(a))
        logits = self.head(from_sound, from_visual, present, own)  # step 9
        return ModelOutput(logits, v.tokens, a.tokens, v.mask, a.mask, own, maps or {})
