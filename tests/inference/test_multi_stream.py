"""Queries of several samples."""

import numpy as np
import pytest

from tpukit.inference import VALID, Model, benchmark
from tpukit.testing import FakeDevice, ManualClock

pytestmark = pytest.mark.usefixtures("quiet")


def test_a_query_runs_its_samples_one_after_another(toy: Model, clock: ManualClock) -> None:
    result = benchmark(toy, FakeDevice([0.001], clock=clock), "multi_stream", clock=clock, duration_s=1.0)
    assert result.verdict == VALID
    row = result.summary.iloc[0]
    assert (row["samples_per_query"], row["n"], row["percentile"]) == (8, 662, 0.99)
    np.testing.assert_allclose(result.samples["latency_s"], 0.008, atol=1e-9)
    assert row["throughput_per_s"] == pytest.approx(1000)
    assert row["early_stopping_s"] == pytest.approx(0.008)


@pytest.mark.parametrize(("batch", "per_query", "calls"), [(4, 8, 2), (3, 9, 3), (16, 16, 1)])
def test_a_batch_takes_several_of_them_at_once(
    batch: int, per_query: int, calls: int, toy: Model, clock: ManualClock
) -> None:
    result = benchmark(toy, FakeDevice([0.001], clock=clock), "multi_stream", batch=batch, clock=clock, duration_s=1.0)
    assert result.run["samples_per_query"].item() == per_query
    np.testing.assert_allclose(result.samples["latency_s"], calls * 0.001, atol=1e-9)


def test_every_prepared_sample_comes_in_turn(toy: Model, clock: ManualClock) -> None:
    from tpukit.inference._measure import several

    seen: list[int] = []
    query = several(lambda index: seen.append(index) or (), 3, 4)
    for index in range(4):
        query(index)
    assert seen == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]
