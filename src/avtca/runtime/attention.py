"""Attention maps of a batch of windows, as a backend gives them."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]

STREAMS = {"video": "face", "audio": "voice"}
"""Names of streams in map names, and in reports."""
OTHER = {"face": "voice", "voice": "face"}


class AttentionMap(NamedTuple):
    """How strongly each moment of one stream attended to each moment of a stream.

    Attributes:
        weights: ``(b, t_q, t_k)``, the mean over heads; each row sums to one over real keys, or
            to zero where there is none or where the query is masked.
        query_times: ``(t_q,)``, fractions 0..1 of the window.
        key_times: ``(t_k,)``, fractions 0..1 of the window.
    """

    weights: Float
    query_times: Float
    key_times: Float

    @classmethod
    def of(
        cls,
        weights: NDArray[np.generic],
        query_times: NDArray[np.generic],
        key_times: NDArray[np.generic],
    ) -> "AttentionMap":
        """From weights of each head ``(b, n_h, t_q, t_k)``."""
        mean = np.asarray(weights, np.float32).mean(axis=1)
        return cls(mean, np.asarray(query_times, np.float32), np.asarray(key_times, np.float32))


AttentionMaps = Mapping[str, AttentionMap]
"""By "step.query stream", as "cross_attention.video"; empty for a network without attention."""


def query_stream(name: str) -> str:
    """The stream whose moments attend, "face" or "voice"."""
    return STREAMS[name.rpartition(".")[2]]


def key_stream(name: str) -> str:
    """The stream that is attended to, "face" or "voice"."""
    own = query_stream(name)
    return own if name.startswith("self_attention") else OTHER[own]
