"""The search for the highest rate: its decisions, and on scripted devices whose answer is known."""

import math
from collections.abc import Iterator
from itertools import chain, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.inference._devices import Until
from tpukit.errors import ConfigError, DeviceError
from tpukit.inference import Model, PeakRate, find_peak
from tpukit.inference._peak_rate import bracket, next_rate
from tpukit.inference._settings import MAX_RATE_HZ
from tpukit.testing import FakeDevice, ManualClock

pytestmark = pytest.mark.usefixtures("quiet")


@given(st.floats(0.01, 1e5), st.floats(1.0, 1e4), st.sampled_from([0.01, 0.05, 0.5]))
def test_the_search_ends_round_the_true_limit(limit: float, capacity: float, tolerance: float) -> None:
    tried: dict[float, bool] = {}
    while (rate := next_rate(tried, capacity, tolerance)) is not None:
        assert rate not in tried
        tried[rate] = rate <= limit
        assert len(tried) < 60
    held, too_high = bracket(tried)
    if limit < capacity / 64:
        assert math.isnan(held)
    elif limit * 2 < MAX_RATE_HZ and limit >= capacity / 32:
        assert held <= limit < too_high
        assert too_high <= held * (1 + tolerance)


@given(st.dictionaries(st.floats(1, 100), st.booleans()))
def test_a_valid_rate_above_an_invalid_one_counts_for_nothing(tried: dict[float, bool]) -> None:
    held, too_high = bracket(tried)
    assert math.isnan(held) or math.isnan(too_high) or held < too_high
    assert math.isnan(held) or tried[held]
    assert math.isnan(too_high) or not tried[too_high]
    assert all(valid for rate, valid in tried.items() if not rate >= too_high)


def search(toy: Model, clock: ManualClock, service_s: float, **options: object) -> PeakRate:
    given = {"duration_s": 5.0, "latency_bound_s": 0.05, "clock": clock}
    return find_peak(toy, FakeDevice([service_s], clock=clock), **{**given, **options})


def test_a_device_that_takes_one_at_a_time_holds_less_than_its_capacity(toy: Model, clock: ManualClock) -> None:
    found = search(toy, clock, 0.005)
    assert found.reason == ""
    assert found.capacity_hz == pytest.approx(200, rel=0.01)
    # M/D/1 with 5 ms of service keeps 50 ms at the 99th percentile up to a load of about 0.8
    assert 130 < found.rate_hz < found.too_high_hz < 200
    assert found.too_high_hz <= found.rate_hz * 1.05
    verdicts = {run.run["rate_hz"].item(): run.verdict for run in found.runs[1:]}
    assert verdicts[found.rate_hz] == "VALID"
    assert verdicts[found.too_high_hz] == "INVALID"


def test_a_bound_under_the_service_time_is_held_by_no_rate(toy: Model, clock: ManualClock) -> None:
    found = search(toy, clock, 0.005, latency_bound_s=0.004)
    assert math.isnan(found.rate_hz)
    assert found.reason.startswith("no rate down to 3.125 queries/s is VALID")


def test_where_no_rate_is_too_high_the_search_ends_at_what_can_be_asked_for(toy: Model, clock: ManualClock) -> None:
    # a run of 0.05 s cannot wait for 1000 s
    found = search(toy, clock, 0.005, latency_bound_s=1000.0, duration_s=0.05)
    assert 5e5 < found.rate_hz <= 1e6
    assert math.isnan(found.too_high_hz)
    assert found.reason.startswith("no rate up to 1,000,000 queries/s was seen to be too high")


def test_each_run_is_told_as_soon_as_it_ends(toy: Model, clock: ManualClock) -> None:
    told: list[tuple[object, float]] = []
    found = search(toy, clock, 0.005, on_run=lambda run: told.append((run, clock.now())))
    assert [run for run, _ in told] == list(found.runs)
    assert len({at for _, at in told}) == len(told)


class StallsOnce(FakeDevice):
    """Stops once in the second session that is loaded: the first server run of a search."""

    stall_s = 0.4

    def script(self) -> Iterator[float]:
        steady = super().script()
        return chain(islice(steady, 2000), [self.stall_s], steady) if len(self.loaded) == 2 else steady


@pytest.mark.parametrize("stall_s", [0.4, 2.0])
def test_one_stall_does_not_decide(stall_s: float, toy: Model, clock: ManualClock) -> None:
    device = StallsOnce([0.001], clock=clock)
    device.stall_s = stall_s
    found = find_peak(toy, device, duration_s=5.0, latency_bound_s=0.05, clock=clock)
    first, second, *_ = found.runs[1:]
    assert first.run["rate_hz"].item() == second.run["rate_hz"].item()
    assert (first.verdict, second.verdict) == ("INVALID", "VALID")
    # the longer one looks like an overload
    assert first.reasons[0].startswith("overloaded: " if stall_s > 1 else "percentile 0.99 of latency is ")
    assert found.rate_hz > 800


def test_what_was_found_is_kept_when_somebody_stops_it(toy: Model, clock: ManualClock) -> None:
    found = search(toy, clock, 0.005, cancel=Until(clock, 20.0))
    assert found.reason == "stopped before the search was done"
    assert found.runs[-1].cut_short


@pytest.mark.parametrize("tolerance", [0, -1, 1.5, math.nan])
def test_a_tolerance_is_a_share(tolerance: float, toy: Model, clock: ManualClock) -> None:
    with pytest.raises(ConfigError, match=r"^tolerance is .*: expected a share from 0.001 to 1, such as 0.05$"):
        search(toy, clock, 0.005, tolerance=tolerance)


def test_a_device_that_fails_ends_the_search_and_is_no_rate_too_high(toy: Model, clock: ManualClock) -> None:
    class Unplugged(FakeDevice):
        def answer(self, script: Iterator[float], number: int) -> None:
            super().answer(script, number)
            if len(self.loaded) == 2 and number == 400:
                raise DeviceError("unplugged")

    device = Unplugged([0.005], clock=clock)
    found = find_peak(toy, device, duration_s=5.0, latency_bound_s=0.05, clock=clock)
    assert found.reason == "the device failed: unplugged"
    assert math.isnan(found.too_high_hz)
