"""Minimum-cost matching (Kuhn 1955, as shortest augmenting paths: Jonker and Volgenant 1987)."""

import numpy as np
from numpy.typing import NDArray


def assign(cost: NDArray[np.float64], unmatched_cost: float) -> list[tuple[int, int]]:
    """Match rows and columns so that the total cost is least.

    Args:
        cost: ``(n, m)``; an infinite cost forbids the match.
        unmatched_cost: Cost of one unmatched row and one unmatched column together.

    Returns:
        Matched pairs ``(row, column)``, rows ascending.
    """
    n, m = cost.shape
    if n == 0 or m == 0:
        return []
    good = cost < unmatched_cost
    if good.sum(axis=0).max() <= 1 and good.sum(axis=1).max() <= 1:  # no choice
        return list(zip(*(found.tolist() for found in good.nonzero()), strict=True))
    # A dummy column for each row stands for "unmatched"; gains are relative to it.
    gain = np.zeros((n, m + n))
    finite = np.where(np.isfinite(cost), cost, unmatched_cost)
    gain[:, :m] = np.minimum(finite - unmatched_cost, 0)
    column_of = _solve(gain)
    return [(i, int(j)) for i, j in enumerate(column_of) if gain[i, j] < 0]


def _solve(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Column of each row in the cheapest full matching of a finite ``cost (n, m)``, ``n <= m``."""
    n, m = cost.shape
    row_price, column_price = np.zeros(n), np.zeros(m)
    row_of = np.full(m, -1)
    for start in range(n):
        distance = np.full(m, np.inf)  # of the shortest path from this row to each column
        before = np.full(m, -1)
        done = np.zeros(m, bool)
        row, reached, last = start, 0.0, -1
        while row >= 0:
            onward = reached + cost[row] - row_price[row] - column_price
            shorter = ~done & (onward < distance)
            distance[shorter], before[shorter] = onward[shorter], last
            last = int(np.argmin(np.where(done, np.inf, distance)))
            reached = distance[last]
            done[last] = True
            row = row_of[last]
        paid = done & (row_of >= 0)
        row_price[row_of[paid]] += reached - distance[paid]
        row_price[start] += reached
        column_price[done] -= reached - distance[done]
        while last >= 0:
            row_of[last] = row_of[before[last]] if before[last] >= 0 else start
            last = before[last]
    out = np.empty(n, np.int64)
    out[row_of[row_of >= 0]] = np.flatnonzero(row_of >= 0)
    return out
