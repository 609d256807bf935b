"""Joules of readings: against a device whose energy is known, and with clocks and counters that lie."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpukit.sensors._account import MIN_READINGS, clocks_part, counted, integrated

RANGE_UJ = 2**32 * 61
MS, S = 10**6, 10**9


def wrapped(total_uj: list[int], range_uj: int) -> list[tuple[int, ...]]:
    return [(each % range_uj,) for each in total_uj]


@given(
    zero=st.integers(0, RANGE_UJ - 1),
    watts=st.lists(st.integers(0, 400), min_size=2, max_size=50).filter(any),
)
def test_a_counter_that_wraps_anywhere_tells_what_was_taken(zero: int, watts: list[int]) -> None:
    total_uj = [zero, *(zero + np.cumsum(watts) * 10**6).tolist()]  # one reading a second
    times = [second * S for second in range(len(total_uj))]
    energy = counted(times, wrapped(total_uj, RANGE_UJ), ranges_uj=[RANGE_UJ], update_s=0.001)
    assert (energy.joules, energy.reason) == (sum(watts), "")
    assert energy.seconds == len(watts)


def test_a_short_range_wraps_many_times_between_first_and_last() -> None:
    total_uj = [step * 30_000_000 for step in range(101)]  # 30 W, a range of 100 J read every second
    energy = counted(
        [i * S // 20 for i in range(101)], wrapped(total_uj, 100 * 10**6), ranges_uj=[10**8], update_s=0.001
    )
    assert energy.joules == 3000


def test_parts_wrap_each_at_their_own_range() -> None:
    readings = [(90, 10), (95, 15), (5, 20)]
    scaled = [(a * 10**6, b * 10**6) for a, b in readings]
    energy = counted([0, 50 * MS, 100 * MS], scaled, ranges_uj=[100 * 10**6, 50 * 10**6], update_s=0.001)
    assert energy.joules == 15 + 10


@pytest.mark.parametrize(
    ("times_s", "joules", "range_uj", "says"),
    [
        ([0], [1], RANGE_UJ, "1 readings are too few"),
        ([], [], RANGE_UJ, "0 readings are too few"),
        ([0, 1, 0.5], [0, 1, 2], RANGE_UJ, "the clock went back by 0.5 s"),
        ([1, 1, 1], [0, 1, 2], RANGE_UJ, "the clock stood still"),
        ([0, 0.01], [0, 1], RANGE_UJ, "0.01 s is too short for a counter updated every 0.001 s"),
        ([0, 300], [0, 1], RANGE_UJ, "300 s between two readings: in 262 s 1000 W could wrap the counter twice"),
        ([0, 1, 2], [5000, 5010, 3], RANGE_UJ, "the counter jumped by 2.57e+05 J in 1.00 s: was it reset?"),
        ([0, 1], [RANGE_UJ // 10**6 + 10, 1], RANGE_UJ, "was it reset?"),
        ([0, 1, 2], [5, 10, 3], None, "the counter went back: was it reset?"),
        ([0, 1, 2], [7, 7, 7], RANGE_UJ, "the counter did not move in 2 s"),
    ],
)
def test_what_a_counter_cannot_tell_has_a_reason(
    times_s: list[float], joules: list[float], range_uj: int | None, says: str
) -> None:
    readings = [(round(each * 1e6),) for each in joules]
    energy = counted([round(each * S) for each in times_s], readings, ranges_uj=[range_uj], update_s=0.001)
    assert says in energy.reason
    assert math.isnan(energy.joules)
    assert math.isnan(energy.watts)


def test_a_counter_without_a_range_may_be_read_as_seldom_as_one_likes() -> None:
    assert counted([0, 3600 * S], [(0,), (10**10,)], ranges_uj=[None], update_s=0.1).joules == 10_000


def test_two_readings_at_one_time_are_no_fault() -> None:
    """The last one between queries and the one after the run, on a coarse clock."""
    assert counted([0, S, S], [(0,), (10**6,), (10**6,)], ranges_uj=[RANGE_UJ], update_s=0.001).joules == 1
    times = [i * S for i in range(20)]
    assert integrated([*times, times[-1]], [(10**6,)] * 21).joules == 19


def test_power_is_integrated_as_numpy_does() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.integers(80 * MS, 120 * MS, 100))
    microwatts = rng.integers(0, 5_000_000, (100, 2))
    energy = integrated(times.tolist(), [tuple(row) for row in microwatts.tolist()])
    assert energy.joules == pytest.approx(float(np.trapezoid(microwatts.sum(axis=1) / 1e6, times / 1e9)), rel=1e-12)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda t, w: (t[:9], w[:9]), f"9 readings of power are too few, {MIN_READINGS} are needed"),
        (
            lambda t, w: (t[:20] + t[30:], w[:20] + w[30:]),
            "no reading for 1.1 s 1.9 s after the first reading (the median",
        ),
        (lambda t, w: ([*t[:5], t[3], *t[6:]], w), "the clock went back by 0.1 s"),
        (
            lambda t, w: (t, [*w[:7], (-3_000_000,), *w[8:]]),
            "power 0.7 s after the first reading is -3 W: is the sensor's",
        ),
        (lambda t, w: ([], []), "0 readings are too few"),
    ],
)
def test_what_a_power_sensor_cannot_tell_has_a_reason(damage: object, says: str) -> None:
    times, readings = damage([i * 100 * MS for i in range(60)], [(2_000_000,)] * 60)  # type: ignore[operator]
    energy = integrated(times, readings)
    assert says in energy.reason
    assert math.isnan(energy.joules)


def test_clocks_that_are_slewed_agree_and_those_that_are_set_do_not() -> None:
    assert clocks_part(3600, 3600 * 1.0005) == ""
    assert clocks_part(10, 9.5) == ""
    assert "moved by -3.59e+03 s in 10 s" in clocks_part(10, -3590)
    assert "suspended" in clocks_part(10, 12)
