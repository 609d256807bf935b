"""Quantiles against a brute-force oracle, intervals against the exact binomial, detectors against known series."""

import math
from itertools import accumulate

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from tpukit import stats

SIZES = range(1, 201)
QUANTILES = (0.5, 0.9, 0.99)
LATENCIES = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=300)


@given(LATENCIES, st.integers(1, 99))
def test_a_quantile_is_the_least_sample_with_enough_at_or_below_it(x: list[float], percent: int) -> None:
    found = stats.quantile(np.array(x), percent / 100).value
    enough = [value for value in x if 100 * sum(other <= value for other in x) >= percent * len(x)]
    assert found == min(enough)


@given(LATENCIES, st.sampled_from(QUANTILES))
def test_an_interval_lies_around_the_quantile_and_within_the_samples(x: list[float], q: float) -> None:
    found = stats.quantile(np.array(x), q)
    assert not found.lo > found.value
    assert not found.hi < found.value
    assert not found.lo < min(x)
    assert not found.hi > max(x)


def at_most(n: int, q: float) -> list[float]:
    """Return P[B <= k] for k = -1 … n, B binomial: from its definition, without SciPy."""
    terms = (math.comb(n, k) * q**k * (1 - q) ** (n - k) for k in range(n + 1))
    return [0.0, *accumulate(terms)]


def interval_ranks(n: int, q: float, level: float = 0.95) -> tuple[float, float]:
    """Return the interval's ends as ranks with fractions; 0 and n + 1 where there is no end."""
    found = stats.quantile(np.arange(1.0, n + 1), q, level=level)
    return 0 if math.isnan(found.lo) else found.lo, n + 1 if math.isnan(found.hi) else found.hi


@pytest.mark.parametrize("q", QUANTILES)
def test_an_end_lies_between_the_ranks_whose_probabilities_enclose_the_level(q: float) -> None:
    tail, slack = 0.025, 1e-9
    for n in SIZES:
        below = at_most(n, q)  # below[k] is P[B < k]
        lo, hi = interval_ranks(n, q)
        assert stats._sample._binomial_quantile(n, q, tail) == int(binom.ppf(tail, n, q))
        if lo:
            assert below[math.floor(lo)] <= tail + slack
            assert below[math.ceil(lo)] >= tail - slack or lo == math.floor(lo)
        if hi <= n:
            assert below[math.floor(hi)] <= 1 - tail + slack
            assert below[math.ceil(hi)] >= 1 - tail - slack or hi == math.floor(hi)


def test_a_higher_level_widens_the_interval() -> None:
    (lo, hi), (wide_lo, wide_hi) = interval_ranks(100, 0.5, 0.9), interval_ranks(100, 0.5, 0.99)
    assert wide_lo < lo < hi < wide_hi


@pytest.mark.parametrize(
    ("n", "q", "ends"),
    [
        (1, 0.5, (False, False)),
        (5, 0.5, (False, False)),
        (6, 0.5, (True, True)),  # 2 * 0.5**6 = 0.031 <= 0.05 < 2 * 0.5**5
        (35, 0.9, (True, False)),  # 0.9**35 = 0.0250 > 0.025 by a hair
        (36, 0.9, (True, True)),
        (367, 0.99, (True, False)),
        (368, 0.99, (True, True)),
    ],
)
def test_an_end_that_n_does_not_allow_is_nan(n: int, q: float, ends: tuple[bool, bool]) -> None:
    found = stats.quantile(np.arange(float(n)), q)
    assert (not math.isnan(found.lo), not math.isnan(found.hi)) == ends
    assert not math.isnan(found.value)


