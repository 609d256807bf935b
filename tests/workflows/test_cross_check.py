"""A sweep under LoadGen too: every run beside its like, and what could not be run said."""

import sys
import threading
from pathlib import Path

import pandas as pd
import pytest

from tpukit import schema
from tpukit.errors import MissingDependencyError
from tpukit.history import History
from tpukit.inference import Model
from tpukit.testing import FakeDevice, ManualClock
from tpukit.workflows import Load, Measured, measure, measure_by_loadgen, side_by_side
from tpukit.workflows import _cross_check as module

MODEL = "digits_cnn_int8"
LOAD = Load(
    scenarios=["single_stream", "multi_stream", "server", "offline"],
    rates_hz=[3000.0],
    latency_bound_s=5.0,
    duration_s=0.2,
    seed=4,
)


def swept(tmp_path: Path, load: Load = LOAD) -> Measured:
    return measure([MODEL], history=History(tmp_path / "h.db"), load=load, baseline=None)


def test_every_run_stands_beside_its_like(tmp_path: Path) -> None:
    measured = swept(tmp_path)
    steps = []
    table = measure_by_loadgen(measured, [MODEL], load=LOAD, progress=steps.append)
    schema.check(table, schema.CROSS_CHECK)
    assert table["scenario"].tolist() == [name for name in LOAD.scenarios for _ in range(2)]
    ours, theirs = table[::2], table[1::2]
    assert set(ours["harness"]) == {"tpukit"}
    assert theirs["harness"].str.startswith("LoadGen ").all()
    assert ours["run_id"].tolist() == theirs["run_id"].tolist() == measured.results["run_id"].tolist()
    assert ours["p50_s"].equals(measured.results["p50_s"].set_axis(ours.index))
    assert set(table["verdict"]) == {"VALID"}
    # the same schedule: as many queries, to the last one
    server = table[table["scenario"] == "server"]
    assert server["n"].nunique() == 1
    assert table[table["scenario"] == "offline"]["p50_s"].isna().all()
    assert [step.label for step in steps][-1] == f"{MODEL} cpu offline 1 thread under LoadGen"


def test_a_run_that_was_not_made_has_nothing_beside_it(tmp_path: Path) -> None:
    load = Load(batches=[1, 7], duration_s=0.1)
    measured = swept(tmp_path, load)
    measured.results.loc[0, "run_id"] = pd.NA
    table = measure_by_loadgen(measured, [MODEL], load=load)
    assert table["batch"].tolist() == [7, 7]


def test_a_device_that_fails_under_loadgen_is_a_row_that_says_why(
    tmp_path: Path, toy: Model, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Load(duration_s=0.1)
    measured = swept(tmp_path, load)
    device = FakeDevice([0.001], clock=clock, failures={2: "unplugged"})
    table = measure_by_loadgen(measured, [toy], devices=[device], load=load)
    assert table["verdict"].tolist() == ["VALID", "INVALID"]
    assert table["reasons"][1] == "unplugged"


def test_who_asks_for_an_end_gets_what_there_is(tmp_path: Path) -> None:
    measured = swept(tmp_path)
    stop = threading.Event()
    table = measure_by_loadgen(measured, [MODEL], load=LOAD, cancel=stop, progress=lambda step: stop.set())
    assert len(table) == 0
    schema.check(table, schema.CROSS_CHECK)


def test_without_loadgen_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    monkeypatch.setattr(module, "under_test", None)
    measured = Measured(
        results=schema.frame([], schema.RESULTS),
        baselines=schema.frame([], schema.RESULTS),
        cut_short=False,
        not_stored=None,
        not_measured=(),
    )
    with pytest.raises(MissingDependencyError, match=r"tpukit\[loadgen\]"):
        measure_by_loadgen(measured, [MODEL])


def test_people_see_the_rate_without_loadgens_overhead_and_what_was_loaded() -> None:
    common = {"model": "m", "device": "edge", "scenario": "server", "threads": 2, "batch": 4, "rate_hz": 50.0}
    rows = [
        common | {"harness": "tpukit", "verdict": "VALID", "p50_s": 0.0012345, "throughput_per_s": 49.0},
        common | {"harness": "LoadGen 6", "verdict": "INVALID", "throughput_per_s": 40.0, "alone_per_s": 48.0},
    ]
    shown = side_by_side(schema.frame(rows, schema.CROSS_CHECK))
    assert set(shown["run"]) == {"m server 50/s batch 4 2 threads on edge"}
    assert shown["p50 ms"].tolist() == ["1.23", ""]
    assert shown["samples/s"].tolist() == ["49.0", "48.0"]
    assert shown["verdict"].tolist() == ["VALID", "INVALID"]
