"""The open loop on scripted devices: latency from when a query was due, and an end where there is no hope."""

import re
from collections.abc import Sequence

import numpy as np
import pytest

from tests.inference._devices import Until
from tpukit import schema
from tpukit.errors import ConfigError
from tpukit.inference import (
    INVALID,
    VALID,
    Arrays,
    BenchmarkResult,
    Complete,
    Issue,
    Model,
    Query,
    Tensor,
    _serve,
    benchmark,
)
from tpukit.testing import FakeDevice, ManualClock

pytestmark = pytest.mark.usefixtures("quiet")


def run(model: Model, device: object, clock: ManualClock, **given: object) -> BenchmarkResult:
    asked = {"rate_hz": 100.0, "duration_s": 10.0, "latency_bound_s": 0.05, "seed": 1}
    return benchmark(model, device, "server", clock=clock, **{**asked, **given})


def fifo(due: Sequence[float], service_s: float) -> np.ndarray:
    """Return the ends of queries that one device serves in order, by Lindley's recursion."""
    ends, free = [], 0.0
    for time in due:
        free = max(free, time) + service_s
        ends.append(free)
    return np.array(ends)


def test_latency_counts_from_when_a_query_was_due(toy: Model, clock: ManualClock) -> None:
    result = run(toy, FakeDevice([0.005], clock=clock), clock)
    samples = schema.check(result.samples, schema.SAMPLES)
    assert result.verdict == VALID
    due = samples["scheduled_s"].to_numpy()
    assert due[0] == 0.0
    assert 10.0 <= due[-1] < 11.0
    np.testing.assert_allclose(samples["end_s"], fifo(due, 0.005), atol=1e-8)
    np.testing.assert_allclose(samples["latency_s"], fifo(due, 0.005) - due, atol=1e-8)
    # a device that is half busy keeps some waiting
    assert samples["latency_s"].max() > 0.01
    assert samples["latency_s"].min() == pytest.approx(0.005)
    row = result.summary.iloc[0]
    assert (row["metric"], row["rate_hz"], row["over_bound"]) == ("percentile_s", 100.0, 0)
    ordered = np.sort(samples["latency_s"])
    assert row["percentile_s"] == pytest.approx(ordered[int(len(ordered) * 0.99)])
    assert row["throughput_per_s"] == pytest.approx(100, rel=0.1)


def test_a_seed_names_a_schedule(toy: Model) -> None:
    def due(seed: int) -> list[float]:
        clock = ManualClock()
        return run(toy, FakeDevice([0.001], clock=clock), clock, seed=seed).samples["scheduled_s"].tolist()

    assert due(1) == due(1)
    assert due(1) != due(2)


def test_an_overloaded_run_ends_early_and_says_what_was_held(toy: Model, clock: ManualClock) -> None:
    device = FakeDevice([0.02], clock=clock)
    result = run(toy, device, clock, rate_hz=200.0, duration_s=60.0)
    assert result.verdict == INVALID
    assert result.reasons[0].startswith("overloaded: stopped after ")
    held = re.search(r"it served ([\d.]+) of the 200 queries/s", result.reasons[0])
    assert held
    assert float(held[1]) == pytest.approx(50, rel=0.03)
    # the backlog grows by 0.75 s a second, its limit is 10 times 50 ms
    assert result.samples["end_s"].max() < 3.0
    assert not result.cut_short
    # Lindley's recursion on the same schedule, as far as it was issued
    samples = result.samples
    ends = fifo(samples["scheduled_s"].to_numpy(), 0.02)
    assert result.summary["over_bound"].item() == (ends - samples["scheduled_s"] > 0.05).sum() > 0


def test_a_bound_longer_than_the_run_does_not_keep_it_from_ending(toy: Model, clock: ManualClock) -> None:
    result = run(toy, FakeDevice([0.05], clock=clock), clock, rate_hz=1000.0, duration_s=5.0, latency_bound_s=1.0)
    assert result.verdict == INVALID
    assert clock.now() < 7.0


def test_a_stall_that_the_bound_survives_is_no_overload(toy: Model, clock: ManualClock) -> None:
    # 0.6 s of a 100 s run: 60 queries wait too long, of some 10,000 that may be 78
    script = [0.001] * 4000 + [0.6] + [0.001] * 100_000
    result = run(toy, FakeDevice(script, clock=clock), clock, duration_s=100.0, latency_bound_s=0.01)
    assert (result.verdict, result.reasons) == (VALID, ())
    assert 40 < result.summary["over_bound"].item() < 80


