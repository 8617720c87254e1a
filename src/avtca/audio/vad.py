"""Where a waveform holds a voice, by the network Silero VAD."""

import numpy as np
from numpy.typing import NDArray

from avtca.audio.high_pass import high_pass
from avtca.audio.resampling import resample
from avtca.networks import packaged_network

VOICE_RATE = 100
"""Decisions a second: one each 10 ms."""
THRESHOLD = 0.25
"""Probability of speech from which audio counts as voice, as measured (docs/decisions.md)."""
SLOWDOWNS = 0.75, 1.4
"""The network reads the audio faster and slower than it is, which brings laughter, and high voices
as in screams, nearer to the speech that it was trained on."""
GAP_S = 0.2
"""Shorter pauses inside speech count as speech (stops, unvoiced consonants)."""
BURST_S = 0.05
"""Shorter bursts are clicks."""

NETWORK = "vad.onnx"
NETWORK_SHA256 = "0e27df1c5bdd7bfbe6ad561103887d7cf3d694daf156b2dcf28c7d61419f6240"
NETWORK_RATE = 16_000
FRAME, CONTEXT = 512, 64
"""Samples of a frame, and of the one before it that the network reads with it."""
BLOCK = 1024
"""Frames in one call of the network; keeps an hour of audio in little memory."""


def voice_activity(
    wave: NDArray[np.float32], rate: float, *, filtered: bool = False
) -> NDArray[np.bool_]:
    """Whether each 10 ms of a mono waveform hold a voice: speech, laughter, crying or a scream.

    Frequencies below 60 Hz are removed, the network reads the rest at two speeds, and the larger
    of both probabilities counts. Pauses under 0.2 s are filled and bursts under 0.05 s dropped.

    Args:
        wave: Floating point ``(n,)``.
        rate: Sample rate in Hz.
        filtered: Whether frequencies below 60 Hz were removed already.

    Returns:
        bool ``(ceil(n * 100 / rate),)``, :data:`VOICE_RATE` decisions a second; decision ``k`` is
        about ``[k, k + 1) / 100`` s.

    Raises:
        CheckpointError: The network's file is missing or damaged.
    """
    n = int(np.ceil(len(wave) * VOICE_RATE / rate - 1e-9))
    if not n:
        return np.zeros(0, np.bool_)
    wave = np.asarray(wave, np.float32)
    wave = wave if filtered else high_pass(wave, rate)
    times = (np.arange(n) + 0.5) / VOICE_RATE
    speech = np.zeros(n, np.float32)
    for slowdown in SLOWDOWNS:
        values = _speech_probabilities(resample(wave, rate, NETWORK_RATE * slowdown))
        frames = (times * NETWORK_RATE * slowdown / FRAME).astype(np.int64)
        speech = np.maximum(speech, values[np.minimum(frames, len(values) - 1)])
    voiced = ~_drop_short(speech <= THRESHOLD, round(GAP_S * VOICE_RATE), keep_ends=True)
    return _drop_short(voiced, round(BURST_S * VOICE_RATE), keep_ends=False)


def _speech_probabilities(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's probability of speech in each frame of a waveform at its rate."""
    network = packaged_network(NETWORK, NETWORK_SHA256)
    n = max(1, -(-len(wave) // FRAME))
    padded = np.pad(wave, (CONTEXT, n * FRAME - len(wave)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, CONTEXT + FRAME)[::FRAME]
    out = np.empty(n, np.float32)
    hidden = cell = np.zeros((1, 1, 128), np.float32)
    for at in range(0, n, BLOCK):
        block = np.ascontiguousarray(frames[at : at + BLOCK])
        inputs = {"input": block, "h": hidden, "c": cell}
        out[at : at + BLOCK], hidden, cell = network.run(["speech_probs", "hn", "cn"], inputs)
    return out


def _drop_short(on: NDArray[np.bool_], shortest: int, *, keep_ends: bool) -> NDArray[np.bool_]:
    """``on`` without its runs shorter than ``shortest``; those at the ends stay if asked to."""
    out = on.copy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], on, [False]]).astype(np.int8)))
    for start, stop in edges.reshape(-1, 2):
        at_end = start == 0 or stop == len(on)
        if stop - start < shortest and not (keep_ends and at_end):
            out[start:stop] = False
    return out
