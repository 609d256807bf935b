"""Two sets of runs: against SciPy's tests, under change of scale and side, and in the long run."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as oracle

from tpukit.stats import (
    CANNOT_TELL,
    FASTER,
    SAME,
    SLOWER,
    Array,
    Change,
    _comparison,
    holm,
    min_pairs,
    paired_change,
    unpaired_change,
    verdict,
    wander,
)

CHANGES = pytest.mark.parametrize("changed", [paired_change, unpaired_change])


def times(seed: int, *, runs: int, sigma: float = 0.1) -> Array:
    return np.random.default_rng(seed).lognormal(sigma=sigma, size=runs)


@pytest.mark.parametrize("runs", [2, 6, 9, 20, 40])
def test_p_of_pairs_is_that_of_wilcoxons_test(runs: int) -> None:
    base, new = times(runs, runs=runs), times(runs + 1, runs=runs) * 1.05
    expected = oracle.wilcoxon(np.log(new) - np.log(base), method="exact").pvalue
    assert paired_change(base, new).p == pytest.approx(expected)


@pytest.mark.parametrize(("base_runs", "new_runs"), [(2, 2), (4, 4), (3, 11), (12, 9), (25, 30)])
def test_p_of_runs_apart_is_that_of_mann_and_whitneys_test(base_runs: int, new_runs: int) -> None:
    base, new = times(base_runs, runs=base_runs), times(99, runs=new_runs) * 1.05
    expected = oracle.mannwhitneyu(base, new, method="exact").pvalue
    assert unpaired_change(base, new).p == pytest.approx(expected)


@CHANGES
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_the_interval_holds_the_ratios_that_the_test_does_not_reject(changed, level: float) -> None:
    """Its ends are where p crosses: just inside, the shifted sets do not differ, just outside they do."""
    base, new = times(1, runs=10), times(2, runs=10) * 1.1
    found = changed(base, new, level=level)
    for end, outwards in ((found.lo, 1 - 1e-9), (found.hi, 1 + 1e-9)):
        assert changed(base, new / (end * outwards)).p <= 1 - level + 1e-12
        assert changed(base, new / (end / outwards)).p > 1 - level


@CHANGES
@given(seed=st.integers(0, 10_000), runs=st.integers(1, 14), scale=st.floats(1e-6, 1e6))
def test_units_do_not_matter_and_sides_turn_the_ratio_over(changed, seed: int, runs: int, scale: float) -> None:
    base, new = times(seed, runs=runs), times(seed + 1, runs=runs)
    found, scaled, turned = changed(base, new), changed(base * scale, new * scale), changed(new, base)
    for a, b in ((found.ratio, scaled.ratio), (found.lo, scaled.lo), (found.hi, scaled.hi)):
        assert a == pytest.approx(b, nan_ok=True)
    assert turned.ratio == pytest.approx(1 / found.ratio)
    assert (turned.lo, turned.hi) == pytest.approx((1 / found.hi, 1 / found.lo), nan_ok=True)
    assert turned.p == pytest.approx(found.p)
    assert not found.ratio < found.lo
    assert not found.ratio > found.hi


def test_a_constant_ratio_is_found_whatever_drifts_in_both() -> None:
    drift = np.linspace(1, 3, 8)
    found = paired_change(drift, drift * 1.07)
    assert (found.ratio, found.lo, found.hi) == pytest.approx((1.07, 1.07, 1.07))
    assert found.p == pytest.approx(2 / 2**8)
    apart = unpaired_change(drift, drift * 1.07)
    assert apart.lo < 1 < apart.hi


@CHANGES
def test_the_same_times_on_both_sides_are_no_change(changed) -> None:
    """All differences are 0, all ranks are tied: what a device with a constant latency gives."""
    constant = np.full(8, 0.002)
    assert changed(constant, constant) == Change(ratio=1.0, lo=1.0, hi=1.0, p=1.0)


def test_ties_keep_p_between_those_of_their_resolutions() -> None:
    base, new = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 4.0, 5.0, 6.0])
    either = [oracle.mannwhitneyu(base, new + shift, method="exact").pvalue for shift in (-1e-6, 1e-6)]
    assert min(either) <= unpaired_change(base, new).p <= max(either)


def test_too_few_runs_have_no_interval_and_none_have_no_ratio() -> None:
    assert min_pairs() == 6
    for runs, has in ((5, False), (6, True)):
        found = paired_change(times(1, runs=runs), times(2, runs=runs))
        assert np.isfinite([found.lo, found.hi]).tolist() == [has, has]
        assert np.isfinite(found.ratio)
    assert np.isnan(unpaired_change(times(1, runs=3), times(2, runs=3)).lo)
    assert np.isfinite(unpaired_change(times(1, runs=4), times(2, runs=4)).lo)
    alone = unpaired_change(times(1, runs=1), times(2, runs=1))
    assert (alone.p, np.isnan(alone.hi)) == (1.0, True)
    assert np.isnan(unpaired_change(np.array([]), np.array([1.0])).ratio)


@CHANGES
def test_a_time_that_is_none_is_refused(changed) -> None:
    with pytest.raises(ValueError, match=r"^times are above 0, got 0\.0$"):
        changed(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    with pytest.raises(ValueError, match="times are above 0"):
        changed(np.array([1.0, 1.0]), np.array([1.0, np.nan]))


def test_pairs_of_unequal_number_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^pairs need as many runs on both sides, got 2 and 3$"):
        paired_change(np.ones(2), np.ones(3))


@CHANGES
def test_many_runs_are_judged_as_a_few_would_be(changed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The normal distribution that stands in for the exact one where that would take seconds."""
    base, new = times(1, runs=40), times(2, runs=40) * 1.02
    exact = changed(base, new)
    monkeypatch.setattr(_comparison, "_EXACT_MAX_N", 10)
    normal = changed(base, new)
    assert normal.p == pytest.approx(exact.p, abs=0.005)
    assert (normal.lo, normal.hi) == pytest.approx((exact.lo, exact.hi), abs=0.003)


