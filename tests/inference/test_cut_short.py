"""A run that is stopped or fails keeps what it measured, and says so."""

import signal

import numpy as np
import pytest

from tests.inference._devices import SCRIPT, STEADY_S, InterruptedDevice, Until
from tpukit import host, schema
from tpukit.errors import DeviceError, DeviceUnavailableError
from tpukit.inference import INVALID, VALID, BenchmarkResult, Model, benchmark
from tpukit.testing import FakeDevice, ManualClock
from tpukit.workloads import Data

pytestmark = [
    pytest.mark.usefixtures("quiet"),
    pytest.mark.parametrize("scenario", ["single_stream", "offline"]),
]
#: The script's queries: 0 is the first inference, 1 to 10 warm up, 11 to 110 are measured, then accuracy is counted.
FIRST, WARMING_UP, STEADY, COUNTING = 0, 5, 30, 112
DATA = Data(name="toy", x=np.zeros((4, 4), dtype=np.int8), y=np.array([0, 0, 0, 1]))


def run(device: FakeDevice, model: Model, scenario: str, clock: ManualClock, **options: object) -> BenchmarkResult:
    return benchmark(model, device, scenario, duration_s=1.0, min_queries=100, clock=clock, **options)


def assert_invalid(result: BenchmarkResult, *reasons: str) -> None:
    assert (result.verdict, result.reasons) == (INVALID, reasons)
    assert (result.summary["verdict"].item(), result.summary["reasons"].item()) == (INVALID, "; ".join(reasons))
    for table, kind in ((result.run, schema.RUNS), (result.samples, schema.SAMPLES), (result.summary, schema.RESULTS)):
        schema.check(table, kind)


def test_cancel_keeps_the_queries_so_far(scenario: str, toy: Model, clock: ManualClock) -> None:
    device = FakeDevice([0.01], clock=clock)
    # 10 ms for the first inference and 100 ms of warm-up are gone when the steady state begins
    result = run(device, toy, scenario, clock, cancel=Until(clock, 0.5))
    # to the issue of the last query, or to its end
    lasted = f"lasted {0.39 if scenario == 'offline' else 0.38} s, 1 s asked for"
    assert_invalid(result, "cut short after 39 queries", "39 queries, 100 asked for", lasted)
    assert (len(result.samples), result.cut_short, device.closed) == (39, True, 1)
    assert result.summary["throughput_per_s"].item() == pytest.approx(100)


