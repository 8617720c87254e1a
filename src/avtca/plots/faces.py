"""The faces above a timeline, as one picture."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from avtca.plots.timeline_values import spread

if TYPE_CHECKING:
    from avtca.recognize.report import Thumbnail

MAX_FACES = 9
"""Largest number of faces above a timeline: so many fit side by side."""
SIDE_PX = 96
JPEG_QUALITY = 88


class FaceStrip(NamedTuple):
    """Faces side by side.

    Attributes:
        jpeg: The picture, a file or its content.
        times: Timestamp of each face in seconds of the clip.
    """

    jpeg: Path | bytes
    times: tuple[float, ...]


def make_strip(thumbnails: Sequence["Thumbnail"], duration_s: float) -> FaceStrip | None:
    """Faces of a clip that do not overlap on its timeline; ``None`` where there are none."""
    chosen = spread([face.time_s for face in thumbnails], max(duration_s, 1e-3), MAX_FACES)
    if not chosen:
        return None
    faces = [thumbnails[i] for i in chosen]
    images = [Image.fromarray(face.rgb).resize((SIDE_PX, SIDE_PX)) for face in faces]
    times = [round(face.time_s, 3) for face in faces]
    data = io.BytesIO()
    Image.fromarray(np.hstack([np.asarray(image) for image in images])).save(
        data, "jpeg", quality=JPEG_QUALITY, comment=json.dumps(times).encode()
    )
    return FaceStrip(data.getvalue(), tuple(times))


def read_strip(path: Path) -> FaceStrip | None:
    """The strip in a file that has the content of :func:`make_strip`; ``None`` without one.

    Raises:
        ValueError: The file is something else.
        OSError: It cannot be read.
    """
    if not path.is_file():
        return None
    with Image.open(path) as image:
        return FaceStrip(path, tuple(json.loads(image.info.get("comment", b""))))


def strip_images(strip: FaceStrip) -> list[NDArray[np.uint8]]:
    """The faces of a strip, uint8 ``(px, px, 3)`` each."""
    source = io.BytesIO(strip.jpeg) if isinstance(strip.jpeg, bytes) else strip.jpeg
    with Image.open(source) as image:
        return np.split(np.asarray(image.convert("RGB")), len(strip.times), axis=1)