@pytest.mark.parametrize(
    ("ratio", "lo", "hi", "called"),
    [
        (1.000, 0.990, 1.010, SAME),
        (1.003, 1.002, 1.004, SAME),
        (1.020, 1.020, 1.020, SAME),
        (1.030, 1.010, 1.060, SLOWER),
        (0.970, 0.950, 0.990, FASTER),
        (1.030, 0.990, 1.060, CANNOT_TELL),
        (1.015, 1.005, 1.030, CANNOT_TELL),
        (0.985, 0.970, 0.995, CANNOT_TELL),
        (1.5, np.nan, np.nan, CANNOT_TELL),
        (np.nan, np.nan, np.nan, CANNOT_TELL),
    ],
)
def test_what_a_change_is_called(ratio: float, lo: float, hi: float, called: str) -> None:
    assert verdict(Change(ratio=ratio, lo=lo, hi=hi, p=0.05), margin=0.02) == called


@pytest.mark.parametrize("ratio", [1.05, 0.95])
def test_a_p_value_that_was_corrected_beyond_the_level_takes_the_verdict_back(ratio: float) -> None:
    """The interval alone would do; sameness needs no p."""
    change = Change(ratio=ratio, lo=ratio - 0.02, hi=ratio + 0.02, p=0.06)
    assert verdict(change, margin=0.02) == CANNOT_TELL
    assert verdict(change, margin=0.02, level=0.9) in (SLOWER, FASTER)
    assert verdict(change, margin=0.1) == SAME


@given(p=st.lists(st.floats(0, 1), max_size=30), seed=st.integers(0, 99))
def test_holm_rejects_what_its_steps_reject(p: list[float], seed: int) -> None:
    """The procedure as Holm wrote it: from the least on, each against alpha over the number left, until one fails."""
    alpha = 0.05 * (1 + seed / 100)
    rejected = np.zeros(len(p), dtype=bool)
    for step, at in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[at] * (len(p) - step) > alpha:
            break
        rejected[at] = True
    assert ((holm(np.array(p)) <= alpha) == rejected).all()


def test_holm_counts_no_test_that_was_not_made() -> None:
    assert holm(np.array([np.nan, 0.02, np.nan, 0.9])).tolist() == pytest.approx(
        [np.nan, 0.04, np.nan, 0.9], nan_ok=True
    )
    assert holm(np.array([0.5, 0.6])).tolist() == [1.0, 1.0]
    assert len(holm(np.array([]))) == 0


