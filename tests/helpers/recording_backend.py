"""A backend that records its inputs; its logits are a simple function of them."""

import numpy as np

from avtca.clipspec import ClipSpec


class RecordingBackend:
    name = "recording"
    temperature = 1.0
    weights = "none"
    training_files = frozenset()

    def __init__(self, spec: ClipSpec, *, crop_px: int = 48, colour: str = "grey", **sure) -> None:
        self.thresholds = sure
        self.spec, self.crop_px, self.colour = spec, crop_px, colour
        self.batches = []
        self.crops_seen = 0

    def encode_faces(self, crops):
        self.crops_seen += len(crops)
        if self.spec.video == "pixels":
            return crops
        return crops.reshape(len(crops), -1)[:, : self.spec.video_dim].astype(np.float32) / 255

    def logits(self, batch):
        self.batches.append(batch)
        rows = np.arange(len(batch), dtype=np.float32)[:, None]
        return rows + np.arange(len(self.spec.labels), dtype=np.float32)
