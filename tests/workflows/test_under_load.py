"""Models under a load of their own: rates from what was measured, p99 beside that without load."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from tests.workflows._devices import Named
from tpukit import schema
from tpukit.errors import ConfigError, SchemaError, StorageError
from tpukit.history import History
from tpukit.inference import INVALID, VALID, Model
from tpukit.testing import ManualClock
from tpukit.workflows import Measured, under_load

pytestmark = pytest.mark.usefixtures("quiet", "sweep")


def alone(throughput: float, p99_s: float, **columns: Any) -> dict[str, Any]:
    row = {"model": "toy", "device": "a", "scenario": "single_stream", "threads": 1, "batch": 1, "verdict": VALID}
    numbers = {"throughput_per_s": throughput, "p99_s": p99_s, "p99_lo_s": p99_s / 2, "p99_hi_s": p99_s * 2}
    return row | numbers | columns


def of(*rows: dict[str, Any]) -> pd.DataFrame:
    return schema.frame(rows, schema.RESULTS)


@pytest.fixture
def load(toy: Model, clock: ManualClock, history: History) -> Callable[..., Measured]:
    """Return `under_load` of the toy model on a device that takes 10 ms a query."""

    def run(results: pd.DataFrame, **options: Any) -> Measured:
        given = {"devices": [Named("a", 0.01, clock)], "duration_s": 1.0, "latency_bound_s": 0.2}
        return under_load([toy], results, history=history, **given | options)

    return run


def test_the_rate_is_a_share_of_what_was_measured_and_p99_stands_beside_that_without_load(
    load: Callable[..., Measured], history: History
) -> None:
    found = load(of(alone(100.0, 0.01)), shares=(0.5, 0.8))
    results = schema.check(found.results, schema.RESULTS)
    assert results["scenario"].tolist() == ["server", "server"]
    assert results["rate_hz"].tolist() == pytest.approx([50, 80])
    assert results["verdict"].tolist() == [VALID, VALID]
    assert set(results["baseline"]) == {"single_stream p99 of the same sweep"}
    assert results["baseline_value"].tolist() == [0.01, 0.01]
    assert results[["baseline_lo", "baseline_hi"]].iloc[0].tolist() == [0.005, 0.02]
    # waiting makes it longer, the more so the greater the load; that is no speed of the device
    half, most = results["percentile_s"]
    assert 0.01 < half < most
    assert results["speedup"].isna().all()
    assert found.baselines.empty
    stored = history.to_frame()
    assert stored["run_id"].tolist() == results["run_id"].tolist()
    assert stored["baseline_value"].tolist() == results["baseline_value"].tolist()


def test_of_repeats_the_median_counts_and_brings_no_interval(load: Callable[..., Measured]) -> None:
    rows = [alone(80.0, 0.01), alone(100.0, 0.03), alone(120.0, 0.02), alone(999.0, 0.001, verdict=INVALID)]
    (row,) = load(of(*rows), shares=(0.5,)).results.to_dict("records")
    assert (row["rate_hz"], row["baseline_value"]) == (50, 0.02)
    assert row["baseline"] == "single_stream p99 of the same sweep, median of 3 runs"
    assert math.isnan(row["baseline_lo"])
    assert math.isnan(row["baseline_hi"])


@pytest.mark.parametrize(
    "other",
    [
        {"verdict": INVALID},
        {"model": "other"},
        {"device": "b"},
        {"threads": 2},
        {"batch": 8},
        {"scenario": "multi_stream"},
    ],
)
def test_without_a_run_of_its_own_a_model_has_a_row_with_the_reason(
    other: dict[str, Any], load: Callable[..., Measured], clock: ManualClock
) -> None:
    before = clock.now()
    (row,) = load(of(alone(100.0, 0.01, **other))).results.to_dict("records")
    assert (row["model"], row["device"], row["scenario"], row["verdict"]) == ("toy", "a", "server", INVALID)
    assert row["reasons"].startswith("no VALID single_stream run on 1 thread in the results")
    assert pd.isna(row["run_id"])
    assert math.isnan(row["rate_hz"])
    assert clock.now() == before


def test_each_number_of_threads_takes_its_own_rate(load: Callable[..., Measured]) -> None:
    rows = of(alone(100.0, 0.01), alone(60.0, 0.02, threads=2))
    results = load(rows, shares=(0.5,), threads=(1, 2)).results
    assert results["threads"].tolist() == [1, 2]
    assert results["rate_hz"].tolist() == [50, 30]
    assert results["baseline_value"].tolist() == [0.01, 0.02]


def test_somebody_who_stops_it_keeps_what_was_measured(load: Callable[..., Measured], history: History) -> None:
    def stop(step: Any) -> None:
        if step.begins and " 80/s " in step.label:
            raise KeyboardInterrupt

    found = load(of(alone(100.0, 0.01)), progress=stop)
    assert found.cut_short
    assert found.results["rate_hz"].tolist() == history.to_frame()["rate_hz"].tolist() == [50]
    assert found.not_measured == ("toy a server 80/s 1 thread",)


@pytest.mark.parametrize("shares", [(0,), (0.5, 1.2), (math.nan,), (True,), ("0.5",)])
def test_a_share_is_one_of_the_rate(shares: tuple[Any, ...], load: Callable[..., Measured]) -> None:
    with pytest.raises(ConfigError, match=r"^share is .*: expected one of single_stream's rate above 0, up to 1"):
        load(of(alone(100.0, 0.01)), shares=shares)


def test_what_cannot_be_is_known_before_anything_is_measured(
    load: Callable[..., Measured], clock: ManualClock, tmp_path: Any, toy: Model
) -> None:
    rows = of(alone(100.0, 0.01))
    with pytest.raises(ConfigError, match="no share was given"):
        load(rows, shares=())
    with pytest.raises(ConfigError, match="no device was given"):
        load(rows, devices=[])
    with pytest.raises(ConfigError, match="latency bound is -1"):
        load(rows, latency_bound_s=-1)
    with pytest.raises(SchemaError):
        load(schema.frame([], schema.RUNS))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        under_load([toy], rows, history=History(tmp_path / "file" / "runs.db"))
    assert clock.now() == 0
