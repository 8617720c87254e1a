"""Data sets and windows that training, evaluation and the recognizer share."""
