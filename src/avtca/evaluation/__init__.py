"""Evaluation of models: metrics with intervals over speakers, calibration, comparison, reports."""
