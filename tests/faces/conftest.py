"""Real frames and detectors, made once."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from avtca.faces import BlazeFaceDetector, SlimeFaceDetector
from avtca.media import Frame, open_media

RATE = 15 / 3.6

Clips = Callable[..., list[Frame]]


@pytest.fixture(scope="session")
def frames(sample_clips: Path, corpora: Path) -> Clips:
    """``frames("park.mp4")``: the frames of a sample or CREMA-D clip at 25/6 a second."""

    @cache
    def read(name: str, rate: float = RATE) -> list[Frame]:
        folder = corpora / "cremad" if name.endswith(".flv") else sample_clips
        return list(open_media(folder / name).frames(rate))

    return read


@pytest.fixture(scope="session")
def slime() -> SlimeFaceDetector:
    return SlimeFaceDetector()


@pytest.fixture(scope="session")
def blazeface() -> BlazeFaceDetector:
    return BlazeFaceDetector()
