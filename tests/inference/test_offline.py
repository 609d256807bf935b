"""Every sample at hand from the start: judged by throughput, for latency is waiting."""

import numpy as np
import pytest

from tests.inference._devices import SCRIPT, STEADY_S
from tpukit.inference import VALID, Model, benchmark
from tpukit.testing import FakeDevice, ManualClock

pytestmark = pytest.mark.usefixtures("quiet")

QUANTILES = [f"{q}{end}_s" for q in ("p50", "p90", "p99") for end in ("", "_lo", "_hi")]


@pytest.mark.parametrize("batch", [1, 4])
def test_throughput_counts_samples_and_quantiles_are_left_out(batch: int, toy: Model, clock: ManualClock) -> None:
    # with a batch, its rows are run one by one in a session of their own, by the script of that session
    device = FakeDevice(SCRIPT, clock=clock)
    result = benchmark(toy, device, "offline", duration_s=1.0, min_queries=100, batch=batch, clock=clock)
    row = result.summary.iloc[0]
    assert (result.verdict, row["metric"], row["n"]) == (VALID, "throughput_per_s", 100)
    assert row["steady_s"] == pytest.approx(5.05)
    assert row["throughput_per_s"] == pytest.approx(100 * batch / 5.05)
    assert row[["min_s", "max_s", *QUANTILES]].isna().all()


def test_every_sample_is_due_when_the_run_begins(toy: Model, clock: ManualClock) -> None:
    samples = benchmark(toy, FakeDevice(SCRIPT, clock=clock), "offline", duration_s=1.0, clock=clock).samples
    end_s = np.cumsum(np.round(np.array(STEADY_S) * 1e9).astype(int)) / 1e9
    np.testing.assert_array_equal(samples["scheduled_s"], np.zeros(100))
    np.testing.assert_array_equal(samples["end_s"], end_s)
    np.testing.assert_array_equal(samples["start_s"], [0.0, *end_s[:-1]])
    np.testing.assert_array_equal(samples["latency_s"], samples["end_s"])


def test_the_machine_slowing_down_is_seen_without_the_waiting(toy: Model, clock: ManualClock) -> None:
    steady = FakeDevice([0.01], clock=clock)
    assert benchmark(toy, steady, "offline", duration_s=5.0, clock=clock).warnings == ()
    # the first inference and half a second of warm-up come before
    slower = FakeDevice([0.01] * 51 + list(np.linspace(0.01, 0.012, 500)), clock=clock)
    (warning,) = benchmark(toy, slower, "offline", duration_s=5.0, min_queries=500, clock=clock).warnings
    assert warning == "unstable: latency drifted by +19% over the run"
