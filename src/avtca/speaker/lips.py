"""Lip landmarks: the branch of the lips of MediaPipe's face mesh with attention.

The file is made by experiments/default_model/lips.py (weights: Google, Apache-2.0).
"""

import numpy as np
from numpy.typing import NDArray

from avtca.faces import TEMPLATE
from avtca.networks import packaged_network

FILE = "lips.onnx"
SHA256 = "a532f693a49c9d8043fe46b294cddb1f6933cd215aded6bf24a3f1b5e277b9aa"
CROP_PX = 64
"""Side of a mouth crop in pixels."""
EYES_PX = 45.0
"""Distance of the eyes at the scale of the crop: that of the mesh, whose image of a face has 192
pixels for one and a half times its height."""
FIRST_ROI = 32.0, 36.0, 48.0, 25.0
"""Centre and size of the region in which the lips are searched first, in pixels of the crop."""
N_POINTS = 80
CORNERS = 20, 30
"""Points at the corners of the mouth."""
UPPER, LOWER = 15, 5
"""Points in the middle of the outer edges of the lips."""

_MOUTH = TEMPLATE[3:].mean(axis=0)
MOUTH_TEMPLATE = (
    (TEMPLATE - _MOUTH) * (EYES_PX / CROP_PX / (TEMPLATE[1, 0] - TEMPLATE[0, 0])) + 0.5
).astype(np.float32)
"""Landmarks of a face in its mouth crop, as :data:`avtca.faces.TEMPLATE`."""


def lip_points(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Points on the lips ``(n, 80, 2)``, x y in pixels of the crop.

    Args:
        crops: Mouth crops ``(n, 64, 64)``, grey, aligned by :data:`MOUTH_TEMPLATE`.

    Raises:
        CheckpointError: The network's file is missing or damaged.
    """
    points = packaged_network(FILE, SHA256).run(["points"], {"crops": crops})[0]
    return np.asarray(points, np.float32)
