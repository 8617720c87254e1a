"""Change of sample rate."""

import numpy as np
import soxr
from numpy.typing import NDArray


def resample(wave: NDArray[np.float32], from_rate: float, to_rate: float) -> NDArray[np.float32]:
    """A mono waveform at another sample rate, by soxr's "HQ" quality (a linear-phase filter).

    ``wave`` float32 ``(n,)`` gives float32 ``(m,)`` with ``m = n * to_rate / from_rate``, rounded,
    and no delay. Equal rates return a copy. Raises ``ValueError`` for rates that are not positive
    or a waveform that is not one-dimensional.
    """
    if from_rate <= 0 or to_rate <= 0:
        raise ValueError(f"sample rates must be positive, found {from_rate} and {to_rate}")
    wave = np.ascontiguousarray(wave, np.float32)
    if wave.ndim != 1:
        raise ValueError(f"a mono waveform (n,) is needed, found shape {wave.shape}")
    if from_rate == to_rate or not len(wave):
        return wave.copy()
    return np.asarray(soxr.resample(wave, from_rate, to_rate, "HQ"), np.float32)
