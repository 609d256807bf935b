"""LoadGen's counts, against its own numbers and against the binomial distribution from its definition."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpukit import stats


@pytest.mark.parametrize(
    ("over", "percentile", "queries"),
    [(1, 0.9, 64), (1, 0.99, 662), (0, 0.99, 459), (103, 0.99, 12906), (1, 0.999, 6636)],
)
def test_the_counts_are_loadgens(over: int, percentile: float, queries: int) -> None:
    assert stats.min_queries(over, percentile) == queries


def chance(n: int, over: int, percentile: Fraction) -> Fraction:
    """P[Binomial(n, 1 - p) <= over], exactly."""
    miss = 1 - percentile
    return sum((math.comb(n, k) * miss**k * percentile ** (n - k) for k in range(over + 1)), Fraction(0))


@given(st.integers(0, 6), st.sampled_from([Fraction(1, 2), Fraction(3, 4), Fraction(9, 10)]))
def test_the_count_is_the_least_that_leaves_one_per_cent_to_chance(over: int, percentile: Fraction) -> None:
    n = stats.min_queries(over, float(percentile))
    assert chance(n, over, percentile) < Fraction(1, 100)
    assert n - 1 <= over or chance(n - 1, over, percentile) >= Fraction(1, 100)


@given(st.integers(1, 20_000), st.sampled_from([0.5, 0.9, 0.99, 0.999]))
def test_as_many_are_allowed_over_as_prove_the_percentile(n: int, percentile: float) -> None:
    allowed = stats.allowed_over(n, percentile)
    if allowed is None:
        assert n < stats.min_queries(0, percentile)
    else:
        assert stats.min_queries(allowed, percentile) <= n < stats.min_queries(allowed + 1, percentile)


@pytest.mark.parametrize(
    ("over", "percentile", "message"),
    [(0, 0.0, r"inside \(0, 1\), got 0.0"), (0, 1.0, r"inside \(0, 1\), got 1.0"), (-1, 0.9, "0 or more, got -1")],
)
def test_what_is_no_percentile_or_count_is_refused(over: int, percentile: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stats.min_queries(over, percentile)
