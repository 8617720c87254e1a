"""Synthetic recordings for demos and smoke tests."""
