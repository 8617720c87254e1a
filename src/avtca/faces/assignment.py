"""Pairs of least total cost (Kuhn 1955, in Jonker and Volgenant's form of shortest paths)."""

import numpy as np
from numpy.typing import NDArray


def assign(cost: NDArray[np.float64], alone: float) -> list[tuple[int, int]]:
    """Rows and columns of ``cost (n, m)`` to pair so that the total is least, rows in order.

    A row or column may stay alone at the price of ``alone / 2``; where the cost is infinite, the
    two are never paired.
    """
    n, m = cost.shape
    if n == 0 or m == 0:
        return []
    # Each row has a place of its own to stay alone; a gain is what pairing saves over that.
    gain = np.zeros((n, m + n))
    gain[:, :m] = np.minimum(np.where(np.isfinite(cost), cost, alone) - alone, 0)
    column_of = _least(gain)
    return [(i, int(j)) for i, j in enumerate(column_of) if gain[i, j] < 0]


def _least(cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Column of each row in the cheapest full pairing of ``cost (n, m)``, ``n <= m``, finite."""
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
