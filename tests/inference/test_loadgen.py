"""The real LoadGen as an oracle: what it reads off a run is what its log says, and its verdicts are tpukit's."""

import itertools
import os
import sys
import time
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpukit.clock import SystemClock
from tpukit.errors import DeviceError, MissingDependencyError
from tpukit.inference import (
    LoadGenResult,
    Model,
    QueryLog,
    UnderTest,
    drive,
    drive_logged,
    settings,
    under_test,
)
from tpukit.inference._loadgen_logs import read_detail, read_trace
from tpukit.inference._rules import INVALID, VALID, at_percentile, estimate, judge
from tpukit.inference._scenarios import OFFLINE, SERVER, steady
from tpukit.inference._schedule import poisson, schedule_rng
from tpukit.inference._settings import Settings
from tpukit.inference._timeline import Timeline
from tpukit.testing import FakeDevice, ManualClock

SAMPLES = 16
UNTOLD_S = 0.005


def busy(latency_us: float = 1.0, slow_us: Mapping[int, float] | None = None) -> Callable[[int], tuple[()]]:
    """A system under test that is as slow as its script says; `slow_us` is by number of the query."""
    count = itertools.count()

    def query(index: int) -> tuple[()]:
        latency = (slow_us or {}).get(next(count), latency_us)
        until = time.perf_counter_ns() + round(latency * 1e3)
        while time.perf_counter_ns() < until:
            pass
        return ()

    return query


def subject(query: Callable[[int], Any], expected_s: float = 1e-6, max_queries: int | None = None) -> UnderTest:
    return UnderTest(query=query, samples=SAMPLES, expected_s=expected_s, max_queries=max_queries)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A run of LoadGen: what is asked for, how long its queries take in µs, and the verdict it must get."""

    verdict: str
    asked: Settings
    usual_us: float = 20.0
    slow_us: Mapping[int, float] = field(default_factory=dict)
    expected_s: float = 1e-5
    max_queries: int | None = None

    def run(self) -> tuple[LoadGenResult, QueryLog]:
        query = busy(self.usual_us, self.slow_us)
        return drive_logged(subject(query, self.expected_s, self.max_queries), self.asked)


def single(duration_s: float, min_queries: int, percentile: float = 0.9) -> Settings:
    return settings("single_stream", duration_s=duration_s, min_queries=min_queries, percentile=percentile)


def multi(duration_s: float, min_queries: int) -> Settings:
    return settings("multi_stream", duration_s=duration_s, min_queries=min_queries, samples_per_query=2)


def server(duration_s: float, rate_hz: float, bound_s: float = 1.0, min_queries: int = 1, p: float = 0.99) -> Settings:
    return settings(
        "server",
        duration_s=duration_s,
        min_queries=min_queries,
        rate_hz=rate_hz,
        latency_bound_s=bound_s,
        percentile=p,
    )


def last(duration_s: float, rate_hz: float) -> int:
    """The number of a schedule's last query: after it nothing waits, so that it alone can be over the bound."""
    return len(poisson(rate_hz, schedule_rng(0), duration_ns=round(duration_s * 1e9), min_queries=1)) - 1


def offline(duration_s: float, min_queries: int = 1) -> Settings:
    return settings("offline", duration_s=duration_s, min_queries=min_queries)


CASES = {
    "single_stream": Case(verdict=VALID, asked=single(0.05, 64)),
    "single_stream, 100 queries": Case(verdict=VALID, asked=single(0.001, 100)),
    "single_stream, too few for early stopping": Case(verdict=INVALID, asked=single(0.0001, 50)),
    "single_stream, enough for its 99th percentile": Case(verdict=VALID, asked=single(0.001, 700, 0.99)),
    "single_stream, too few for its 99th percentile": Case(verdict=INVALID, asked=single(0.001, 600, 0.99)),
    "single_stream, fewer than asked for": Case(verdict=INVALID, asked=single(0.001, 400), max_queries=300),
    "single_stream, too short": Case(verdict=INVALID, asked=single(0.5, 64), max_queries=300),
    "multi_stream": Case(verdict=VALID, asked=multi(0.02, 662)),
    "multi_stream, one below the 662": Case(verdict=INVALID, asked=multi(0.001, 661)),
    "multi_stream, too short": Case(verdict=INVALID, asked=multi(0.5, 662), max_queries=700),
    "server": Case(verdict=VALID, asked=server(0.3, 2000)),
    "server, too few with none over the bound": Case(verdict=INVALID, asked=server(0.2, 2000)),
    "server, enough queries though soon over": Case(verdict=VALID, asked=server(0.01, 4000, min_queries=460)),
    "server, too short": Case(verdict=INVALID, asked=server(0.5, 2000), max_queries=700),
    "server, fewer than asked for": Case(verdict=INVALID, asked=server(0.1, 4000, min_queries=800), max_queries=600),
    "server, percentile over the bound": Case(
        verdict=INVALID,
        asked=server(0.4, 1500, bound_s=0.01),
        slow_us=dict.fromkeys(range(50, 450, 50), 15_000),
    ),
    "server, percentile kept, one over, too few for that": Case(
        verdict=INVALID, asked=server(0.3, 2000, bound_s=0.1), slow_us={last(0.3, 2000): 120_000}
    ),
    "server, one over, enough for that": Case(
        verdict=VALID, asked=server(0.4, 2000, bound_s=0.1), slow_us={last(0.4, 2000): 120_000}
    ),
    "server, one over, enough for that at its 90th percentile": Case(
        verdict=VALID, asked=server(0.1, 2000, bound_s=0.1, p=0.9), slow_us={last(0.1, 2000): 120_000}
    ),
    "server, overloaded": Case(verdict=INVALID, asked=server(0.3, 2000, bound_s=0.01), usual_us=1000),
    "offline": Case(verdict=VALID, asked=offline(0.05), expected_s=1e-5),
    "offline, too short": Case(verdict=INVALID, asked=offline(0.1), expected_s=1e-2),
    "offline, by number of samples": Case(verdict=VALID, asked=offline(0.02, 5000), expected_s=1e-3),
}


