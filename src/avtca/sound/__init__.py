"""Waveform to features."""
