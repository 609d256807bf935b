"""One query after another on a scripted device: every number exact."""

import json

import numpy as np
import pytest

from tests.inference._devices import SCRIPT, STEADY_S
from tpukit import schema
from tpukit.inference import VALID, BenchmarkResult, Model, benchmark
from tpukit.testing import FakeDevice, ManualClock

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def result(toy: Model, clock: ManualClock) -> BenchmarkResult:
    return benchmark(toy, FakeDevice(SCRIPT, clock=clock, load_s=0.5), duration_s=1.0, min_queries=100, clock=clock)


def test_every_query_is_a_sample_with_its_times(result: BenchmarkResult) -> None:
    samples = schema.check(result.samples, schema.SAMPLES)
    end_s = np.cumsum(np.round(np.array(STEADY_S) * 1e9).astype(int)) / 1e9
    start_s = np.concatenate([[0.0], end_s[:-1]])
    np.testing.assert_array_equal(samples["end_s"], end_s)
    np.testing.assert_array_equal(samples["start_s"], start_s)
    np.testing.assert_array_equal(samples["scheduled_s"], start_s)
    np.testing.assert_array_equal(samples["latency_s"], end_s - start_s)
    np.testing.assert_allclose(samples["latency_s"], STEADY_S, atol=1e-12)
    assert (samples["status"] == "ok").all()
    assert samples["error"].isna().all()
    assert samples["run_id"].unique().tolist() == [result.run["run_id"].item()] == [result.summary["run_id"].item()]


def test_loading_first_inference_and_warm_up_are_reported_apart(result: BenchmarkResult) -> None:
    row = schema.check(result.summary, schema.RESULTS).iloc[0]
    apart = row[["load_s", "first_s", "warmup_s", "warmup_queries", "n", "steady_s"]].tolist()
    assert apart == pytest.approx([0.5, 0.1, 0.1, 10, 100, 5.05])


def test_quantiles_are_nearest_ranks_with_binomial_intervals(result: BenchmarkResult) -> None:
    row = result.summary.iloc[0]
    # of 100 samples of 1 to 100 ms; between ranks 40 and 41, 60 and 61, 84 and 85, 95 and 96, 97 and 98, and none
    expected = {
        "min_s": 0.001, "max_s": 0.100,
        "p50_s": 0.050, "p50_lo_s": 0.0407632, "p50_hi_s": 0.0602368,
        "p90_s": 0.090, "p90_lo_s": 0.0843363, "p90_hi_s": 0.0959229,
        "p99_s": 0.099, "p99_lo_s": 0.0972717, "p99_hi_s": np.nan,
    }  # fmt: skip
    assert row[list(expected)].astype(float).to_dict() == pytest.approx(expected, nan_ok=True, abs=1e-6)
    assert row["throughput_per_s"] == pytest.approx(100 / 5.05)
    assert row["metric"] == "p50_s"


def test_a_quiet_run_is_valid_and_has_nothing_to_say(result: BenchmarkResult) -> None:
    assert (result.verdict, result.reasons, result.warnings, result.cut_short) == (VALID, (), (), False)
    row = result.summary.iloc[0]
    assert (row["verdict"], row["reasons"], row["warnings"]) == (VALID, "", "")
    assert row[["drift", "accuracy", "accuracy_n", "baseline_value", "speedup", "limit_value"]].isna().all()
    assert row["baseline"].startswith("none: ")
    assert row["limit"].startswith("none: ")


def test_the_run_says_what_was_measured_where(result: BenchmarkResult, toy: Model) -> None:
    run = schema.check(result.run, schema.RUNS).iloc[0]
    assert (run["model_sha256"], run["model_size_bytes"], run["runtime"]) == (toy.sha256, 3, "fake")
    assert (run["load_average_1m"], run["git_revision"]) == (0.0, "0123abcd")
    assert json.loads(run["inputs"]) == [{"name": "x", "shape": [1, 4], "dtype": "int8", "scale": 1.0, "zero_point": 0}]
    assert json.loads(run["outputs"])[0]["shape"] == [1, 2]
    assert json.loads(run["versions"]).keys() >= {"python", "numpy", "ai-edge-litert"}
    # the manual clock begins with 2026
    assert str(run["started"]) == "2026-01-01 00:00:00+00:00"
    assert run["run_id"].startswith("20260101T000000.000000-")
    assert run[["host", "cpu", "cores", "memory_bytes", "os"]].notna().all()


def test_two_runs_at_the_same_time_have_different_names(toy: Model) -> None:
    def run_id() -> str:
        clock = ManualClock()
        return benchmark(toy, FakeDevice([0.01], clock=clock), duration_s=0.1, clock=clock).run["run_id"].item()

    assert run_id() != run_id()


@pytest.mark.parametrize(
    ("latency_s", "duration_s", "min_queries", "n"),
    [
        (0.01, 1.0, 64, 100),  # by duration
        (0.01, 1.0, 250, 250),  # by queries
        (0.01, 0.99, 100, 100),  # by both
        (0.3, 100.0, 64, 334),  # a query is not cut
        (0.00001, 0.1, 100, 10_000),
    ],
)
@pytest.mark.parametrize("scenario", ["single_stream", "offline"])
def test_a_run_lasts_its_duration_and_its_queries_and_no_longer(
    latency_s: float, duration_s: float, min_queries: int, n: int, scenario: str, toy: Model, clock: ManualClock
) -> None:
    device = FakeDevice([latency_s], clock=clock)
    result = benchmark(toy, device, scenario, duration_s=duration_s, min_queries=min_queries, clock=clock)
    assert result.verdict == VALID
    # LoadGen's rule: a single stream lasts to the issue of its last query, offline to its end
    n += scenario == "single_stream" and n > min_queries
    assert (len(result.samples), result.summary["n"].item()) == (n, n)
    assert result.summary["steady_s"].item() == pytest.approx(n * latency_s)


@pytest.mark.parametrize(
    ("latency_s", "duration_s", "queries"), [(0.01, 1.0, 10), (0.01, 0.02, 3), (0.5, 1.0, 3), (0.1, 60.0, 10)]
)
def test_warming_up_takes_a_tenth_a_second_at_most_three_queries_at_least(
    latency_s: float, duration_s: float, queries: int, toy: Model, clock: ManualClock
) -> None:
    device = FakeDevice([latency_s], clock=clock)
    row = benchmark(toy, device, duration_s=duration_s, min_queries=1, clock=clock).summary.iloc[0]
    assert (row["warmup_queries"], row["warmup_s"]) == (queries, pytest.approx(queries * latency_s))


def test_progress_rises_with_the_measured_time(toy: Model, clock: ManualClock) -> None:
    shares: list[float] = []
    benchmark(toy, FakeDevice([0.01], clock=clock), duration_s=1.0, clock=clock, progress=shares.append)
    # every quarter of a second, seen after blocks of two queries
    assert shares == pytest.approx([0.24, 0.5, 0.76, 1.0])


def test_the_device_is_released(toy: Model, clock: ManualClock) -> None:
    device = FakeDevice([0.01], clock=clock)
    benchmark(toy, device, duration_s=0.1, clock=clock)
    assert (device.loaded, device.closed) == ([toy], 1)
