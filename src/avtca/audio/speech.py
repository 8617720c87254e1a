"""Tokens of a pretrained speech encoder: the first three blocks of Whisper base.

Radford et al. 2023, "Robust Speech Recognition via Large-Scale Weak Supervision" (weights: MIT).
The network is frozen; experiments/default_model/speech.py makes its file. Audio is not padded to
the 30 s of the original, so tokens depend on the waveform given alone.
"""

import numpy as np
from numpy.typing import NDArray

from avtca.audio.spectral import checked_wave, mel_power
from avtca.clipspec import MAX_SPEECH_S, SPEECH_SIZES
from avtca.networks import packaged_network

Float = NDArray[np.float32]

FILE = "speech.onnx"
SHA256 = "104bfdaa6741df31e124b53e2d1df55b0aae4e7d5d77947538cfa55c91d8d40e"
RATE, N_FFT = SPEECH_SIZES["sample_rate"], SPEECH_SIZES["n_fft"]
TOKEN_HOP, TOKEN_DIM = SPEECH_SIZES["hop"], SPEECH_SIZES["audio_dim"]
"""Samples between tokens (50 tokens a second), and values of a token."""
HOP, BANDS = TOKEN_HOP // 2, 80
"""Whisper's log-mel spectrogram: samples between frames, mel bands."""
MAX_TOKENS = round(MAX_SPEECH_S * RATE) // TOKEN_HOP
"""Tokens that the file has positions for."""
LOG_FLOOR, TOP_BELS = 1e-10, 8.0
LEVEL_TOKENS, TOP_DB = 5, 25.0
"""Tokens over which a level is taken, and decibels below the loudest that count as loud."""


def speech_tokens(wave: Float) -> Float:
    """Tokens ``(512, t)`` float32 of a waveform, ``t = ceil(n / 320)``.

    Args:
        wave: Mono, 16 kHz, ``(n,)``, 1 to 240,000 samples (15 s).

    Raises:
        CheckpointError: If the packaged file is missing or damaged.
        MediaError: If a sample is not finite.
        ValueError: If the waveform is empty or too long.
    """
    n = -(-len(wave) // TOKEN_HOP)
    if not 1 <= n <= MAX_TOKENS:
        raise ValueError(
            f"{len(wave)} samples; the speech encoder takes 1 to {MAX_TOKENS * TOKEN_HOP}"
        )
    # At least two tokens: the file's axis of time does not allow for one.
    padded = np.pad(checked_wave(wave), (0, max(2, n) * TOKEN_HOP - len(wave)))
    mel = whisper_log_mel(padded)[None]
    tokens = packaged_network(FILE, SHA256).run(["tokens"], {"mel": mel})[0][0, :, :n]
    return np.asarray(tokens, np.float32)


def loud_tokens(wave: Float) -> NDArray[np.bool_]:
    """Tokens ``(t,)`` that are at most 25 dB below the loudest of the waveform ``(n,)``.

    The level is the mean square over five tokens, 100 ms, so that short pauses stay. Pauses and
    the silence around an utterance distinguish corpora more than emotions: without them
    statistics of the tokens carry over to other corpora (docs/decisions.md).
    """
    n = -(-len(wave) // TOKEN_HOP)
    blocks = np.pad(wave.astype(np.float64), (0, n * TOKEN_HOP - len(wave))).reshape(n, TOKEN_HOP)
    power = np.convolve(np.square(blocks).mean(axis=1), np.full(LEVEL_TOKENS, 1 / LEVEL_TOKENS))
    power = power[LEVEL_TOKENS // 2 :][:n]
    return np.asarray(power >= power.max() * 10 ** (-TOP_DB / 10))


def whisper_log_mel(wave: Float) -> Float:
    """Whisper's log-mel spectrogram ``(80, n // 160)`` of a mono waveform at 16 kHz ``(n,)``.

    Reflected ends, Slaney's mel filters from 0 to 8 kHz, decimal logarithm, no more than 8 below
    the window's maximum, then ``(x + 4) / 4``.
    """
    padded = np.pad(wave.astype(np.float64), N_FFT // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, N_FFT)[::HOP][: len(wave) // HOP]
    bels = np.log10(np.maximum(mel_power(frames, RATE, BANDS), LOG_FLOOR))
    return np.asarray((np.maximum(bels, bels.max() - TOP_BELS) + 4) / 4, np.float32)
