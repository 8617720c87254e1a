"""Figure, step 7, "cross attention": audio asks video, video asks audio.

Shape legend: ``b`` batch, ``t`` steps of the own stream, ``t_o`` steps of the other, ``d`` token
width, ``n_h`` heads.
"""

from torch import Tensor, nn

from avtca.model.attention import Maps, MultiHeadAttention, keep_map
from avtca.model.streams import Stream
from avtca.model.transformer_block import asking


class CrossAttention(nn.Module):
    """One branch: own queries, the other stream's keys and values.

    ``norm=True`` puts layer norms before queries and keys (an option of ``best``).
    """

    def __init__(self, d: int, *, heads: int, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm_own = nn.LayerNorm(d) if norm else nn.Identity()
        self.norm_other = nn.LayerNorm(d) if norm else nn.Identity()
        self.attention = MultiHeadAttention(d, d, d, d, heads=heads, dropout=dropout)

    def forward(self, own: Stream, other: Stream) -> tuple[Tensor, Tensor]:
        """``(b, t, d)``, zero where the other stream is empty, and weights ``(b, n_h, t, t_o)``."""
        keys = self.norm_other(other.tokens)
        out: tuple[Tensor, Tensor] = self.attention(
            self.norm_own(own.tokens), keys, keys, other.mask
        )
        return out


class CrossAttentions(nn.Module):
    """Step 7: one module for each branch.

    As drawn, a branch leaves with the other's values alone (o_AV and o_VA of the paper), so an
    empty stream still asks, with zeros: the other's content would be lost otherwise. With
    ``residual=True`` the output is added to the own stream and an empty stream stays empty.
    """

    def __init__(
        self, audio: CrossAttention, video: CrossAttention, *, residual: bool = False
    ) -> None:
        super().__init__()
        self.audio, self.video, self.residual = audio, video, residual

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both branches see the other as it was before this step."""
        asks_audio = audio if self.residual else asking(audio)
        asks_video = video if self.residual else asking(video)
        to_audio, weights_audio = self.audio(asks_audio, video)
        to_video, weights_video = self.video(asks_video, audio)
        keep_map(maps, "cross_attention.audio", weights_audio, asks_audio, video)
        keep_map(maps, "cross_attention.video", weights_video, asks_video, audio)
        if self.residual:
            to_audio, to_video = audio.tokens + to_audio, video.tokens + to_video
        return asks_audio.with_tokens(to_audio), asks_video.with_tokens(to_video)
