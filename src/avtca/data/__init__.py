"""Data sets, windows, augmentation and caveats, for training and evaluation."""
