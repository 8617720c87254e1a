"""Fingerprints that stay the same when media are coded again, for finding copies.

A picture's is 128 bits: is each cell brighter than its right neighbour (9 x 8 grid), and than the
one below it (8 x 9 grid), known as dHash. A sound's is 256 bits: how the difference of energies
of neighbouring bands changes from one slice of time to the next (after Haitsma and Kalker 2002).
Hex strings; distances are shares of differing bits.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PICTURE_BITS, SOUND_BITS = 128, 256
NEAR = 0.03
"""Share of differing bits up to which two pictures count as copies (3 of 128)."""
NEAR_SOUND = 0.12
"""The same for sounds (30 of 256)."""
SLICES, BANDS = 17, 17
BAND_HZ = (100.0, 4000.0)


def picture_hash(crops: NDArray[np.uint8]) -> str:
    """Of one picture ``(h, w[, 3])``, or of a sequence's at one and two thirds ``(n, h, w, 3)``.

    A sequence of luma crops ``(n, h, w)`` is told from a colour picture by its last axis. A
    sequence of no pictures gives an empty string.
    """
    single = crops.ndim == 2 or (crops.ndim == 3 and crops.shape[-1] == 3)
    if single:
        return _hex(_dhash(crops))
    if not len(crops):
        return ""
    rows = [round((len(crops) - 1) * part) for part in (1 / 3, 2 / 3)]
    return _hex(np.concatenate([_dhash(crops[row]) for row in rows]))


def _dhash(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(picture)).convert("L").convert("F")
    wide = np.asarray(image.resize((9, 8), Image.Resampling.BOX))
    tall = np.asarray(image.resize((8, 9), Image.Resampling.BOX))
    return np.concatenate([(wide[:, 1:] > wide[:, :-1]).ravel(), (tall[1:] > tall[:-1]).ravel()])


def sound_hash(wave: NDArray[np.float32], rate: int) -> str:
    """Of a mono waveform ``(n,)``; an empty string for less than 0.2 s or digital silence."""
    if len(wave) < 0.2 * rate or not np.any(wave):
        return ""
    edges = np.linspace(0, len(wave), SLICES + 1).astype(int)
    hz = np.geomspace(*BAND_HZ, BANDS + 1)
    energy = np.empty((SLICES, BANDS))
    for k in range(SLICES):
        part = wave[edges[k] : edges[k + 1]].astype(np.float64)
        power = np.abs(np.fft.rfft(part * np.hanning(len(part)))) ** 2
        bins = np.searchsorted(np.fft.rfftfreq(len(part), 1 / rate), hz)
        total = np.concatenate([[0.0], np.cumsum(power)])
        energy[k] = np.log(total[bins[1:]] - total[bins[:-1]] + 1e-9)
    slope = np.diff(energy, axis=1)
    return _hex((np.diff(slope, axis=0) > 0).ravel())


def _hex(bits: NDArray[np.bool_]) -> str:
    return np.packbits(bits).tobytes().hex()


def unpack(hashes: Sequence[str]) -> NDArray[np.uint8]:
    """Hashes of one length as bytes ``(n, length)``."""
    return np.frombuffer(bytes.fromhex("".join(hashes)), np.uint8).reshape(len(hashes), -1)


def near_pairs(hashes: Sequence[str], share: float) -> list[tuple[int, int, float]]:
    """Pairs ``(i, j, distance)``, ``i < j``, whose hashes differ in at most ``share`` of the bits.

    Empty hashes match nothing; hashes of different lengths never match. Exact: pairs are looked
    for among those that share one of ``k + 1`` pieces, ``k`` the allowed bits (pigeonhole).
    """
    by_length: dict[int, list[int]] = defaultdict(list)
    for i, text in enumerate(hashes):
        if text:
            by_length[len(text)].append(i)
    out: dict[tuple[int, int], float] = {}
    for rows in by_length.values():
        codes = unpack([hashes[i] for i in rows])
        bits = codes.shape[1] * 8
        allowed = int(share * bits)
        for a, b, distance in _near_in(codes, allowed):
            out[(rows[a], rows[b])] = distance / bits
    return sorted((i, j, d) for (i, j), d in out.items())


def _near_in(codes: NDArray[np.uint8], allowed: int) -> list[tuple[int, int, int]]:
    bits = np.unpackbits(codes, axis=1)
    found: dict[tuple[int, int], int] = {}
    for piece in np.array_split(np.arange(bits.shape[1]), allowed + 1):
        packed = np.packbits(bits[:, piece], axis=1)
        _, group = np.unique(packed, axis=0, return_inverse=True)
        order = np.argsort(group.ravel(), kind="stable")
        ends = np.flatnonzero(np.diff(group.ravel()[order])) + 1
        for members in np.split(order, ends):
            if len(members) > 1:
                _compare(codes, members, allowed, found)
    return [(i, j, d) for (i, j), d in found.items()]


def _compare(
    codes: NDArray[np.uint8],
    members: NDArray[np.intp],
    allowed: int,
    found: dict[tuple[int, int], int],
) -> None:
    for k, i in enumerate(members[:-1]):
        rest = members[k + 1 :]
        distance = np.bitwise_count(codes[rest] ^ codes[i]).sum(axis=1)
        for j in np.flatnonzero(distance <= allowed):
            pair = (int(i), int(rest[j]))
            found[(min(pair), max(pair))] = int(distance[j])
