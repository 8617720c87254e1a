"""Waveform to features: MFCC, log-mel, resampling and voice activity, in numpy.

Waveforms are float32 ``(n,)``, mono, -1..1. :mod:`avtca.sound.augment` degrades and varies them
for training and robustness curves.
"""

from avtca.sound.resampling import resample
from avtca.sound.spectral import features, mel_filters
from avtca.sound.voice import VOICE_RATE, voice_activity

__all__ = ["VOICE_RATE", "features", "mel_filters", "resample", "voice_activity"]
