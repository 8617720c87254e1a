"""Perceptual hashes, which hardly change when media are re-encoded, to find copies.

The hash of an image has 128 bits (dHash): whether each cell is brighter than its right neighbour
(9 x 8 grid) and than the one below (8 x 9 grid). The hash of audio has 256 bits: the sign of the
change, from one time slice to the next, of the energy difference of neighbouring bands (after
Haitsma and Kalker 2002). Hashes are hex strings; distances are shares of differing bits.
"""

import functools
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

NEAR = 0.03
"""Share of differing bits up to which two images count as copies (3 of 128)."""
NEAR_AUDIO = 0.14
"""The same for audio (35 of 256): on RAVDESS copies through AAC, MP3 and Opus differ in 4 %
(at most 13 %), different samples in 47 % (at least 20 %)."""
SLICES, BANDS = 17, 17
BAND_HZ = (150.0, 4000.0)
FRAME_S = 0.04
QUIET_DB = -35.0
"""Level under the loudest frame below which audio counts as quiet."""
FLAT = 0.01
"""Cells that differ by less, of 255, count as equal, so that rounding does not decide."""
BLOCK = 1024
"""Hashes that are compared with all others in one product."""


def picture_hash(crops: NDArray[np.uint8]) -> str:
    """Hash of one image ``(h, w[, 3])``, or of the images at one and two thirds of a sequence.

    A sequence is ``(n, h, w, 3)`` or luma ``(n, h, w)``, where ``w`` is not 3. An empty sequence
    gives an empty string.
    """
    if crops.ndim == 2 or (crops.ndim == 3 and crops.shape[-1] == 3):
        return _hex(_dhash(_luma(crops[None]))[0])
    if not len(crops):
        return ""
    rows = [round((len(crops) - 1) * part) for part in (1 / 3, 2 / 3)]
    return _hex(_dhash(_luma(crops[rows])).ravel())


def picture_hashes(images: NDArray[np.uint8]) -> list[str]:
    """Hash of each luma image of ``(n, h, w)``."""
    starts = range(0, len(images), BLOCK)
    return [_hex(bits) for k in starts for bits in _dhash(_luma(images[k : k + BLOCK]))]


def _luma(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """``(n, h, w[, 3])`` to ``(n, h, w)`` (ITU-R BT.601)."""
    if images.ndim == 3:
        return images.astype(np.float32)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(images.astype(np.float32) @ weights, np.float32)


def _dhash(luma: NDArray[np.float32]) -> NDArray[np.bool_]:
    """``(n, h, w)`` to ``(n, 128)``, on grids of equal areas."""
    _, h, w = luma.shape
    wide = _areas(h, 8) @ luma @ _areas(w, 9).T
    tall = _areas(h, 9) @ luma @ _areas(w, 8).T
    right = wide[:, :, 1:] > wide[:, :, :-1] + FLAT
    below = tall[:, 1:] > tall[:, :-1] + FLAT
    return np.concatenate([right.reshape(len(luma), -1), below.reshape(len(luma), -1)], axis=1)


@functools.cache
def _areas(n: int, cells: int) -> NDArray[np.float32]:
    """``(cells, n)``: the share of each of ``n`` pixels in each cell's mean."""
    edges = np.linspace(0, n, cells + 1)
    pixels = np.arange(n)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return np.asarray(np.clip(high - low, 0, None) * cells / n, np.float32)


def audio_hash(wave: NDArray[np.float32], rate: int) -> str:
    """Hash of a mono waveform ``(n,)``; an empty string for less than 0.2 s or digital silence.

    Quiet audio at the start and the end is cut first, so that a codec's delay does not matter.
    """
    size = round(FRAME_S * rate)
    if len(wave) < 0.2 * rate or not np.any(wave):
        return ""
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[:: size // 4]
    window = np.hanning(size).astype(np.float32)
    power = np.abs(np.fft.rfft(frames * window, axis=1)).astype(np.float64) ** 2
    edges = np.searchsorted(np.fft.rfftfreq(size, 1 / rate), np.geomspace(*BAND_HZ, BANDS + 1))
    total = np.pad(np.cumsum(power, axis=1), ((0, 0), (1, 0)))
    energy = total[:, edges[1:]] - total[:, edges[:-1]]
    level = energy.sum(axis=1)
    loud = np.flatnonzero(level > level.max() * 10 ** (QUIET_DB / 10))
    if not len(loud):
        return ""
    energy = energy[loud[0] : loud[-1] + 1]
    cuts = np.linspace(0, len(energy), SLICES + 1).astype(int)
    means = np.stack([energy[a : max(b, a + 1)].mean(axis=0) for a, b in pairwise(cuts)])
    logs = np.log(means + means.max() * 10 ** (QUIET_DB / 10))
    return _hex((np.diff(np.diff(logs, axis=1), axis=0) > 0).ravel())


def _hex(bits: NDArray[np.bool_]) -> str:
    return np.packbits(bits).tobytes().hex()


def unpack(hashes: Sequence[str]) -> NDArray[np.uint8]:
    """Hashes of one length as bytes ``(n, length)``."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), -1)


def near_pairs(hashes: Sequence[str], share: float) -> list[tuple[int, int, float]]:
    """Pairs ``(i, j, distance)``, ``i < j``, whose hashes differ in at most ``share`` of the bits.

    Empty hashes match nothing; hashes of different lengths never match. All pairs are compared,
    as products of matrices of +-1: about ten seconds for 36,000 images.
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, text in enumerate(hashes):
        if text:
            by_length[len(text)].append(i)
    out = []
    for rows in by_length.values():
        signs = np.unpackbits(unpack([hashes[i] for i in rows]), axis=1).astype(np.float32) * 2 - 1
        bits = signs.shape[1]
        for start in range(0, len(rows), BLOCK):
            agree = signs[start : start + BLOCK] @ signs[start:].T
            a, b = np.nonzero(agree >= bits * (1 - 2 * share))
            for i, j, n in zip(a.tolist(), b.tolist(), agree[a, b].tolist(), strict=True):
                if i < j:
                    out.append((rows[start + i], rows[start + j], (bits - n) / 2 / bits))
    return sorted(out)
