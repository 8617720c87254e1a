"""Figure, step 6, "self attention": queries and keys of a stream, values of the other.

Shape legend: ``b`` batch, ``t`` steps of the own stream, ``t_o`` steps of the other, ``d`` token
width, ``n_h`` heads.
"""

import torch
from torch import Tensor, nn

from avtca.model.attention import Branch, Branches, Maps, MultiHeadAttention, keep_map
from avtca.model.streams import Stream


def align_to(other: Stream, times: Tensor) -> Tensor:
    """The other stream's tokens resampled at ``times (t,)``: ``(b, t_o, d) -> (b, t, d)``.

    Linear interpolation between the nearest real steps, constant before the first and after the
    last; zeros if the stream is empty. The figure needs as many values as keys; the paper leaves
    open how they are aligned.
    """
    before = other.mask[:, None] & (other.times[None, None] <= times[None, :, None])
    after = other.mask[:, None] & (other.times[None, None] > times[None, :, None])
    clock = other.times[None, None].expand_as(before)
    far = 1e4
    left = clock.masked_fill(~before, -far).amax(dim=2)
    right = clock.masked_fill(~after, far).amin(dim=2)
    share = (times[None] - left) / (right - left)
    share = torch.where(left == -far, 1.0, torch.where(right == far, 0.0, share))
    at_left = before & (clock == left[..., None])
    at_right = after & (clock == right[..., None])
    weights = at_left * (1 - share)[..., None] + at_right * share[..., None]
    return weights @ other.tokens


class SelfAttention(Branch):
    """One branch: queries and keys of its own stream, values of the other, aligned in time."""

    def forward(self, own: Stream, other: Stream) -> tuple[Tensor, Tensor]:
        """``(b, t, d)``, zero if the other stream is empty, and weights ``(b, n_h, t, t)``."""
        tokens = self.norm_own(own.tokens)
        values = self.norm_other(align_to(other, own.times))
        out, weights = self.attention(tokens, tokens, values, own.mask)
        return out * other.present[:, None, None], weights


class SelfAttentions(Branches):
    """Step 6: one :class:`SelfAttention` for each branch, whose output is added to the branch."""

    step, own_keys = "self_attention", True


class SharedSelfAttention(nn.Module):
    """Released code: one module for both branches, q = k = v = the stream, without residual."""

    def __init__(self, d: int, *, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(d, d, d, d, heads=heads, bias=True, dropout=dropout)

    def forward(self, audio: Stream, video: Stream, maps: Maps) -> tuple[Stream, Stream]:
        """Both streams, each attended to itself."""
        out = []
        for name, own in (("audio", audio), ("video", video)):
            tokens, weights = self.attention(own.tokens, own.tokens, own.tokens, own.mask)
            keep_map(maps, f"self_attention.{name}", weights, own, own)
            out.append(own.with_tokens(tokens))
        return out[0], out[1]
