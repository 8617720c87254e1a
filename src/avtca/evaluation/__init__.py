"""Metrics with intervals over speakers, calibration, and answers that may abstain."""
