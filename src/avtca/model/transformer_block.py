"""Figure, step 4, "transformer block": each branch attends to the other.

Shape legend: ``b`` batch, ``t_q`` query steps, ``t_k`` key steps, ``d`` token width, ``n_h`` heads.
"""

from torch import Tensor, nn

from avtca.model.attention import Branches, MultiHeadAttention
from avtca.model.streams import Stream


class TransformerBlock(nn.Module):
    """Layer norms, attention from one stream to the other, then ``x + MLP(LayerNorm(x))``.

    Queries ``(b, t_q, d_query)``, keys ``(b, t_k, d_key)``. The caller adds the output
    ``(b, t_q, d_query)`` to the query stream.

    Args:
        d_query: Width of the query tokens and of the output.
        d_key: Width of the key tokens.
        heads: Attention heads.
        mlp_ratio: Hidden width of the MLP over ``d_query``.
        residual: Whether the MLP's input includes the query tokens, which makes the caller's sum
            a standard pre-norm block. The released code has no such residual.
        dropout: On the output of the attention.
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
        """The output, zero if the key stream is empty, and the weights ``(b, n_h, t_q, t_k)``."""
        keys = self.norm_key(key.tokens)
        attended, weights = self.attention(self.norm_query(query.tokens), keys, keys, key.mask)
        base = query.tokens + attended if self.residual else attended
        out = attended + self.mlp(self.norm_out(base))
        return out * key.present[:, None, None], weights


class TransformerBlocks(Branches):
    """Step 4: a transformer block for each branch, whose output is added to the branch."""

    step = "transformer"
