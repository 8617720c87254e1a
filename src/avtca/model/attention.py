"""Multi-head attention with masked keys, used in every attention step of the figure.

Shape legend: ``b`` batch, ``t_q`` query steps, ``t_k`` key steps, ``d`` token width, ``n_h``
heads.
"""

from typing import NamedTuple

from einops import rearrange
from torch import Tensor, nn

from avtca.model.streams import Stream, masked_softmax


class AttentionMap(NamedTuple):
    """Attention weights of one attention layer.

    Attributes:
        weights: ``(b, n_h, t_q, t_k)``; each row sums to one over real keys, or to zero if there
            is none.
        query_times: ``(t_q,)``, fractions 0..1 of the window.
        key_times: ``(t_k,)``, fractions 0..1 of the window.
        query_mask: bool ``(b, t_q)``, True for rows of real queries.
    """

    weights: Tensor
    query_times: Tensor
    key_times: Tensor
    query_mask: Tensor


Maps = dict[str, AttentionMap] | None
"""Attention maps by name, filled by the layers; ``None`` to keep none."""


class MultiHeadAttention(nn.Module):
    """``softmax(q k^T / sqrt(d / n_h)) v``, then a linear map.

    Args:
        d_query: Width of the tokens that queries are computed from.
        d_key: The same for keys.
        d_value: The same for values.
        d_out: Width of queries, keys, values and output, a multiple of ``heads``.
        heads: Attention heads.
        bias: Whether queries, keys and values have a bias (not in the released transformer block).
        dropout: On the output. The weights have none, as in the released code.
    """

    def __init__(
        self,
        d_query: int,
        d_key: int,
        d_value: int,
        d_out: int,
        *,
        heads: int,
        bias: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.weigh = AttentionWeights(d_query, d_key, d_out, heads=heads, bias=bias)
        self.value = nn.Linear(d_value, d_out, bias=bias)
        self.dropout = nn.Dropout(dropout)
        self.project = nn.Linear(d_out, d_out)

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            query: ``(b, t_q, d_query)``.
            key: ``(b, t_k, d_key)``.
            value: ``(b, t_k, d_value)``.
            key_mask: bool ``(b, t_k)``, True for real keys.

        Returns:
            Output ``(b, t_q, d_out)``, zero where no key is real, and weights
            ``(b, n_h, t_q, t_k)``.
        """
        weights = self.weigh(query, key, key_mask)
        heads = self.weigh.heads
        v = rearrange(self.value(value), "b k (n d) -> b n k d", n=heads)
        mixed = rearrange(weights @ v, "b n q d -> b q (n d)")
        out = self.dropout(self.project(mixed)) * key_mask.any(dim=1)[:, None, None]
        return out, weights


class AttentionWeights(nn.Module):
    """Attention weights: ``(b, t_q, d_query)``, ``(b, t_k, d_key)`` -> ``(b, n_h, t_q, t_k)``."""

    def __init__(
        self, d_query: int, d_key: int, d_out: int, *, heads: int, bias: bool = False
    ) -> None:
        super().__init__()
        if d_out % heads:
            raise ValueError(f"width {d_out} does not divide into {heads} heads")
        self.heads, self.scale = heads, (d_out // heads) ** -0.5
        self.query = nn.Linear(d_query, d_out, bias=bias)
        self.key = nn.Linear(d_key, d_out, bias=bias)

    def forward(self, query: Tensor, key: Tensor, key_mask: Tensor) -> Tensor:
        """Rows sum to one over real keys, or to zero if there is none."""
        q = rearrange(self.query(query), "b q (n d) -> b n q d", n=self.heads)
        k = rearrange(self.key(key), "b k (n d) -> b n d k", n=self.heads)
        return masked_softmax(q @ k * self.scale, key_mask[:, None, None, :])


class Branch(nn.Module):
    """Attention in one branch between its own stream and the other.

    Args:
        d: Token width.
        heads: Attention heads.
        norm: Whether the tokens of both streams are layer-normalised first.
        dropout: On the output.
    """

    def __init__(self, d: int, *, heads: int, norm: bool = False, dropout: float = 0.0) -> None:
        super().__init__()
        self.norm_own = nn.LayerNorm(d) if norm else nn.Identity()
        self.norm_other = nn.LayerNorm(d) if norm else nn.Identity()
        self.attention = MultiHeadAttention(d, d, d, d, heads=heads, dropout=dropout)


class Branches(nn.Module):
    """A module for each branch; each gets the other stream as it was before this step.

    With ``residual`` its output is added to the branch, and an empty stream stays empty. Without,
    the output holds the other stream's values only. An empty stream therefore still attends, with
    zero queries, so that the other stream's content is not lost.

    Args:
        audio: Audio and video stream to tokens ``(b, t_a, d)`` and attention weights.
        video: Video and audio stream to tokens ``(b, t_v, d)`` and attention weights.
        residual: Whether the output is added to the branch.
    """

    step = ""
    """Name of the step in attention maps."""
    own_keys = False
    """Whether keys are of the branch's own stream."""

    def __init__(self, audio: nn.Module, video: nn.Module, *, residual: bool = True) -> None:
        super().__init__()
        self.audio, self.video, self.residual = audio, video, residual

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both streams after this step."""
        return (
            self._attended("audio", audio, video, maps),
            self._attended("video", video, audio, maps),
        )

    def _attended(self, name: str, own: Stream, other: Stream, maps: Maps) -> Stream:
        query = own if self.residual else as_query(own)
        tokens, weights = getattr(self, name)(query, other)
        keep_map(maps, f"{self.step}.{name}", weights, query, own if self.own_keys else other)
        return query.with_tokens(own.tokens + tokens if self.residual else tokens)


class PassThrough(nn.Module):
    """Identity, for steps that a variant leaves out."""

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both streams unchanged."""
        return audio, video


def as_query(stream: Stream) -> Stream:
    """The stream as queries: all steps of an empty stream (zeros) count as real."""
    return stream._replace(mask=stream.mask | ~stream.present[:, None])


def keep_map(maps: Maps, name: str, weights: Tensor, query: Stream, key: Stream) -> None:
    """Store an attention map under ``name``, unless ``maps`` is ``None``."""
    if maps is not None:
        maps[name] = AttentionMap(weights, query.times, key.times, query.mask)
