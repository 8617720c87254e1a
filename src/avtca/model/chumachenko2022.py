"""The two other fusions of the parent work (Chumachenko et al. 2022, arXiv 2201.11095).

Shape legend: ``b`` batch, ``t_q`` query steps, ``t_k`` key steps, ``d`` token width, ``n_h`` heads.
"""

import torch
from torch import Tensor, nn

from avtca.model.attention import AttentionWeights, Branches, Maps, keep_map
from avtca.model.streams import Stream
from avtca.model.transformer_block import TransformerBlock


class LateTransformer(Branches):
    """Late transformer ("lt"): transformer blocks at the end of the branches, without residual."""

    step = "late_transformer"

    def __init__(self, audio: TransformerBlock, video: TransformerBlock) -> None:
        super().__init__(audio, video, residual=False)


class IntermediateAttention(nn.Module):
    """Intermediate attention ("ia"): each step is scaled by the attention that it receives.

    Attention weights of the other stream's queries are averaged over heads and summed over
    queries. If the other stream is empty, a stream is unchanged.
    """

    def __init__(self, d_audio: int, d_video: int, *, heads: int) -> None:
        super().__init__()
        self.audio = AttentionWeights(d_audio, d_video, d_audio, heads=heads)
        self.video = AttentionWeights(d_video, d_audio, d_video, heads=heads)

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both streams, scaled."""
        from_audio = self.audio(audio.tokens, video.tokens, video.mask)
        from_video = self.video(video.tokens, audio.tokens, audio.mask)
        keep_map(maps, "intermediate_attention.audio", from_audio, audio, video)
        keep_map(maps, "intermediate_attention.video", from_video, video, audio)
        return (
            audio.with_tokens(audio.tokens * _received(from_video, video)),
            video.with_tokens(video.tokens * _received(from_audio, audio)),
        )


def _received(weights: Tensor, query: Stream) -> Tensor:
    """Attention that each key receives from real queries: ``(b, n_h, t_q, t_k) -> (b, t_k, 1)``."""
    received = (weights.mean(dim=1) * query.mask[:, :, None]).sum(dim=1)
    return torch.where(query.present[:, None], received, torch.ones_like(received))[..., None]
