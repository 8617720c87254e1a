"""Sizes of Fourier transforms."""

from functools import lru_cache


@lru_cache(maxsize=4096)
def fast_size(n: int) -> int:
    """The smallest number from ``n`` up whose only prime factors are 2, 3 and 5.

    A transform of a size with a large prime factor takes up to twenty times as long.
    """
    best = 1 << max(0, n - 1).bit_length()
    fives = 1
    while fives < best:
        odd = fives
        while odd < best:
            best = min(best, odd << (-(-n // odd) - 1).bit_length())
            odd *= 3
        fives *= 5
    return best