def test_a_device_that_slows_down_in_mid_run_is_overloaded_then(toy: Model, clock: ManualClock) -> None:
    # the first inference and a second of warm-up come before
    script = [0.001] * (1 + 1000 + 600) + [0.05] * 100_000
    result = run(toy, FakeDevice(script, clock=clock), clock, duration_s=60.0)
    assert result.reasons[0].startswith("overloaded: ")
    assert 5.0 < result.samples["end_s"].max() < 10.0


def test_a_query_that_fails_ends_the_run_as_a_row(toy: Model, clock: ManualClock) -> None:
    device = FakeDevice([0.001], clock=clock, failures={1500: "unplugged"})
    result = run(toy, device, clock)
    assert result.reasons[0].startswith("failed after ")
    assert result.reasons[0].endswith(": unplugged")
    *before, last = result.samples["status"]
    assert (set(before), last) == ({"ok"}, "error")
    assert result.samples["error"].iloc[-1] == "unplugged"
    assert np.isnan(result.samples["end_s"].iloc[-1])


def test_cancel_ends_a_long_wait(toy: Model, clock: ManualClock) -> None:
    result = run(toy, FakeDevice([0.001], clock=clock), clock, rate_hz=0.01, cancel=Until(clock, 5.0), min_queries=2)
    assert result.cut_short
    assert clock.now() < 5.1


def test_progress_is_told_while_there_is_time(toy: Model, clock: ManualClock) -> None:
    shares: list[float] = []
    run(toy, FakeDevice([0.001], clock=clock), clock, rate_hz=20.0, progress=shares.append, min_queries=10)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert 30 <= len(shares) <= 42


class PairDevice:
    """Takes queries two at a time: each pair ends when the second one came, or at the next look when none comes."""

    name = "pairs"
    about = "answers in pairs"

    def __init__(self, clock: ManualClock, *, silent_after: int | None = None) -> None:
        self.clock, self.silent_after = clock, silent_after

    def runtime(self) -> str:
        return "pairs"

    def load(self, model: Model, *, threads: int, batch: int) -> "PairSession":
        return PairSession(self)


class PairSession:
    inputs = (Tensor(name="x", shape=(1, 4), dtype="int8"),)
    outputs = (Tensor(name="y", shape=(1, 2), dtype="int8"),)

    def __init__(self, device: PairDevice) -> None:
        self._device = device

    def bind(self, samples: Sequence[Arrays]) -> Query:
        def query(index: int) -> Arrays:
            self._device.clock.advance(0.001)
            return ()

        return query

    def bind_issue(self, samples: Sequence[Arrays], complete: Complete) -> Issue:
        waiting: list[int] = []
        clock, silent_after = self._device.clock, self._device.silent_after
        rest = clock.sleep

        def issue(ticket: int, index: int) -> None:
            waiting.append(ticket)
            if len(waiting) == 2 and (silent_after is None or ticket < silent_after):
                flush()

        def flush() -> None:
            for ticket in reversed(waiting):
                complete(ticket)
            waiting.clear()

        def sleep(seconds: float) -> None:
            rest(seconds)
            # a poll after the last query, not the wait for the next one
            if silent_after is None and seconds == _serve._POLL_S:
                flush()

        clock.sleep = sleep  # type: ignore[method-assign]
        return issue

    def close(self) -> None:
        """Hold nothing."""


def test_a_session_with_several_queries_in_flight_is_driven_by_issue_and_complete(
    toy: Model, clock: ManualClock
) -> None:
    result = run(toy, PairDevice(clock), clock, latency_bound_s=1.0)
    samples = result.samples
    assert result.verdict == VALID
    pairs = len(samples) // 2 * 2
    first, second = samples.iloc[0:pairs:2], samples.iloc[1:pairs:2]
    # nobody waits for the device before issuing, and the first of a pair ends with the second
    np.testing.assert_allclose(samples["start_s"], samples["scheduled_s"], atol=1e-9)
    np.testing.assert_allclose(first["end_s"].to_numpy(), second["start_s"].to_numpy(), atol=1e-9)


