from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from avtca.faces.assignment import assign

COSTS = st.integers(0, 4).flatmap(
    lambda n: st.integers(0, 4).flatmap(
        lambda m: arrays(np.float64, (n, m), elements=st.one_of(st.floats(0, 3), st.just(np.inf)))
    )
)


def price(pairs, cost, alone):
    return sum(cost[i, j] - alone for i, j in pairs)


def every_pairing(n, m):
    for columns in product([*range(m), None], repeat=n):
        pairs = [(i, j) for i, j in enumerate(columns) if j is not None]
        if len({j for _, j in pairs}) == len(pairs):
            yield pairs


@given(COSTS)
def test_no_pairing_is_cheaper(cost):
    found = assign(cost, 2.0)
    assert len({i for i, _ in found}) == len({j for _, j in found}) == len(found)
    best = min(price(pairs, cost, 2.0) for pairs in every_pairing(*cost.shape))
    assert price(found, cost, 2.0) == pytest.approx(best)


def test_the_nearest_pair_gives_way_to_the_cheaper_whole():
    assert assign(np.array([[0.4, 0.9], [0.1, 0.4]]), 1.0) == [(0, 0), (1, 1)]


def test_two_likely_pairs_are_better_than_one_sure_pair():
    cost = np.array([[0.9, np.inf], [0.3, 0.9]])
    assert assign(cost, 1.0) == [(1, 0)]
    assert assign(cost, 2.0) == [(0, 0), (1, 1)]


def test_what_must_not_be_paired_stays_alone():
    assert assign(np.full((3, 2), np.inf), 2.0) == []
    assert assign(np.zeros((0, 2)), 2.0) == []
