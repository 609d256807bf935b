"""What makes numbers unstable is said; it does not make a run INVALID."""

import numpy as np
import pytest

from tpukit import host
from tpukit.inference import VALID, BenchmarkResult, Model, benchmark
from tpukit.testing import FakeDevice, ManualClock

pytestmark = pytest.mark.usefixtures("quiet")


def run(toy: Model, clock: ManualClock, steady_s: list[float]) -> BenchmarkResult:
    device = FakeDevice([0.01] * 11 + steady_s, clock=clock)
    result = benchmark(toy, device, duration_s=1.0, min_queries=len(steady_s), clock=clock)
    assert result.verdict == VALID
    assert result.summary["warnings"].item() == "; ".join(result.warnings)
    return result


@pytest.mark.parametrize(("end", "said"), [(1.2, "+19%"), (0.8, "-19%")])
def test_a_drift_is_said_with_its_sign(end: float, said: str, toy: Model, clock: ManualClock) -> None:
    result = run(toy, clock, list(np.linspace(0.01, 0.01 * end, 500)))
    assert result.warnings == (f"unstable: latency drifted by {said} over the run",)
    assert result.summary["drift"].item() == pytest.approx(0.19 * np.sign(end - 1), abs=0.005)


def test_a_drift_of_less_than_a_twentieth_is_kept_and_not_said(toy: Model, clock: ManualClock) -> None:
    result = run(toy, clock, list(np.linspace(0.01, 0.0104, 500)))
    assert result.warnings == ()
    assert result.summary["drift"].item() == pytest.approx(0.038, abs=0.002)


def test_two_speeds_are_said(toy: Model, clock: ManualClock) -> None:
    result = run(toy, clock, [0.01, 0.04] * 250)
    (warning,) = result.warnings
    places = [
        float(word) for word in warning.removeprefix("unstable: latency gathers at ").split() if word[0].isdigit()
    ]
    assert places == pytest.approx([10, 40], rel=0.05)
    assert warning.endswith(" ms")


def test_a_loaded_machine_is_said(toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "cores", lambda: 1)
    monkeypatch.setattr(host, "processors", lambda: 2)
    monkeypatch.setattr(host, "load_average", lambda: 2.0)
    assert run(toy, clock, [0.01] * 100).warnings == ()
    monkeypatch.setattr(host, "load_average", lambda: 2.5)
    result = run(toy, clock, [0.01] * 100)
    assert result.warnings == ("unstable: load average 2.5 on 2 cores before the run",)
    assert result.run["load_average_1m"].item() == 2.5


def test_the_load_of_the_runs_before_is_not_taken_for_that_of_others(
    toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sweep the cells before leave their own load in the average: a processor for 48 of the last 60 s here."""
    monkeypatch.setattr(host, "cores", lambda: 2)
    monkeypatch.setattr(host, "processors", lambda: 2)
    monkeypatch.setattr(host, "load_average", lambda: 2.5)
    monkeypatch.setattr(host, "cpu_use", lambda: host.CpuUse(all_s=0.0, own_s=48.0))
    assert run(toy, clock, [0.01] * 100).warnings == ()
    monkeypatch.setattr(host, "load_average", lambda: 3.0)
    assert run(toy, clock, [0.01] * 100).warnings == ("unstable: load average 3.0 on 2 cores before the run",)


@pytest.mark.parametrize(("others_s", "warned"), [(0.99, False), (2.0, True)])
def test_others_that_keep_processors_busy_are_said(
    others_s: float, warned: bool, toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "cores", lambda: 1)  # a container's quota: the others' time is that of all processors
    monkeypatch.setattr(host, "allowed_processors", lambda: 4)
    # by the clock of the script: one processor is this run's own, the rest belongs to others
    monkeypatch.setattr(
        host, "cpu_use", lambda: host.CpuUse(all_s=100 + (1 + others_s) * clock.now(), own_s=7 + clock.now())
    )
    expected = ("unstable: other processes kept 2.0 of 4 cores busy",) if warned else ()
    assert run(toy, clock, [0.01] * 100).warnings == expected


def test_more_threads_than_cores_are_said(toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "cores", lambda: 2)
    results = [
        benchmark(toy, FakeDevice([0.01], clock=clock), duration_s=1.0, threads=threads, clock=clock)
        for threads in (2, 3)
    ]
    assert [result.warnings for result in results] == [(), ("unstable: 3 threads on 2 cores",)]


def test_warnings_come_together(toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "load_average", lambda: 1e6)
    result = run(toy, clock, [0.01, 0.04] * 250)
    assert len(result.warnings) == 2
