"""Real speech for the tests of audio."""

from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

Waves = dict[str, tuple[NDArray[np.float32], int]]


def _read_flv(path: Path) -> tuple[NDArray[np.float32], int]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        blocks = [frame.to_ndarray() for frame in container.decode(stream)]
        rate = stream.rate
    assert all(block.dtype == np.float32 for block in blocks)  # planar floats, from MP3
    return np.concatenate(blocks, axis=1).mean(axis=0), rate


@pytest.fixture(scope="session")
def speech(corpora: Path) -> Waves:
    """A name -> (mono waveform, Hz) of real samples: RAVDESS FLAC, nEMO Opus, CREMA-D MP3."""
    paths = [
        corpora / "ravdess" / "audio" / "03-01-05-02-01-01-24.flac",
        corpora / "ravdess" / "audio" / "03-01-02-01-01-01-01.flac",
        corpora / "nemo" / "EB0_anger_1.opus",
    ]
    waves = {path.name: soundfile.read(path, dtype="float32") for path in paths}
    flv = corpora / "cremad" / "1001_DFA_ANG_XX.flv"
    return {**waves, flv.name: _read_flv(flv)}