def timeline(log: QueryLog, scenario: str) -> Timeline:
    """The same run as tpukit's own harness records one."""
    starts, ends, due = (array("q", stamps.tobytes()) for stamps in (log.issued_ns, log.ended_ns, log.due_ns))
    return Timeline(starts=starts, ends=ends, due=due if scenario == SERVER.name else None)


def judged(log: QueryLog, asked: Settings) -> str:
    # LoadGen's time begins some microseconds before a closed loop's first query, which its trace does not tell, and
    # such a run ends as soon as it is long enough: it would stand at the threshold every time
    closed = asked.scenario in ("single_stream", "multi_stream")
    duration_s = max(1e-9, asked.duration_s - UNTOLD_S) if closed else asked.duration_s
    bounds = steady(duration_s=duration_s, min_queries=asked.min_queries, max_queries=10**9)
    return INVALID if judge(timeline(log, asked.scenario), settings=asked, bounds=bounds) else VALID


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_loadgens_log_gets_the_same_verdict_and_the_same_numbers_here(case: Case) -> None:
    result, log = case.run()
    assert (judged(log, case.asked), result.verdict) == (result.verdict, case.verdict)
    assert bool(result.reasons) == (result.verdict == INVALID)
    # to the nanosecond: by the same rank, of the same latencies
    found = [at_percentile(log.latencies_ns, p) for p in (0.5, 0.9, 0.99)]
    assert found == [round(p * 1e9) for p in (result.p50_s, result.p90_s, result.p99_s)]
    if case.asked.scenario in ("single_stream", "multi_stream"):
        known = not np.isnan(result.early_stopping_s)
        said = round(result.early_stopping_s * 1e9) if known else None
        assert estimate(log.latencies_ns, case.asked.percentile) == said
        assert known == (result.queries >= (64 if case.asked.percentile == 0.9 else 662))
    if case.asked.scenario == SERVER.name:
        bound_ns = round(case.asked.latency_bound_s * 1e9)
        assert result.over_bound == (log.latencies_ns > bound_ns).sum()
    if case.asked.scenario != OFFLINE.name:
        assert result.queries == len(log.due_ns)


def test_half_of_the_cases_are_invalid() -> None:
    verdicts = [case.verdict for case in CASES.values()]
    assert len(verdicts) >= 12
    assert verdicts.count(INVALID) >= len(verdicts) // 2


@pytest.mark.parametrize(("seed", "min_queries"), [(7, 1), (2**32 + 5, 700)])
def test_the_same_seed_gives_loadgens_very_schedule(seed: int, min_queries: int) -> None:
    asked = settings("server", duration_s=0.2, min_queries=min_queries, rate_hz=2000.0, latency_bound_s=1.0, seed=seed)
    _, log = drive_logged(subject(busy()), asked)
    due = poisson(2000.0, schedule_rng(seed), duration_ns=200_000_000, min_queries=min_queries)
    np.testing.assert_array_equal(log.due_ns, due)


def test_a_thread_held_to_the_schedule_is_late_by_a_constant() -> None:
    waited: list[int] = []

    class Watched(SystemClock):
        def wait_until_ns(self, due_ns: int) -> None:
            waited.append(due_ns)
            super().wait_until_ns(due_ns)

    asked = settings("server", duration_s=0.2, min_queries=1, rate_hz=500.0, latency_bound_s=1.0)
    _, log = drive_logged(subject(busy()), asked, clock=Watched())
    # for each query but the first, by one and the same zero
    assert set(np.array(waited) - log.due_ns[1:]) == {waited[0] - log.due_ns[1]}
    assert log.held_ns > 0


