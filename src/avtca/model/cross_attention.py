"""Figure, step 7, "cross attention": queries of each stream, keys and values of the other.

Shape legend: ``b`` batch, ``t`` steps of the own stream, ``t_o`` steps of the other, ``d`` token
width, ``n_h`` heads.
"""

from torch import Tensor, nn

from avtca.model.attention import Maps, MultiHeadAttention, keep_map
from avtca.model.streams import Stream
from avtca.model.transformer_block import as_query


class CrossAttention(nn.Module):
    """One branch: queries of its own stream, keys and values of the other.

    Args:
        d: Token width.
        heads: Attention heads.
        norm: Whether layer norms come before queries and keys.
        dropout: On the output.
    """

    def __init__(self, d: int, *, heads: int, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm_own = nn.LayerNorm(d) if norm else nn.Identity()
        self.norm_other = nn.LayerNorm(d) if norm else nn.Identity()
        self.attention = MultiHeadAttention(d, d, d, d, heads=heads, dropout=dropout)

    def forward(self, own: Stream, other: Stream) -> tuple[Tensor, Tensor]:
        """``(b, t, d)``, zero if the other stream is empty, and weights ``(b, n_h, t, t_o)``."""
        keys = self.norm_other(other.tokens)
        out: tuple[Tensor, Tensor] = self.attention(
            self.norm_own(own.tokens), keys, keys, other.mask
        )
        return out


class CrossAttentions(nn.Module):
    """Step 7: one :class:`CrossAttention` for each branch.

    In the figure the output of a branch holds the other stream's values only (o_AV and o_VA of
    the paper). An empty stream therefore still attends, with zero queries, so that the other
    stream's content is not lost. With ``residual=True`` the output is added to the branch, and an
    empty stream stays empty.
    """

    def __init__(
        self, audio: CrossAttention, video: CrossAttention, *, residual: bool = False
    ) -> None:
        super().__init__()
        self.audio, self.video, self.residual = audio, video, residual

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both streams; each branch gets the other stream as it was before this step."""
        query_audio = audio if self.residual else as_query(audio)
        query_video = video if self.residual else as_query(video)
        to_audio, weights_audio = self.audio(query_audio, video)
        to_video, weights_video = self.video(query_video, audio)
        keep_map(maps, "cross_attention.audio", weights_audio, query_audio, video)
        keep_map(maps, "cross_attention.video", weights_video, query_video, audio)
        if self.residual:
            to_audio, to_video = audio.tokens + to_audio, video.tokens + to_video
        return query_audio.with_tokens(to_audio), query_video.with_tokens(to_video)