@pytest.mark.parametrize(
    ("q", "n"), [(0.5, 64), (0.5, 1000), (0.9, 64), (0.9, 100), (0.9, 662), (0.99, 459), (0.99, 662), (0.99, 1000)]
)
@pytest.mark.parametrize("shape", ["log-normal", "exponential", "two modes"])
def test_an_interval_covers_as_often_as_it_says(q: float, n: int, shape: str) -> None:
    times = 2000
    rng = np.random.default_rng(7)
    shares = rng.random((times, n))  # the quantile function of the shape makes samples of them
    draw = {
        "log-normal": lambda u: np.exp(0.5 * norm.ppf(u)),
        "exponential": lambda u: -np.log1p(-u),
        "two modes": lambda u: np.where(u < 0.7, 1 + u, 3 + u),
    }[shape]
    truth = float(draw(np.array(q)))
    intervals = [stats.quantile(row, q) for row in draw(shares)]
    covered = sum(interval.lo <= truth <= interval.hi for interval in intervals) / times
    assert covered == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("q", [0, 1, -0.1, 1.5, math.nan])
def test_a_quantile_lies_inside_zero_and_one(q: float) -> None:
    with pytest.raises(ValueError, match="inside \\(0, 1\\)"):
        stats.quantile(np.ones(3), q)


def test_no_sample_has_no_quantile() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        stats.quantile(np.empty(0), 0.5)


def test_a_quantile_leaves_its_input_in_order() -> None:
    x = np.array([3.0, 1.0, 2.0])
    stats.quantile(x, 0.5)
    np.testing.assert_array_equal(x, [3.0, 1.0, 2.0])