@pytest.mark.usefixtures("sigint_not_ignored")
def test_ctrl_c_after_the_last_query_does_not_lose_the_run(
    scenario: str, toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A KeyboardInterrupt would be raised wherever Python is, also where the tables are made."""

    def interrupted() -> host.Host:
        signal.raise_signal(signal.SIGINT)
        return describe()

    describe = host.describe
    monkeypatch.setattr(host, "describe", interrupted)
    result = run(FakeDevice([0.01], clock=clock), toy, scenario, clock)
    assert (len(result.samples), result.verdict, result.cut_short) == (100 + (scenario != "offline"), VALID, True)


def test_memory_that_is_full_ends_a_run(
    scenario: str, toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "available_memory_bytes", lambda: 50 * 150)
    result = run(FakeDevice([0.01], clock=clock), toy, scenario, clock)
    assert result.reasons[0] == "memory holds no more queries: ask for a shorter run"
    assert (len(result.samples), result.cut_short) == (50, False)


def test_cancel_before_the_start_measures_nothing(scenario: str, toy: Model, clock: ManualClock) -> None:
    result = run(FakeDevice([0.01], clock=clock), toy, scenario, clock, cancel=Until(clock, 0))
    assert (len(result.samples), result.summary["warmup_queries"].item(), result.cut_short) == (0, 0, True)
    assert result.reasons[0] == "cut short after 0 queries"


def test_ctrl_c_in_the_first_inference_is_the_callers(scenario: str, toy: Model, clock: ManualClock) -> None:
    device = InterruptedDevice(SCRIPT, clock=clock, at=FIRST)
    with pytest.raises(KeyboardInterrupt):
        run(device, toy, scenario, clock)
    assert device.closed == 1


def test_ctrl_c_in_the_warm_up_leaves_no_samples(scenario: str, toy: Model, clock: ManualClock) -> None:
    device = InterruptedDevice(SCRIPT, clock=clock, at=WARMING_UP)
    result = run(device, toy, scenario, clock)
    assert_invalid(result, "cut short after 0 queries", "0 queries, 100 asked for", "lasted 0 s, 1 s asked for")
    row = result.summary.iloc[0]
    assert (result.cut_short, device.closed, row["n"], row["warmup_queries"]) == (True, 1, 0, WARMING_UP - 1)
    assert (row["first_s"], len(result.samples)) == (0.1, 0)
    assert row[["p50_s", "throughput_per_s", "steady_s"]].isna().all()


def test_ctrl_c_in_a_query_keeps_the_whole_ones_before_it(scenario: str, toy: Model, clock: ManualClock) -> None:
    device = InterruptedDevice(SCRIPT, clock=clock, at=STEADY)
    result = run(device, toy, scenario, clock, data=DATA)
    n = STEADY - 11
    lasted = sum(STEADY_S[: n if scenario == "offline" else n - 1])
    asked = f"{n} queries, 100 asked for"
    assert_invalid(
        result, f"cut short after {n} queries", asked, *([f"lasted {lasted:.3g} s, 1 s asked for"] * (lasted < 1))
    )
    assert (result.cut_short, device.closed, len(result.samples)) == (True, 1, n)
    np.testing.assert_allclose(result.samples["end_s"] - result.samples["start_s"], STEADY_S[:n], atol=1e-12)
    assert (result.samples["status"] == "ok").all()
    assert np.isnan(result.summary["accuracy"].item())


def test_ctrl_c_while_accuracy_is_counted_keeps_the_timed_part(scenario: str, toy: Model, clock: ManualClock) -> None:
    device = InterruptedDevice(SCRIPT, clock=clock, at=COUNTING)
    result = run(device, toy, scenario, clock, data=DATA)
    assert_invalid(result, "cut short after 100 queries")
    row = result.summary.iloc[0]
    assert (result.cut_short, device.closed, len(result.samples), row["n"]) == (True, 1, 100, 100)
    assert row["throughput_per_s"] == pytest.approx(100 / 5.05)
    assert np.isnan(row["accuracy"])


def test_ctrl_c_in_the_callers_progress_is_one_too(scenario: str, toy: Model, clock: ManualClock) -> None:
    def interrupt(share: float) -> None:
        raise KeyboardInterrupt

    result = run(FakeDevice([0.01], clock=clock), toy, scenario, clock, progress=interrupt)
    assert (result.cut_short, result.verdict, len(result.samples)) == (True, INVALID, 25)


def test_a_query_that_fails_is_the_last_row(scenario: str, toy: Model, clock: ManualClock) -> None:
    device = FakeDevice(SCRIPT, clock=clock, failures={STEADY: "overheated"})
    result = run(device, toy, scenario, clock, data=DATA)
    n, samples = STEADY - 11, result.samples
    assert result.verdict == INVALID
    assert result.reasons[:2] == (f"failed after {n} queries: overheated", f"{n} queries, 100 asked for")
    assert (result.cut_short, device.closed, len(samples), result.summary["n"].item()) == (False, 1, n + 1, n)
    assert samples["status"].tolist() == ["ok"] * n + ["error"]
    assert samples["error"].tolist()[-1] == "overheated"
    assert samples["error"][:n].isna().all()
    last = samples.iloc[-1]
    assert last["start_s"] == samples["end_s"].iloc[-2]
    assert last[["end_s", "latency_s"]].isna().all()
    assert result.summary["throughput_per_s"].item() == pytest.approx(n / sum(STEADY_S[:n]))
    assert np.isnan(result.summary["accuracy"].item())


class Unplugged(FakeDevice):
    """A device that was there, and is not once its session is closed."""

    def runtime(self) -> str:
        if self.closed:
            raise DeviceUnavailableError("nothing is plugged in")
        return super().runtime()


def test_a_device_taken_away_leaves_what_was_measured(scenario: str, toy: Model, clock: ManualClock) -> None:
    result = run(Unplugged(SCRIPT, clock=clock, failures={STEADY: "unplugged"}), toy, scenario, clock)
    n = STEADY - 11
    assert result.reasons[0] == f"failed after {n} queries: unplugged"
    assert (len(result.samples), result.run["runtime"].item()) == (n + 1, "fake")


def test_a_failure_without_a_word_is_still_one(scenario: str, toy: Model, clock: ManualClock) -> None:
    result = run(FakeDevice(SCRIPT, clock=clock, failures={STEADY: ""}), toy, scenario, clock)
    assert result.reasons[0] == f"failed after {STEADY - 11} queries: DeviceError"
    assert (result.samples["status"].iloc[-1], result.samples["error"].iloc[-1]) == ("error", "DeviceError")


def test_a_failure_in_the_warm_up_is_a_reason(scenario: str, toy: Model, clock: ManualClock) -> None:
    result = run(FakeDevice(SCRIPT, clock=clock, failures={WARMING_UP: "overheated"}), toy, scenario, clock)
    assert (result.verdict, result.cut_short, len(result.samples)) == (INVALID, False, 0)
    assert result.reasons[0] == "failed after 0 queries: overheated"


def test_a_failure_of_the_first_inference_is_an_error(scenario: str, toy: Model, clock: ManualClock) -> None:
    device = FakeDevice(SCRIPT, clock=clock, failures={FIRST: "no power"})
    with pytest.raises(DeviceError, match=r"^no power$"):
        run(device, toy, scenario, clock)
    assert device.closed == 1


def test_a_failure_while_accuracy_is_counted_keeps_the_timed_part(
    scenario: str, toy: Model, clock: ManualClock
) -> None:
    device = FakeDevice(SCRIPT, clock=clock, failures={COUNTING: "overheated"})
    result = run(device, toy, scenario, clock, data=DATA)
    assert_invalid(result, "failed after 100 queries: counting accuracy: overheated")
    assert (len(result.samples), (result.samples["status"] == "ok").all()) == (100, True)
    assert np.isnan(result.summary["accuracy"].item())