def test_of_22_tests_without_a_difference_one_is_seldom_rejected() -> None:
    p = np.random.default_rng(5).uniform(size=(2000, 22))
    wrong = np.mean([(holm(each) <= 0.05).any() for each in p])
    assert 0.03 <= wrong <= 0.06
    assert np.mean((p <= 0.05).any(axis=1)) > 0.6


def test_what_the_machine_may_have_done_itself_is_nobodys_change() -> None:
    slower, faster = Change(ratio=1.05, lo=1.015, hi=1.08, p=0.01), Change(ratio=0.95, lo=0.92, hi=0.985, p=0.01)
    assert [verdict(each, margin=0.02) for each in (slower, faster)] == [SLOWER, FASTER]
    assert [verdict(each, margin=0.02, drift=0.02) for each in (slower, faster)] == [CANNOT_TELL] * 2
    assert [verdict(each, margin=0.01, drift=0.01) for each in (slower, faster)] == [SLOWER, FASTER]


@pytest.mark.parametrize("limits", [{"margin": -0.1}, {"margin": np.nan}, {"margin": 0.1, "drift": -0.1}])
def test_a_limit_below_nothing_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="are 0 or more"):
        verdict(Change(ratio=1.0, lo=1.0, hi=1.0, p=1.0), **limits)


@pytest.mark.parametrize(("runs", "noise"), [(6, 0.02), (12, 0.05)])
def test_of_sets_that_do_not_differ_few_are_called_different_and_of_slower_ones_most(runs: int, noise: float) -> None:
    rng = np.random.default_rng(3)
    called = {1.0: 0, 1 + 4 * noise: 0}
    for ratio in called:
        for _ in range(400):
            base, new = rng.lognormal(sigma=noise, size=(2, runs)) * rng.lognormal(sigma=0.2, size=runs)
            called[ratio] += verdict(paired_change(base, new * ratio), margin=0.02) in (SLOWER, FASTER)
    different, found = called.values()
    assert different / 400 <= 0.05
    assert found / 400 >= 0.95


@given(st.floats(1e-6, 10.0), st.floats(0.0, 0.2), st.floats(1.0, 1e5))
def test_a_machine_may_wander_farther_with_time_and_with_what_moved_it_before(
    level: float, spread: float, lag: float
) -> None:
    times = level * np.exp(spread * np.linspace(-1, 1, 9))
    starts = np.linspace(0.0, 60.0, 9)
    found = wander(times, starts, lag=lag)
    # the quartiles lie as far apart as the spread is wide
    within = math.expm1(spread / 1.349)
    assert found == pytest.approx(math.expm1(math.log1p(within) * math.sqrt(min(100.0, max(1.0, lag / 60)))), abs=1e-9)
    assert wander(times, starts, lag=10 * lag) >= found


def test_one_run_shows_no_wandering_and_runs_at_once_the_most() -> None:
    assert wander(np.array([1.0]), np.array([0.0]), lag=1e9) == 0.0
    pair = np.array([1.0, 1.1])
    assert wander(pair, np.zeros(2), lag=1.0) == wander(pair, np.array([0.0, 1.0]), lag=1e9)


def test_a_machine_that_moves_is_taken_for_a_change_in_few_cases() -> None:
    """Sets of eight runs, a hundred runs apart: 2 % of noise from run to run on a level that walks by 0.4 % a run."""
    rng = np.random.default_rng(0)
    called = {0.02: 0, None: 0}
    for _ in range(300):
        level = np.exp(np.cumsum(rng.normal(0, 0.004, 120)) + rng.normal(0, 0.02, 120))
        at = np.arange(120.0)
        base, new = level[:8], level[108:116]
        change = unpaired_change(base, new)
        moved = max(wander(base, at[:8], lag=108.0), wander(new, at[108:116], lag=108.0))
        called[0.02] += verdict(change, margin=0.02, drift=0.02) in ("slower", "faster")
        called[None] += verdict(change, margin=0.02, drift=max(0.02, moved)) in ("slower", "faster")
    assert called[0.02] / 300 > 0.25
    assert called[None] / 300 < 0.05