@given(st.integers(1, 10_000), st.integers(1, 99))
@example(100, 7)  # 0.07 * 100 is a hair above 7
def test_nearest_rank_is_the_exact_ceiling(n: int, percent: int) -> None:
    assert stats.nearest_rank(n, percent / 100) == -(-percent * n // 100)


@given(st.integers(1, 2000), st.integers(0, 2000), st.sampled_from([0.9, 0.95]))
def test_a_proportion_has_the_interval_of_wilsons_formula(n: int, k: int, level: float) -> None:
    k, z = min(k, n), {0.9: 1.6448536269514722, 0.95: 1.959963984540054}[level]
    p = k / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    found = stats.proportion(k, n, level=level)
    assert (found.value, found.lo, found.hi) == pytest.approx((p, centre - half, centre + half), abs=1e-9)


def test_drift_raises_hardly_an_alarm_on_noise() -> None:
    rng = np.random.default_rng(0)
    alarms = sum(not math.isnan(stats.drift(rng.lognormal(0, 0.2, 200))) for _ in range(1000))
    assert alarms <= 10 + 4 * math.sqrt(10)  # 1 % and four standard deviations of chance


@pytest.mark.parametrize("change", [0.1, -0.1])
def test_drift_finds_a_tenth_with_its_sign(change: float) -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(1, 1 + change, 2000) * rng.lognormal(0, 0.05, 2000)
    # block medians stand half a block inside both ends
    assert stats.drift(x) == pytest.approx(change * 0.95, rel=0.1)


def test_drift_is_no_matter_of_scale() -> None:
    x = np.linspace(1, 2, 400)
    assert stats.drift(x * 1e-6) == pytest.approx(stats.drift(x))


def test_drift_ignores_outliers() -> None:
    x = np.linspace(1, 1.1, 2000)
    x[::100] = 1000.0
    assert stats.drift(x) == pytest.approx(0.1 * 0.95, rel=0.1)


@pytest.mark.parametrize("x", [np.full(100, 0.002), np.linspace(-1, 1, 100)], ids=["constant", "from below zero"])
def test_what_has_no_relative_change_has_no_drift(x: np.ndarray) -> None:
    assert math.isnan(stats.drift(x))


@pytest.mark.parametrize("n", [0, 1, 39])
def test_a_short_series_has_no_drift(n: int) -> None:
    assert math.isnan(stats.drift(np.linspace(1, 2, n)))
    assert not math.isnan(stats.drift(np.linspace(1, 2, 40)))


UNIMODAL = {
    "lognormal": lambda rng, n: rng.lognormal(0, 0.4, n),
    "normal": lambda rng, n: rng.normal(10, 1, n),
    "exponential": lambda rng, n: 1 + rng.exponential(1, n),
}


@pytest.mark.parametrize("name", UNIMODAL)
@pytest.mark.parametrize("n", [200, 300, 2000])
def test_one_hump_is_hardly_ever_taken_for_two(name: str, n: int) -> None:
    rng = np.random.default_rng(0)
    found = [len(stats.modes(UNIMODAL[name](rng, n))) for _ in range(100)]
    # 1 % and what chance adds to it
    assert sum(count != 1 for count in found) <= 3


@pytest.mark.parametrize(("share", "place"), [(0.5, 2.0), (0.2, 1.5), (0.85, 3.0)])
@pytest.mark.parametrize("n", [200, 2000])
def test_two_humps_are_found_where_they_are(share: float, place: float, n: int) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = np.where(rng.random(n) < share, rng.normal(1, 0.03, n), rng.normal(place, 0.03 * place, n))
        assert stats.modes(x) == pytest.approx([1.0, place], rel=0.05)


def test_a_hump_of_outliers_is_no_mode() -> None:
    rng = np.random.default_rng(0)
    assert len(stats.modes(np.concatenate([rng.normal(1, 0.03, 970), rng.normal(5, 0.1, 30)]))) == 1


@pytest.mark.parametrize("place", [1.1, 1.3, 2.0])
def test_a_tail_of_stalls_hides_no_hump(place: float) -> None:
    """On a shared machine 3 % of the queries take up to 50 times as long."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(5000) < 0.3, place, 1.0) * rng.lognormal(0, 0.01, 5000)
    x *= np.where(rng.random(5000) < 0.03, rng.uniform(1, 50, 5000), 1.0)
    assert stats.modes(x) == pytest.approx([1.0, place], rel=0.02)


def test_three_humps_are_three() -> None:
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(place, 0.02 * place, 500) for place in (1.0, 2.0, 4.0)])
    assert stats.modes(x) == pytest.approx([1.0, 2.0, 4.0], rel=0.05)


def test_constant_samples_gather_at_one_place() -> None:
    assert stats.modes(np.full(500, 0.002)) == [0.002]


def test_steps_of_the_clock_are_no_modes() -> None:
    assert stats.modes(np.repeat([1.00, 1.02, 1.04], 200)) == [1.02]


@pytest.mark.parametrize("x", [np.repeat([1.0, 4.0], 99), np.concatenate([[0.0], np.repeat([1.0, 4.0], 500)])])
def test_too_few_samples_and_zeros_show_no_modes(x: np.ndarray) -> None:
    assert stats.modes(x) == []


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1000)), min_size=1, max_size=60), st.integers(1, 20))
def test_windows_share_out_every_sample(points: list[tuple[float, float]], n: int) -> None:
    time, x = (np.array(column) for column in zip(*sorted(points), strict=True))
    centre, median, maximum = stats.windows(time, x, n=n)
    assert 1 <= len(centre) == len(median) == len(maximum) <= n
    assert (np.diff(centre) >= 0).all()
    assert maximum.max() == x.max()
    assert (median <= maximum).all()
    assert (median >= x.min()).all()


def test_windows_give_the_median_and_the_maximum_of_each_part() -> None:
    time = np.array([0.0, 1.0, 2.0, 9.0, 10.0])
    centre, median, maximum = stats.windows(time, np.array([1.0, 2.0, 6.0, 8.0, 4.0]), n=5)
    # 0-2, 2-4, nothing in 4-8, 8-10
    np.testing.assert_array_equal(centre, [0.5, 2.0, 9.5])
    np.testing.assert_array_equal(median, [1.5, 6.0, 6.0])
    np.testing.assert_array_equal(maximum, [2.0, 6.0, 8.0])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200), st.integers(2, 50))
def test_order_statistics_are_points_of_the_distribution(x: list[float], n: int) -> None:
    share, value = stats.order_statistics(np.array(x), n=n)
    ordered = sorted(x)
    assert len(share) <= n
    assert (value[0], value[-1], share[-1]) == (min(x), max(x), 1.0)
    assert share[0] == 1 / len(x)
    for part, point in zip(share, value, strict=True):
        assert point == ordered[round(part * len(x)) - 1]
    if n >= len(x):
        assert list(value) == ordered
