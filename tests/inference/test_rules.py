"""VALID and INVALID, as LoadGen has them: each rule on both sides of its threshold."""

from array import array
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpukit import stats
from tpukit.inference._rules import at_percentile, estimate, judge
from tpukit.inference._scenarios import SCENARIOS, steady
from tpukit.inference._settings import Settings, settings
from tpukit.inference._timeline import NEVER, Timeline

MS = 1_000_000


def wanted(scenario: str, **given: object) -> Settings:
    rate = {"rate_hz": 1000.0} if scenario == "server" else {}
    return settings(scenario, **{"duration_s": 1.0, "min_queries": 1, **rate, **given})


#: How late a server's query is issued: what counts from when it was due must not count from there.
LATE_NS = 300_000


def log(scenario: str, latencies_ms: Sequence[float], *, gap_ms: float = 10.0, **given: object) -> Timeline:
    """Return the log of queries that take so long from when they were due, each `gap_ms` after the one before."""
    n = len(latencies_ms)
    times = [round(place * gap_ms * MS) for place in range(n)]
    ends = [time + round(latency * MS) for time, latency in zip(times, latencies_ms, strict=True)]
    starts = [time + LATE_NS for time in times] if scenario == "server" else times
    due = {"server": array("q", times), "offline": array("q", [0] * n)}.get(scenario)
    return Timeline(starts=array("q", starts), ends=array("q", ends), due=due, **given)


def reasons(scenario: str, timeline: Timeline, *, max_queries: int = 10**9, **given: object) -> tuple[str, ...]:
    asked = wanted(scenario, **given)
    bounds = steady(duration_s=asked.duration_s, min_queries=asked.min_queries, max_queries=max_queries)
    return judge(timeline, settings=asked, bounds=bounds)


@pytest.mark.parametrize(
    ("scenario", "enough", "needed"),
    [("single_stream", 64, 64), ("multi_stream", 662, 662), ("server", 459, 459)],
)
def test_early_stopping_needs_as_many_queries_as_in_loadgen(scenario: str, enough: int, needed: int) -> None:
    assert reasons(scenario, log(scenario, [1.0] * enough, gap_ms=100)) == ()
    percentile = SCENARIOS[scenario].percentile
    assert reasons(scenario, log(scenario, [1.0] * (enough - 1), gap_ms=100)) == (
        f"{enough - 1} queries, early stopping needs {needed} at percentile {percentile:g}",
    )


def test_offline_needs_no_early_stopping() -> None:
    assert reasons("offline", log("offline", [1001.0])) == ()


@pytest.mark.parametrize(
    ("scenario", "queries", "last_counts"),
    [("single_stream", 101, "issue"), ("multi_stream", 701, "issue"), ("server", 701, "due"), ("offline", 3, "end")],
)
def test_a_run_lasts_to_the_last_issue_due_time_or_end(scenario: str, queries: int, last_counts: str) -> None:
    span_ms = 10.0 * (queries - 1)
    # one query ends 5 ms after it was issued: only offline counts that; server's are issued ever later, which does not
    lasted_s = (span_ms + 5 * (last_counts == "end")) / 1e3
    timeline = log(scenario, [5.0] * queries)
    if last_counts == "due":
        timeline.starts[-1] += 2 * MS
    assert reasons(scenario, timeline, duration_s=lasted_s) == ()
    assert reasons(scenario, timeline, duration_s=lasted_s + 0.001) == (
        f"lasted {lasted_s:.3g} s, {lasted_s + 0.001:.3g} s asked for",
    )


def test_the_percentile_of_latency_must_keep_the_bound() -> None:
    # index 990 of 1000: ten queries may be longer for the percentile
    at_bound = [1.0] * 990 + [10.0] * 10
    assert reasons("server", log("server", at_bound), latency_bound_s=0.010) == ()
    (reason,) = reasons("server", log("server", [1.0] * 989 + [10.001] * 11), latency_bound_s=0.010)
    assert reason == "percentile 0.99 of latency is 10 ms, over the bound of 10 ms"


@pytest.mark.parametrize("over", [0, 1, 3])
def test_early_stopping_believes_a_bound_only_with_queries_enough(over: int) -> None:
    needed = stats.min_queries(over, 0.99)
    enough = [20.0] * over + [1.0] * (needed - over)
    assert reasons("server", log("server", enough), latency_bound_s=0.010) == ()
    if over:
        (reason,) = reasons("server", log("server", enough[:-1]), latency_bound_s=0.010)
        assert reason == f"{over} of {needed - 1} queries over the bound: early stopping needs {needed} with so many"


