"""Which moments of the voice a moment of the face attended to in a clip, and back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avtca.recognize.prediction import TimelineRow
from avtca.runtime.attention import (
    OTHER,
    AttentionMap,
    AttentionMaps,
    key_stream,
    query_stream,
)

NOTE = (
    "Each row of weights says how a moment of the query attended to the moments of the key and "
    "sums to one; the mean over heads. A moment stands for the second or two around it, which "
    "convolutions have mixed before (docs/attention.md)."
)


@dataclass(frozen=True)
class WindowAttention:
    """The attention maps of one window.

    Attributes:
        start_s: Start of the window in seconds.
        end_s: Its end.
        person: Whose face was read.
        maps: By "step.query stream", as "cross_attention.video"; times in seconds of the clip,
            weights ``(t_q, t_k)`` between real steps.
    """

    start_s: float
    end_s: float
    person: int
    maps: dict[str, AttentionMap]

    @property
    def between(self) -> dict[tuple[str, str], AttentionMap]:
        """The maps between the streams that come last in the network, by query and key.

        Of the face attending to the voice, then back.
        """
        last = {(query_stream(name), key_stream(name)): found for name, found in self.maps.items()}
        return {pair: last[pair] for pair in (("face", "voice"), ("voice", "face")) if pair in last}

    def to_dict(self) -> dict[str, Any]:
        """JSON-serialisable values."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "person": self.person,
            "maps": {
                name: {
                    "query": query_stream(name),
                    "key": key_stream(name),
                    "query_s": _rounded(found.query_times, 3),
                    "key_s": _rounded(found.key_times, 3),
                    "weights": [_rounded(row, 5) for row in found.weights],
                }
                for name, found in self.maps.items()
            },
        }


def window_attention(
    maps: AttentionMaps, rows: Sequence[TimelineRow], window_s: float
) -> list[WindowAttention]:
    """The maps of windows with a face and a voice, in seconds, without masked steps.

    Windows in which no step of a map is real are left out.

    Args:
        maps: Of a batch.
        rows: The windows of the batch.
        window_s: Seconds of the network's window.
    """
    out = []
    for i, row in enumerate(rows):
        if set(row.modalities) != set(OTHER):
            continue
        real = {}
        for name, (weights, query_times, key_times) in maps.items():
            queries, keys = weights[i].any(axis=1), weights[i].any(axis=0)
            real[name] = AttentionMap(
                weights[i][np.ix_(queries, keys)],
                row.start_s + query_times[queries] * window_s,
                row.start_s + key_times[keys] * window_s,
            )
        if all(found.weights.size for found in real.values()):
            out.append(WindowAttention(row.start_s, row.end_s, row.person, real))
    return out


def attention_json(file: str, model: str, windows: Sequence[WindowAttention]) -> str:
    """All windows as a JSON document."""
    content = {
        "file": file,
        "model": model,
        "note": NOTE,
        "windows": [window.to_dict() for window in windows],
    }
    return json.dumps(content, ensure_ascii=False) + "\n"


def _rounded(values: NDArray[np.generic], digits: int) -> list[float]:
    return [round(float(value), digits) for value in values]
