"""Figure, step 7, "cross attention": queries of each stream, keys and values of the other.

Shape legend: ``b`` batch, ``t`` steps of the own stream, ``t_o`` steps of the other, ``d`` token
width, ``n_h`` heads.
"""

from torch import Tensor

from avtca.model.attention import Branch, Branches
from avtca.model.streams import Stream


class CrossAttention(Branch):
    """One branch: queries of its own stream, keys and values of the other."""

    def forward(self, own: Stream, other: Stream) -> tuple[Tensor, Tensor]:
        """``(b, t, d)``, zero if the other stream is empty, and weights ``(b, n_h, t, t_o)``."""
        keys = self.norm_other(other.tokens)
        out: tuple[Tensor, Tensor] = self.attention(
            self.norm_own(own.tokens), keys, keys, other.mask
        )
        return out


class CrossAttentions(Branches):
    """Step 7: one :class:`CrossAttention` for each branch.

    In the figure there is no residual: the output of a branch holds the other stream's values only
    (o_AV and o_VA of the paper).
    """

    step = "cross_attention"
