"""Waveform to features: high-pass, MFCC, log-mel, resampling and voice activity, in numpy.

Waveforms are float32 ``(n,)``, mono, -1..1. :mod:`avtca.audio.augment` degrades and varies them
for training and robustness curves.
"""

from avtca.audio.high_pass import high_pass
from avtca.audio.resampling import resample
from avtca.audio.spectral import features, mel_filters
from avtca.audio.vad import VOICE_RATE, voice_activity

__all__ = ["VOICE_RATE", "features", "high_pass", "mel_filters", "resample", "voice_activity"]