@pytest.mark.parametrize("scenario", ["single_stream", "multi_stream", "server", "offline"])
def test_what_a_query_raises_ends_the_run_and_the_next_run_is_whole(scenario: str) -> None:
    options: dict[str, Any] = {"rate_hz": 1000.0, "latency_bound_s": 1.0} if scenario == "server" else {}
    ran = []

    def query(index: int) -> tuple[()]:
        ran.append(index)
        if len(ran) == 20:
            raise ValueError("the device is on fire")
        return ()

    # much longer than the test's timeout, were it to last as long as asked for
    long = settings(scenario, duration_s=1000.0 if scenario == "server" else 1.0, min_queries=50, **options)
    with pytest.raises(ValueError, match="the device is on fire"):
        drive(subject(query, 1e-3), long)
    assert len(ran) == 20
    short = settings(scenario, duration_s=0.01, min_queries=700, **options)
    assert drive(subject(busy()), short).verdict == VALID


def test_cancel_ends_a_run() -> None:
    ran = []

    class Third:
        def is_set(self) -> bool:
            return len(ran) >= 3

    with pytest.raises(KeyboardInterrupt):
        drive(subject(ran.append, 0.1), single(100.0, 64), cancel=Third())
    assert len(ran) == 3


def test_nothing_is_printed_and_nothing_is_left(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "audit.config").write_text("*.SingleStream.min_duration = 60000\n")  # another's; LoadGen would obey

    def loud(index: int) -> tuple[()]:
        os.write(1, b"to the user")
        os.write(2, b"to the user")
        return ()

    assert drive(subject(loud, 1e-7), single(0.01, 64)).verdict == VALID
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["audit.config"]


def test_without_loadgen_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    with pytest.raises(MissingDependencyError, match=r"mlcommons-loadgen is not installed: .*tpukit\[loadgen\]"):
        drive(subject(busy()), single(0.01, 64))


@pytest.mark.parametrize("scenario", ["single_stream", "multi_stream", "server", "offline"])
def test_a_model_under_loadgen_gets_a_verdict(scenario: str) -> None:
    asked = settings(scenario, duration_s=0.2, rate_hz=5000.0 if scenario == "server" else None, seed=3)
    with under_test("digits_cnn_int8", "cpu", asked) as driven:
        assert drive(driven, asked).verdict == VALID


def test_a_session_under_loadgen_is_closed_whatever_happens(clock: ManualClock, toy: Model) -> None:
    device = FakeDevice([0.001], clock=clock)

    def fail() -> None:
        with under_test(toy, device, single(1.0, 64), clock=clock):
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fail()
    assert device.closed == 1


def test_loadgen_prepares_for_queries_half_as_long_as_they_are(clock: ManualClock, toy: Model) -> None:
    device = FakeDevice([0.001], clock=clock)
    with under_test(toy, device, single(1.0, 64), clock=clock) as driven:
        assert driven.expected_s == pytest.approx(0.0005)
    with under_test(toy, device, multi(1.0, 662), clock=clock) as driven:
        assert driven.expected_s == pytest.approx(0.001)
    with under_test(toy, device, offline(1.0), clock=clock) as driven:
        assert driven.expected_s == pytest.approx(0.001)


def test_a_device_that_fails_while_it_warms_up_is_an_error(clock: ManualClock, toy: Model) -> None:
    device = FakeDevice([0.001], clock=clock, failures={1: "unplugged"})
    with pytest.raises(DeviceError, match="unplugged"), under_test(toy, device, single(1.0, 64), clock=clock):
        pass
    assert device.closed == 1


def test_how_late_a_held_schedule_began_is_the_least_that_a_query_was_late() -> None:
    log = QueryLog(due_ns=np.array([0, 10, 20]), issued_ns=np.array([1, 17, 26]), ended_ns=np.array([9, 25, 41]))
    assert log.late_ns.tolist() == [1, 7, 6]
    assert log.held_ns == 6
    alone = QueryLog(due_ns=np.array([0]), issued_ns=np.array([1]), ended_ns=np.array([9]))
    assert alone.held_ns == 0


def test_a_log_without_a_verdict_says_why() -> None:
    line = ':::MLLOG {"key": "error_runtime", "value": "no disk", "metadata": {"is_error": true}}'
    with pytest.raises(ValueError, match="LoadGen's log names no verdict: no disk"):
        read_detail(line, single(1.0, 64))


def test_a_trace_without_samples_is_empty() -> None:
    assert len(read_trace('{"traceEvents":[\n]}', single(1.0, 64)).due_ns) == 0
