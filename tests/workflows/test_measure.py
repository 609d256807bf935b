"""A sweep over fake devices: one row a cell, each beside its baseline, nothing measured lost."""

import re
from collections.abc import Callable

import pandas as pd
import pytest

from tests.workflows._devices import Named
from tpukit import schema
from tpukit.history import History
from tpukit.inference import INVALID, VALID, Model
from tpukit.testing import FakeDevice, ManualClock
from tpukit.workflows import Measured

pytestmark = pytest.mark.usefixtures("quiet")


def test_every_combination_is_a_row_and_every_run_is_stored(
    sweep: Callable[..., Measured], clock: ManualClock, history: History, toy: Model
) -> None:
    other = Model(name="other", content=b"other", sha256="1" * 64)
    devices = [Named("a", 0.01, clock), Named("b", 0.02, clock)]
    found = sweep(*devices, models=(toy, other), scenarios=("single_stream", "offline"), threads=(1, 4))
    results = schema.check(found.results, schema.RESULTS)
    axes = results[["model", "device", "scenario", "threads"]].itertuples(index=False, name=None)
    assert list(axes) == [
        (model, device, scenario, threads)
        for model in ("toy", "other")
        for device in ("a", "b")
        for scenario in ("single_stream", "offline")
        for threads in (1, 4)
    ]
    assert (results["verdict"] == VALID).all()
    assert schema.check(found.baselines, schema.RESULTS)["model"].tolist() == ["toy", "other"]
    assert (found.cut_short, found.not_stored) == (False, None)
    stored = history.to_frame().set_index("run_id")
    assert set(stored.index) == {*results["run_id"], *found.baselines["run_id"]}
    assert len(stored) == 18
    for row in results.itertuples():
        assert stored.loc[row.run_id, "speedup"] == row.speedup
        assert len(history.samples(row.run_id)) == row.n


def test_each_number_stands_beside_its_baseline(sweep: Callable[..., Measured], clock: ManualClock) -> None:
    found = sweep(Named("fast", 0.01, clock), scenarios=("single_stream", "offline"))
    latency, throughput = found.results.to_dict("records")
    assert latency["baseline"] == "slow, 1 thread"
    assert (latency["p50_s"], latency["baseline_value"], latency["speedup"]) == pytest.approx((0.01, 0.04, 4.0))
    assert throughput["baseline"] == "slow, 1 thread"
    compared = (throughput["throughput_per_s"], throughput["baseline_value"], throughput["speedup"])
    assert compared == pytest.approx((100.0, 25.0, 4.0))
    (base,) = found.baselines.to_dict("records")
    assert (base["device"], base["scenario"], base["threads"]) == ("slow", "single_stream", 1)
    assert base["baseline"] == "none: it is the baseline"
    # a tenth of the time, as many queries as asked for at least
    assert (base["n"], base["steady_s"]) == (64, pytest.approx(2.56))


def test_a_slower_device_has_a_speedup_below_one(sweep: Callable[..., Measured], clock: ManualClock) -> None:
    found = sweep(Named("slower", 0.16, clock), scenarios=("single_stream", "offline"))
    assert found.results["speedup"].tolist() == pytest.approx([0.25, 0.25])


def test_a_model_is_compared_with_itself(sweep: Callable[..., Measured], clock: ManualClock, toy: Model) -> None:
    # another model of the same name, and a baseline that is twice as fast from the second model on
    baseline = Named("slow", 0.04, clock)
    loads: list[Model] = []

    def load(model: Model, *, threads: int, batch: int) -> object:
        loads.append(model)
        baseline._latencies_s = [0.04 / len(loads)]
        return FakeDevice.load(baseline, model, threads=threads, batch=batch)

    baseline.load = load
    twin = Model(name="toy", content=b"twin", sha256="2" * 64)
    found = sweep(Named("a", 0.01, clock), models=(toy, twin), baseline=baseline)
    assert [model.sha256 for model in loads] == [toy.sha256, twin.sha256]
    # a report would take them for two runs of one model
    assert found.results["model"].tolist() == ["toy@70707070", "toy@22222222"]
    assert found.results["baseline_value"].tolist() == pytest.approx([0.04, 0.02])


def test_a_sweep_may_do_without_a_baseline(sweep: Callable[..., Measured], clock: ManualClock) -> None:
    found = sweep(Named("a", 0.01, clock), baseline=None)
    assert (len(found.results), len(found.baselines)) == (1, 0)
    assert found.results["baseline"].item().startswith("none: ")
    assert found.results[["baseline_value", "speedup"]].isna().all(axis=None)


def test_a_cell_that_cannot_be_measured_is_a_row_and_the_sweep_goes_on(
    sweep: Callable[..., Measured], clock: ManualClock, history: History
) -> None:
    broken = Named("broken", 0.01, clock, failures={0: "no power"})
    small = Named("small", 0.01, clock, max_batch=1)
    found = sweep(broken, small, Named("good", 0.01, clock), batches=(2,), baseline=None)
    first, second, third = found.results.to_dict("records")
    assert (first["device"], first["verdict"], first["reasons"], first["n"]) == ("broken", INVALID, "no power", 0)
    assert (second["device"], second["verdict"]) == ("small", INVALID)
    assert "a batch of 1 at most, got 2" in second["reasons"]
    assert pd.isna(first["run_id"])
    assert (third["device"], third["verdict"]) == ("good", VALID)
    assert history.to_frame()["run_id"].tolist() == [third["run_id"]]


def test_a_query_that_fails_is_a_stored_run(
    sweep: Callable[..., Measured], clock: ManualClock, history: History
) -> None:
    found = sweep(Named("hot", 0.01, clock, failures={50: "hot"}), Named("good", 0.01, clock))
    assert found.results["verdict"].tolist() == [INVALID, VALID]
    assert "failed after 39 queries: hot" in found.results["reasons"][0]
    assert history.samples(found.results["run_id"][0])["status"].tolist() == ["ok"] * 39 + ["error"]


@pytest.mark.parametrize("failures", [{0: "no power"}, {2: "no power"}, {8: "no power"}])
def test_a_baseline_that_fails_is_said_and_stops_nothing(
    failures: dict[int, str], sweep: Callable[..., Measured], clock: ManualClock
) -> None:
    found = sweep(Named("a", 0.01, clock), baseline=Named("slow", 0.04, clock, failures=failures))
    assert found.baselines["verdict"].tolist() == [INVALID]
    row = found.results.iloc[0]
    assert row["verdict"] == VALID
    assert row["baseline"] == "none: slow was INVALID"
    assert re.match(r"no baseline, slow was INVALID: .*no power", row["reasons"])
    assert row[["baseline_value", "speedup"]].isna().all()
