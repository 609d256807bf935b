"""A stretch of a meter's log: against a meter whose energy is known, and logs with every fault that they may have."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpukit.errors import ConfigError
from tpukit.sensors import Meter

S, MS = 10**9, 10**6
ZERO = 1_795_428_000 * S  # 2026-11-23 10:00:00 UTC
HOUR = 3600 * S


def meter(times: Any, watts: Any) -> Meter:
    return Meter(name="log.csv", time_ns=np.asarray(times, dtype=np.int64), power_w=np.asarray(watts, dtype=np.float64))


def steady(rows: int = 600, watts: float = 2.5) -> tuple[list[int], list[float]]:
    return [ZERO + i * 100 * MS for i in range(rows)], [watts] * rows


@given(
    start=st.integers(0, 40 * S),
    length=st.integers(2 * S, 15 * S),
    slope=st.floats(-0.03, 3),
    jitter=st.lists(st.integers(-30 * MS, 30 * MS), min_size=600, max_size=600),
)
def test_linear_power_is_integrated_exactly_between_any_two_times(
    start: int, length: int, slope: float, jitter: list[int]
) -> None:
    times = np.arange(600) * 100 * MS + np.array(jitter)
    power = 2 + slope * times / 1e9
    energy = meter(ZERO + times, power).energy(ZERO + start, ZERO + start + length)
    if start < times[0]:
        assert "the meter covers" in energy.reason
        return
    middle = 2 + slope * (start + length / 2) / 1e9
    assert energy.joules == pytest.approx(middle * length / 1e9, rel=1e-6)
    assert energy.seconds == length / 1e9


Rows = tuple[list[int], list[float]]


def without(first: int, after: int) -> Callable[[Rows], Rows]:
    return lambda rows: (rows[0][:first] + rows[0][after:], rows[1][:first] + rows[1][after:])


def with_power(row: int, watts: float) -> Callable[[Rows], Rows]:
    return lambda rows: (rows[0], [*rows[1][:row], watts, *rows[1][row + 1 :]])


def set_back(row: int, ns: int) -> Callable[[Rows], Rows]:
    return lambda rows: (rows[0][:row] + [each - ns for each in rows[0][row:]], rows[1])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (without(150, 160), "no reading for 1.1 s at 2026-11-23 10:00:14 UTC (the median interval is 0.1 s)"),
        (without(95, 105), "no reading for 1.1 s at 2026-11-23 10:00:09 UTC"),  # across the stretch's start
        (without(190, 220), "no reading for 3.1 s at 2026-11-23 10:00:18 UTC"),  # across its end
        (without(105, 195), "no reading for 9.1 s"),
        (without(101, 199), "3 readings of power are too few"),
        (with_power(120, math.nan), "power at 2026-11-23 10:00:12 UTC is missing"),
        (with_power(120, math.inf), "power at 2026-11-23 10:00:12 UTC is missing"),
        (with_power(120, -0.5), "power at 2026-11-23 10:00:12 UTC is -0.5 W: is the sensor's polarity reversed?"),
        (set_back(150, 3 * S), "the meter's clock goes back by 2.9 s at 2026-11-23 10:00:14 UTC"),
        (set_back(150, 100 * MS), "the meter's clock stands still at 2026-11-23 10:00:14 UTC"),
        (set_back(300, HOUR), ""),
        (set_back(300, 18 * S), "the meter's clock goes back by 17.9 s at 2026-11-23 10:00:29 UTC"),
        (without(300, 310), ""),
        (with_power(300, math.nan), ""),
    ],
)
def test_a_fault_counts_in_the_stretch_and_nowhere_else(damage: Callable[[Rows], Rows], says: str) -> None:
    energy = meter(*damage(steady())).energy(ZERO + 10 * S + 50 * MS, ZERO + 19 * S + 950 * MS)
    assert says in energy.reason
    assert math.isnan(energy.joules) == bool(says)
    assert says or energy.joules == pytest.approx(2.5 * 9.9)


def test_a_slow_meter_cannot_tell_a_short_run() -> None:
    slow = meter([ZERO + i * S for i in range(100)], [2.0] * 100)
    assert (
        "3 readings of power are too few, 10 are needed: run longer"
        in slow.energy(ZERO + S // 2, ZERO + 3 * S // 2).reason
    )
    assert slow.energy(ZERO + S // 2, ZERO + 21 * S // 2).joules == pytest.approx(20)


@pytest.mark.parametrize(
    ("start", "hint"),
    [
        (2 * HOUR, "moved by +2 h it would cover it: is its time zone right?"),
        (-5 * HOUR - HOUR // 2, "moved by -5.5 h"),
    ],
)
def test_a_run_outside_says_both_spans_and_which_hour_would_fit(start: int, hint: str) -> None:
    reason = meter(*steady()).energy(ZERO + start + 10 * S, ZERO + start + 20 * S).reason
    assert "the meter covers 2026-11-23 10:00:00 to 10:00:59 UTC, not " in reason
    assert hint in reason


@pytest.mark.parametrize("start", [200 * S, 55 * S, -5 * S, 20 * HOUR])
def test_no_hour_is_offered_where_none_would_fit(start: int) -> None:
    reason = meter(*steady()).energy(ZERO + start, ZERO + start + 10 * S).reason
    assert "the meter covers" in reason
    assert "time zone" not in reason


def test_a_run_of_another_day_says_the_day() -> None:
    reason = meter(*steady()).energy(ZERO + 20 * HOUR, ZERO + 20 * HOUR + S).reason
    assert reason.endswith("UTC, not 2026-11-24 06:00:00 to 06:00:01")


@pytest.mark.parametrize(("times", "watts"), [([1], [1.0]), ([], []), ([1, 2], [1.0]), ([[1, 2]], [[1.0, 2.0]])])
def test_arrays_that_are_no_log_are_refused(times: Any, watts: Any) -> None:
    with pytest.raises(ConfigError, match="expected two rows or more of both"):
        meter(times, watts)
