"""Arrivals: Poisson, seeded, and as many as the bounds want."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from tpukit.inference._schedule import poisson


@given(st.floats(0.5, 5000.0), st.integers(0, 2**32), st.integers(1, 2 * 10**9), st.integers(1, 500))
def test_a_schedule_is_the_shortest_that_reaches_both_bounds(
    rate_hz: float, seed: int, duration_ns: int, min_queries: int
) -> None:
    due = poisson(rate_hz, np.random.default_rng(seed), duration_ns=duration_ns, min_queries=min_queries)
    assert due[0] == 0
    assert (np.diff(due) >= 0).all()
    assert due[-1] >= duration_ns
    assert len(due) >= min_queries
    assert len(due) == min_queries or due[-2] < duration_ns


def test_the_same_seed_gives_the_same_schedule_and_a_longer_one_begins_with_it() -> None:
    def drawn(seconds: int) -> list[int]:
        rng = np.random.default_rng(7)
        return poisson(100.0, rng, duration_ns=seconds * 10**9, min_queries=1).tolist()

    assert drawn(2) == drawn(2)
    assert drawn(20)[: len(drawn(2))] == drawn(2)


def test_the_gaps_are_exponential_with_the_rate() -> None:
    due = poisson(250.0, np.random.default_rng(3), duration_ns=100 * 10**9, min_queries=1)
    gaps_s = np.diff(due) / 1e9
    assert gaps_s.mean() == pytest.approx(1 / 250, rel=0.03)
    assert scipy_stats.kstest(gaps_s, "expon", args=(0, 1 / 250)).pvalue > 0.01
