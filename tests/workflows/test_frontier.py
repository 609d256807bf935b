"""The frontier of a sweep: medians of what counts, and nothing on it that another setting beats."""

import math
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpukit import schema
from tpukit.errors import SchemaError
from tpukit.workflows import frontier
from tpukit.workflows._frontier import unbeaten

ALONE = {"model": "m", "device": "cpu", "scenario": "single_stream", "threads": 1, "batch": 1, "samples_per_query": 1}
SERVER = ALONE | {"scenario": "server", "rate_hz": 50.0, "latency_bound_s": 0.01}


def ran(throughput: float, p99_s: float, **columns: Any) -> dict[str, Any]:
    numbers = {"throughput_per_s": throughput, "p99_s": p99_s, "p99_lo_s": 0.9 * p99_s, "p99_hi_s": 1.1 * p99_s}
    return ALONE | {"verdict": "VALID"} | numbers | columns


def of(*rows: dict[str, Any]) -> pd.DataFrame:
    return schema.check(frontier(schema.frame(rows, schema.RESULTS)), schema.FRONTIER)


pairs = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12)


@given(pairs)
def test_a_pair_is_unbeaten_unless_another_one_beats_it(found: list[tuple[int, int]]) -> None:
    throughput, latency = np.array(found, dtype=np.float64).T
    told = unbeaten(throughput, latency).tolist()
    assert told == [
        not any(more >= t and less <= p and (more, less) != (t, p) for more, less in found) for t, p in found
    ]
    assert any(told)


@given(pairs)
def test_along_the_frontier_more_throughput_costs_latency(found: list[tuple[int, int]]) -> None:
    throughput, latency = np.array(found, dtype=np.float64).T
    kept = {found[at] for at in np.flatnonzero(unbeaten(throughput, latency))}
    by_latency = sorted(kept, key=lambda pair: pair[1])
    assert by_latency == sorted(kept)
    assert len({pair[0] for pair in kept}) == len({pair[1] for pair in kept}) == len(kept)


def test_a_missing_number_neither_beats_nor_stays() -> None:
    nan = math.nan
    assert unbeaten(np.array([1.0, nan, 5.0]), np.array([1.0, 0.1, nan])).tolist() == [True, False, False]
    assert unbeaten(np.array([]), np.array([])).tolist() == []


def test_repeats_are_one_row_of_medians_and_their_range() -> None:
    (row,) = of(ran(100, 0.010), ran(300, 0.030), ran(120, 0.011)).to_dict("records")
    assert (row["runs"], row["throughput_per_s"], row["p99_s"]) == (3, 120, 0.011)
    assert (row["p99_lo_s"], row["p99_hi_s"]) == (0.010, 0.030)
    assert row["on_frontier"] is True
    assert pd.isna(row["reasons"])


def test_a_single_run_brings_its_own_interval() -> None:
    (row,) = of(ran(100, 0.010)).to_dict("records")
    assert (row["p99_lo_s"], row["p99_hi_s"]) == pytest.approx((0.009, 0.011))


def test_an_invalid_run_counts_for_nothing_and_is_said() -> None:
    bad = ran(900, 0.001, verdict="INVALID", reasons="overloaded: stopped")
    some, none = of(ran(100, 0.01), bad, ran(800, 0.002, batch=2, verdict="INVALID", reasons="failed")).to_dict(
        "records"
    )
    assert (some["runs"], some["throughput_per_s"], some["reasons"]) == (1, 100, "1 of 2 INVALID: overloaded: stopped")
    assert (none["runs"], none["on_frontier"], none["reasons"]) == (0, False, "1 of 1 INVALID: failed")
    assert all(math.isnan(none[name]) for name in ("throughput_per_s", "p99_s", "p99_lo_s", "p99_hi_s"))


def test_a_cell_without_a_run_keeps_its_row() -> None:
    failed = {"model": "m", "device": "tpu", "scenario": "server", "threads": 1, "verdict": "INVALID", "n": 0}
    (row,) = of(failed | {"reasons": "no power"}).to_dict("records")
    assert (row["device"], row["runs"], row["reasons"]) == ("tpu", 0, "1 of 1 INVALID: no power")


@pytest.mark.parametrize(("axis", "other"), [("model", "b"), ("device", "tpu"), ("scenario", "multi_stream")])
def test_settings_of_another_model_device_or_scenario_beat_nothing(axis: str, other: str) -> None:
    assert of(ran(100, 0.01), ran(900, 0.001, **{axis: other}))["on_frontier"].all()


@pytest.mark.parametrize(("axis", "value"), [("threads", 2), ("batch", 4)])
def test_every_other_setting_of_the_model_may_beat_it(axis: str, value: object) -> None:
    df = of(ran(100, 0.01), ran(900, 0.001, **{axis: value}))
    assert df["on_frontier"].tolist() == [True, False]
    assert df["throughput_per_s"].tolist() == [900, 100]


def test_a_closed_loop_counts_no_waiting_and_so_beats_no_server_setting() -> None:
    server = ran(50, 0.02) | SERVER
    df = of(ran(1000, 0.001), server, server | {"rate_hz": 10.0, "throughput_per_s": 10.0, "p99_s": 0.03})
    assert df.set_index("p99_s")["on_frontier"].to_dict() == {0.001: True, 0.02: True, 0.03: False}


def test_offline_has_no_row_and_is_the_limit_of_its_model_and_device() -> None:
    offline = {"scenario": "offline"}
    rows = [
        ran(100, 0.01),
        ran(100, 0.01, model="other"),
        ran(150, math.nan, **offline),
        ran(180, math.nan, **offline, batch=8, threads=2),
        ran(999, math.nan, **offline, batch=16, verdict="INVALID"),
    ]
    df = of(*rows)
    assert df["scenario"].tolist() == ["single_stream", "single_stream"]
    assert df["offline_per_s"].tolist() == pytest.approx([180, math.nan], nan_ok=True)
    assert of(*rows[2:]).empty
    assert of().empty


def test_runs_held_against_another_bound_are_another_setting() -> None:
    df = of(ran(50, 0.02) | SERVER, ran(50, 0.03) | SERVER | {"latency_bound_s": 0.1})
    assert df["latency_bound_s"].tolist() == [0.01, 0.1]
    assert df["runs"].tolist() == [1, 1]


def test_rows_are_by_model_as_given_then_by_p99_what_was_not_measured_last() -> None:
    rows = [
        ran(1, p99, model=model, batch=batch)
        for model, (batch, p99) in product("ba", [(4, 0.03), (2, math.nan), (1, 0.01)])
    ]
    df = of(*rows)
    assert df["model"].tolist() == list("bbbaaa")
    assert df["batch"].tolist() == [1, 4, 2] * 2


def test_many_reasons_are_cut_and_equal_ones_said_once() -> None:
    rows = [ran(1, 1, verdict="INVALID", reasons=reason) for reason in "aabcde"]
    assert of(*rows)["reasons"].tolist() == ["6 of 6 INVALID: a; b; c; and 2 more"]


def test_other_tables_are_refused() -> None:
    with pytest.raises(SchemaError):
        frontier(schema.frame([], schema.RUNS))