def test_a_device_that_answers_nothing_any_more_ends_the_run(toy: Model, clock: ManualClock) -> None:
    result = run(toy, PairDevice(clock, silent_after=500), clock, duration_s=60.0)
    assert result.verdict == INVALID
    assert result.reasons[0].startswith("overloaded: ")
    assert set(result.samples["status"]) == {"ok", "unserved"}
    assert clock.now() < 10.0
    # every query that was never answered is over the bound
    unserved = int((result.samples["status"] == "unserved").sum())
    late = int((result.samples["latency_s"] > 0.05).sum())
    assert result.summary["over_bound"].item() == unserved + late
    assert unserved > 0


class OneStraggler(PairDevice):
    """Answers every query as soon as it comes, but for one, which takes 150 ms."""

    def load(self, model: Model, *, threads: int, batch: int) -> "StragglingSession":
        return StragglingSession(self)


class StragglingSession(PairSession):
    def bind_issue(self, samples: Sequence[Arrays], complete: Complete) -> Issue:
        clock = self._device.clock
        wait, late = clock.wait_until_ns, clock.sleep
        due: list[int] = []

        def look(seconds: float) -> None:
            late(seconds)
            if due and clock.perf_ns() >= due[0]:
                due.clear()
                complete(500)

        def issue(ticket: int, index: int) -> None:
            if ticket == 500:
                due.append(clock.perf_ns() + 150_000_000)
            else:
                complete(ticket)

        clock.sleep, clock.wait_until_ns = look, wait  # type: ignore[method-assign]
        return issue


def test_one_straggler_among_many_in_flight_is_no_overload(toy: Model, clock: ManualClock) -> None:
    result = run(toy, OneStraggler(clock), clock, rate_hz=1000.0, duration_s=10.0, latency_bound_s=0.01)
    assert (result.verdict, result.summary["over_bound"].item()) == (VALID, 1)


def test_a_session_that_takes_several_queries_is_not_watched_for(toy: Model, clock: ManualClock) -> None:
    """A generator that spins would take the interpreter from the service that it measures."""
    spun: list[int] = []
    clock.wait_until_ns = spun.append  # type: ignore[method-assign]
    run(toy, PairDevice(clock), clock, latency_bound_s=1.0)
    assert spun == []


def test_a_failure_without_a_word_ends_the_run_too(toy: Model, clock: ManualClock) -> None:
    class Silent(PairDevice):
        def load(self, model: Model, *, threads: int, batch: int) -> PairSession:
            session = PairSession(self)
            session.bind_issue = lambda samples, complete: lambda ticket, index: complete(ticket, "")  # type: ignore[method-assign]
            return session

    result = run(toy, Silent(clock), clock)
    assert result.reasons[0] == "failed after 0 queries: no reason given"


def test_the_last_query_that_is_never_answered_is_an_error(toy: Model, clock: ManualClock) -> None:
    result = run(toy, PairDevice(clock, silent_after=2000), clock, duration_s=1.0, min_queries=2001, rate_hz=1000.0)
    assert result.verdict == INVALID
    assert result.reasons[0].startswith("failed after 2000 queries: no answer for 1 s")
    assert result.samples["status"].tolist()[-1] == "error"


def test_a_schedule_that_memory_cannot_hold_is_refused(
    toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tpukit.host.available_memory_bytes", lambda: 150_000)
    for given in ({"duration_s": 1e6}, {"min_queries": 10**8}):
        with pytest.raises(ConfigError, match=r"^a schedule of 100,000,\d{3} queries: memory holds 1,000 of them; "):
            run(toy, FakeDevice([0.001], clock=clock), clock, **given)


def test_a_bound_shorter_than_a_query_is_said_and_soon(toy: Model, clock: ManualClock) -> None:
    result = run(toy, FakeDevice([0.005], clock=clock), clock, rate_hz=2.0, latency_bound_s=0.001, duration_s=60.0)
    (reason,) = result.reasons
    assert reason.endswith("at any rate a query takes 5 ms at p50, longer than the bound of 1 ms")
    assert len(result.samples) == 20


def test_one_query_of_a_schedule_is_no_rate(toy: Model, clock: ManualClock) -> None:
    result = run(toy, FakeDevice([0.005], clock=clock), clock, rate_hz=0.01, cancel=Until(clock, 5.0), min_queries=2)
    row = result.summary.iloc[0]
    assert (row["n"], np.isnan(row["throughput_per_s"])) == (1, True)
