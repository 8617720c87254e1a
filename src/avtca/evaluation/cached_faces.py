"""A backend that encodes each face crop once."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from avtca.preprocess import ModelInput
from avtca.runtime.attention import AttentionMaps
from avtca.runtime.backends import Backend

MAX_CROPS = 2**20
"""Crops whose features are kept; more than these start anew."""


class CachedFaces:
    """Another backend, which encodes each face crop once.

    Windows overlap, and degradations of the audio leave the faces as they are.

    Args:
        backend: The backend.
    """

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.spec, self.name, self.weights = backend.spec, backend.name, backend.weights
        self.crop_px, self.colour = backend.crop_px, backend.colour
        self.temperature, self.thresholds = backend.temperature, backend.thresholds
        self.training_files = backend.training_files
        self._features: dict[bytes, NDArray[np.generic]] = {}

    def encode_faces(self, crops: NDArray[np.uint8]) -> NDArray[np.generic]:
        """See :meth:`~avtca.runtime.backends.Backend.encode_faces`."""
        if self.spec.video != "features":
            return self.backend.encode_faces(crops)
        keys = [hashlib.blake2b(crop.tobytes(), digest_size=16).digest() for crop in crops]
        new = {key: at for at, key in enumerate(keys) if key not in self._features}
        if len(self._features) + len(new) > MAX_CROPS:
            self._features.clear()
            new = {key: at for at, key in enumerate(keys)}
        if new:
            made = self.backend.encode_faces(crops[[*new.values()]])
            self._features.update(zip(new, made, strict=True))
        return np.stack([self._features[key] for key in keys])

    def logits(self, batch: ModelInput) -> NDArray[np.float32]:
        """See :meth:`~avtca.runtime.backends.Backend.logits`."""
        return self.backend.logits(batch)

    def attend(self, batch: ModelInput) -> tuple[NDArray[np.float32], AttentionMaps]:
        """See :meth:`~avtca.runtime.backends.Backend.attend`."""
        return self.backend.attend(batch)
