"""Searches for the highest rate: every run stored as it ends, one row for each search."""

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from tests.workflows._devices import Named
from tpukit import schema
from tpukit.errors import ConfigError, StorageError
from tpukit.history import History
from tpukit.inference import VALID, Model, _peak_rate
from tpukit.testing import ManualClock
from tpukit.workflows import Load, MeasuredPeaks, Step, measure_peak

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def search(
    toy: Model, clock: ManualClock, history: History, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., MeasuredPeaks]:
    """Return `measure_peak` of the toy model on the manual clock."""
    benchmark = _peak_rate.benchmark
    monkeypatch.setattr(_peak_rate, "benchmark", lambda *given, **options: benchmark(*given, **options, clock=clock))

    def run(*devices: Named, load: dict[str, Any] | None = None, **options: Any) -> MeasuredPeaks:
        made = Load(**{"duration_s": 5.0, "latency_bound_s": 0.05} | (load or {}))
        return measure_peak([toy], devices=devices, load=made, **{"history": history, "tolerance": 0.2} | options)

    return run


def test_what_was_found_is_a_row_and_every_run_is_stored(
    search: Callable[..., MeasuredPeaks], clock: ManualClock, history: History
) -> None:
    found = search(Named("a", 0.005, clock))
    (row,) = schema.check(found.peaks, schema.PEAKS).to_dict("records")
    assert (row["model"], row["device"], row["threads"], row["batch"]) == ("toy", "a", 1, 1)
    assert (row["latency_bound_s"], row["percentile"], row["tolerance"]) == (0.05, 0.99, 0.2)
    assert row["capacity_hz"] == pytest.approx(200, rel=0.01)
    assert row["rate_hz"] < row["too_high_hz"] <= 1.2 * row["rate_hz"]
    assert pd.isna(row["reason"])
    stored = history.to_frame()
    assert len(stored) == row["runs"] == 1 + len(found.measured.results)
    assert stored["scenario"].tolist() == ["single_stream"] + ["server"] * (row["runs"] - 1)
    best = stored[(stored["rate_hz"] == row["rate_hz"]) & (stored["verdict"] == VALID)]
    assert len(best) == 1
    assert (found.measured.cut_short, found.measured.not_stored) == (False, None)


def test_beside_every_run_of_server_stands_the_same_percentile_without_load(
    search: Callable[..., MeasuredPeaks], clock: ManualClock
) -> None:
    results = search(Named("a", 0.005, clock)).measured.results
    assert set(results["baseline"]) == {"single_stream p99 of the same search"}
    assert results["baseline_value"].tolist() == pytest.approx([0.005] * len(results))
    # what waiting adds is no speed of the device
    assert results["speedup"].isna().all()
    other = search(Named("a", 0.005, clock), load={"percentile": 0.95}).measured.results
    assert set(other["baseline"]) == {"none: single_stream's percentile 0.95 is in no table"}
    assert other["speedup"].isna().all()


def test_a_device_is_searched_for_each_number_of_threads_and_batch(
    search: Callable[..., MeasuredPeaks], clock: ManualClock
) -> None:
    found = search(Named("a", 0.005, clock), Named("b", 0.01, clock), load={"threads": (1, 2), "batches": (1, 4)})
    axes = found.peaks[["device", "threads", "batch"]].itertuples(index=False, name=None)
    assert list(axes) == [(device, threads, batch) for device in "ab" for threads in (1, 2) for batch in (1, 4)]
    slow, fast = found.peaks[found.peaks["device"] == "b"], found.peaks[found.peaks["device"] == "a"]
    assert (slow["rate_hz"].to_numpy() < fast["rate_hz"].to_numpy()).all()


def test_a_rate_that_none_holds_is_missing_with_the_reason(
    search: Callable[..., MeasuredPeaks], clock: ManualClock
) -> None:
    (row,) = search(Named("a", 0.005, clock), load={"latency_bound_s": 0.004}).peaks.to_dict("records")
    assert math.isnan(row["rate_hz"])
    assert row["reason"].startswith("no rate down to 3.125 queries/s is VALID")


def test_a_search_that_fails_is_a_row_and_the_next_one_goes_on(
    search: Callable[..., MeasuredPeaks], clock: ManualClock
) -> None:
    found = search(Named("broken", 0.005, clock, failures={0: "no power"}), Named("a", 0.005, clock))
    broken, good = found.peaks.to_dict("records")
    assert (broken["runs"], broken["reason"]) == (0, "no power")
    assert math.isnan(broken["capacity_hz"])
    assert good["rate_hz"] > 100


def test_a_store_that_fails_ends_all(search: Callable[..., MeasuredPeaks], clock: ManualClock, tmp_path: Any) -> None:
    class FullDisk(History):
        room = 2

        def append(self, *tables: pd.DataFrame) -> None:
            if self.room == 0:
                raise StorageError("cannot write: No space left on device")
            self.room -= 1
            super().append(*tables)

    history = FullDisk(tmp_path / "full.db")
    found = search(Named("a", 0.005, clock), Named("b", 0.005, clock), history=history)
    assert found.measured.not_stored is not None
    assert found.measured.not_stored.startswith("cannot write: No space left on device; the last run lies in ")
    assert len(history.to_frame()) == 2
    assert found.peaks["reason"].tolist() == ["stopped before the search was done"]
    assert found.measured.not_measured == ("toy b peak 1 thread",)


def test_somebody_who_stops_it_keeps_every_run(
    search: Callable[..., MeasuredPeaks], clock: ManualClock, history: History
) -> None:
    def stop(step: Step) -> None:
        if step.label.endswith("run 3"):
            raise KeyboardInterrupt

    found = search(Named("a", 0.005, clock), Named("b", 0.005, clock), progress=stop)
    assert found.measured.cut_short
    assert len(history.to_frame()) == 2
    assert found.measured.not_measured == ("toy a peak 1 thread", "toy b peak 1 thread")


def test_progress_ascends(search: Callable[..., MeasuredPeaks], clock: ManualClock) -> None:
    steps: list[Step] = []
    found = search(Named("a", 0.005, clock), Named("b", 0.005, clock), progress=steps.append)
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] < 1
    assert len({step.label for step in steps if step.begins}) >= found.peaks["runs"].sum()


@pytest.mark.parametrize(
    ("load", "name"),
    [
        ({"repeats": 2}, "repeats"),
        ({"scenarios": ("server",), "rates_hz": (5.0,)}, "rate_hz"),
        ({"samples_per_query": 4}, "samples_per_query"),
        ({"scenarios": ("server", "offline")}, "scenario"),
    ],
)
def test_what_has_no_place_in_a_search_is_refused(
    load: dict[str, Any], name: str, search: Callable[..., MeasuredPeaks], clock: ManualClock
) -> None:
    with pytest.raises(ConfigError, match=f"^{name} does not go with find_peak, "):
        search(Named("a", 0.005, clock), load=load)
    with pytest.raises(ConfigError, match=r"^tolerance is 2: "):
        search(Named("a", 0.005, clock), tolerance=2)
    assert clock.now() == 0