def test_what_ended_a_run_early_is_a_reason() -> None:
    whole = [1.0] * 101
    assert reasons("single_stream", log("single_stream", whole, cut_short=True)) == ("cut short after 101 queries",)
    failed = log("single_stream", whole)
    failed = Timeline(starts=failed.starts, ends=failed.ends[:-1] + array("q", [NEVER]), failure="hot", failed=100)
    assert reasons("single_stream", failed) == ("failed after 100 queries: hot",)
    one = log("single_stream", [1.0])
    assert reasons("single_stream", one, min_queries=100)[0] == "1 query, 100 asked for"
    full = reasons("single_stream", log("single_stream", [1.0] * 70), max_queries=70)
    assert full == ("memory holds no more queries: ask for a shorter run", "lasted 0.69 s, 1 s asked for")
    nothing = Timeline(starts=array("q"), ends=array("q"), cut_short=True)
    assert reasons("single_stream", nothing, min_queries=100) == (
        "cut short after 0 queries",
        "0 queries, 100 asked for",
        "lasted 0 s, 1 s asked for",
    )


def test_an_overloaded_run_says_what_the_device_could_hold() -> None:
    # due every ms, served one after another in 2 ms each: 500 a second
    n = 1000
    due = [place * MS for place in range(n)]
    starts = [place * 2 * MS for place in range(n)]
    ends = [start + 2 * MS for start in starts]
    timeline = Timeline(starts=array("q", starts), ends=array("q", ends), due=array("q", due), overloaded=True)
    assert reasons("server", timeline, duration_s=10.0) == (
        (
            "overloaded: stopped after 2 s, when the bound could not be kept any more; "
            "it served 500 of the 1,000 queries/s"
        ),
    )


def test_a_rate_that_the_generator_cannot_issue_is_said() -> None:
    n = 1000
    due = [place * 10_000 for place in range(n)]
    starts = [place * 20_000 for place in range(n)]
    ends = [start + 1_000 for start in starts]
    timeline = Timeline(starts=array("q", starts), ends=array("q", ends), due=array("q", due))
    first, *_ = reasons("server", timeline, rate_hz=100_000.0, duration_s=0.001)
    assert first == "the generator can issue no more than 50,000 of the 100,000 queries/s: ask for less"


@pytest.mark.parametrize("broken", ["end before start", "start before the one before"])
def test_a_clock_that_goes_back_makes_a_run_invalid(broken: str) -> None:
    timeline = log("single_stream", [1.0] * 101)
    if broken == "end before start":
        timeline.ends[50] = timeline.starts[50] - 1
    else:
        timeline.starts[50] = timeline.starts[49] - 1
    assert reasons("single_stream", timeline) == ("the clock went back during the run: its latencies mean nothing",)


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=2000), st.sampled_from([0.5, 0.9, 0.99]))
def test_percentile_and_estimate_are_order_statistics(latencies: list[int], percentile: float) -> None:
    ordered = sorted(latencies)
    n = len(ordered)
    assert at_percentile(np.array(latencies), percentile) == ordered[min(int(n * percentile), n - 1)]
    cautious = estimate(np.array(latencies), percentile)
    if n < stats.min_queries(1, percentile):
        assert cautious is None
    else:
        allowed = stats.allowed_over(n, percentile)
        assert sum(latency > cautious for latency in ordered) < allowed
        assert sum(latency >= cautious for latency in ordered) >= allowed
        assert cautious >= ordered[min(int(n * percentile), n - 1)]


@pytest.mark.parametrize(("service_us", "blamed"), [(1, True), (15, False), (19, False)])
def test_the_generator_is_blamed_for_its_own_time_alone(service_us: int, blamed: bool) -> None:
    # issued every 20 us where 10 were asked for: the rest of the 20 is the generator's
    n = 1000
    starts = [place * 20_000 for place in range(n)]
    ends = [start + service_us * 1000 for start in starts]
    due = [place * 10_000 for place in range(n)]
    timeline = Timeline(starts=array("q", starts), ends=array("q", ends), due=array("q", due))
    found = reasons("server", timeline, rate_hz=100_000.0, duration_s=0.001, latency_bound_s=1.0)
    assert bool(found) == blamed
