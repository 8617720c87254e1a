"""Figure, step 4, "transformer block": each branch looks at the other.

Also the parent work's two other fusions (Chumachenko et al. 2022). Shape legend: ``b`` batch,
``t_a`` audio steps, ``t_v`` video steps, ``t_q`` query steps, ``d`` token width, ``n_h`` heads.
"""

import torch
from torch import Tensor, nn

from avtca.model.attention import AttentionWeights, Maps, MultiHeadAttention, keep_map
from avtca.model.streams import Stream


class TransformerBlock(nn.Module):
    """Layer norms, attention from one stream to the other, then ``x + MLP(LayerNorm(x))``.

    ``(b, t_q, d_query)`` asks ``(b, t_k, d_key)``; the result ``(b, t_q, d_query)`` is for the
    caller to add to its stream, and zero where the other stream is empty. As released there is
    no residual around the attention; ``residual=True`` makes the sum outside a standard pre-norm
    block.
    """

    def __init__(
        self,
        d_query: int,
        d_key: int,
        *,
        heads: int,
        mlp_ratio: float = 2.0,
        residual: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.residual = residual
        self.norm_query, self.norm_key = nn.LayerNorm(d_query), nn.LayerNorm(d_key)
        self.attention = MultiHeadAttention(
            d_query, d_key, d_key, d_query, heads=heads, dropout=dropout
        )
        self.norm_out = nn.LayerNorm(d_query)
        hidden = int(d_query * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(d_query, hidden), nn.GELU(), nn.Linear(hidden, d_query))

    def forward(self, query: Stream, key: Stream) -> tuple[Tensor, Tensor]:
        """What to add to the query's tokens, and the weights ``(b, n_h, t_q, t_k)``."""
        keys = self.norm_key(key.tokens)
        seen, weights = self.attention(self.norm_query(query.tokens), keys, keys, key.mask)
        base = query.tokens + seen if self.residual else seen
        out = seen + self.mlp(self.norm_out(base))
        return out * key.present[:, None, None], weights


class TransformerBlocks(nn.Module):
    """Step 4: a transformer block for each branch, its output added to its own stream."""

    def __init__(self, audio: TransformerBlock, video: TransformerBlock) -> None:
        super().__init__()
        self.audio, self.video = audio, video

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both branches see the other as it was before this step."""
        to_audio, weights_audio = self.audio(audio, video)
        to_video, weights_video = self.video(video, audio)
        keep_map(maps, "transformer.audio", weights_audio, audio, video)
        keep_map(maps, "transformer.video", weights_video, video, audio)
        return (
            audio.with_tokens(audio.tokens + to_audio),
            video.with_tokens(video.tokens + to_video),
        )


class LateTransformer(nn.Module):
    """Parent work, "late transformer": the blocks at the end of the branches, nothing added.

    All that leaves one side comes from the other, so an empty stream still asks (with zeros,
    as in the parent's training with zeroed inputs): the other's content would be lost otherwise.
    """

    def __init__(self, audio: TransformerBlock, video: TransformerBlock) -> None:
        super().__init__()
        self.audio, self.video = audio, video

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Audio's tokens made from the video's, and the reverse."""
        asks_audio, asks_video = asking(audio), asking(video)
        to_audio, weights_audio = self.audio(asks_audio, video)
        to_video, weights_video = self.video(asks_video, audio)
        keep_map(maps, "late_transformer.audio", weights_audio, asks_audio, video)
        keep_map(maps, "late_transformer.video", weights_video, asks_video, audio)
        return asks_audio.with_tokens(to_audio), asks_video.with_tokens(to_video)


class IntermediateAttention(nn.Module):
    """Parent work, "intermediate attention": each step is scaled by the attention it gets.

    The weights with which the other stream's steps look at it are averaged over heads and summed
    over those steps. A stream whose other is empty stays as it is.
    """

    def __init__(self, d_audio: int, d_video: int, *, heads: int) -> None:
        super().__init__()
        self.audio = AttentionWeights(d_audio, d_video, d_audio, heads=heads)
        self.video = AttentionWeights(d_video, d_audio, d_video, heads=heads)

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both streams scaled, shapes kept."""
        from_audio = self.audio(audio.tokens, video.tokens, video.mask)
        from_video = self.video(video.tokens, audio.tokens, audio.mask)
        keep_map(maps, "intermediate_attention.audio", from_audio, audio, video)
        keep_map(maps, "intermediate_attention.video", from_video, video, audio)
        return (
            audio.with_tokens(audio.tokens * _received(from_video, video)),
            video.with_tokens(video.tokens * _received(from_audio, audio)),
        )


class PassThrough(nn.Module):
    """Nothing happens: the place of a box that a variant leaves out."""

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both streams as they are."""
        return audio, video


def asking(stream: Stream) -> Stream:
    """The stream, with every step of an empty one (zeros all) allowed to ask."""
    return stream._replace(mask=stream.mask | ~stream.present[:, None])


def _received(weights: Tensor, asker: Stream) -> Tensor:
    """Attention that each key got from the real queries: ``(b, n_h, t_q, t_k) -> (b, t_k, 1)``."""
    got = (weights.mean(dim=1) * asker.mask[:, :, None]).sum(dim=1)
    return torch.where(asker.present[:, None], got, torch.ones_like(got))[..., None]
