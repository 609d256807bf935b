"""RESULTS for people: units of the field, digits that mean something, nothing made up."""

import math

import pytest

from tpukit import schema
from tpukit.errors import SchemaError
from tpukit.workflows import (
    by_scenario,
    notes,
    phases,
    readable,
    readable_frontier,
    readable_peaks,
    significant,
)

ROW = {
    "model": "m", "device": "cpu", "scenario": "single_stream", "threads": 2, "batch": 1, "verdict": "VALID", "n": 500,
    "p50_s": 0.00123456, "p90_s": 0.0456, "p99_s": 1.5, "p99_lo_s": 1.25, "p99_hi_s": math.nan,
    "throughput_per_s": 812.345, "speedup": 3.14159, "accuracy": 0.95556, "accuracy_n": 540,
}  # fmt: skip


def test_a_row_is_told_in_milliseconds_with_three_digits() -> None:
    (row,) = readable(schema.frame([ROW], schema.RESULTS)).to_dict("records")
    assert {name: text for name, text in row.items() if text} == {
        "model": "m", "device": "cpu", "scenario": "single_stream", "threads": "2", "batch": "1", "verdict": "VALID",
        "queries": "500", "p50 ms": "1.23", "p90 ms": "45.6", "p99 ms": "1500 [1250, ?]",
        "samples/s": "812",
        "× baseline": "3.14", "accuracy": "0.956 of 540",
    }  # fmt: skip


def test_limit_energy_and_bound_are_told_where_they_were_measured() -> None:
    server = ROW | {"scenario": "server", "latency_bound_s": 0.01, "over_bound": 4, "fraction_of_peak": 0.06789}
    energy = {"samples_per_query": 8, "energy_j": 12.0, "net_energy_j": 2.0}
    (row,) = readable(schema.frame([server | energy], schema.RESULTS)).to_dict("records")
    # 500 queries of 8 samples
    assert (row["mJ/sample"], row["net mJ/sample"]) == ("3.00", "0.500")
    assert (row["bound ms"], row["over bound"], row["% of limit"]) == ("10.0", "0.800 %", "6.79")
    none = readable(schema.frame([server | energy | {"n": 0, "verdict": "INVALID"}], schema.RESULTS))
    assert none[["over bound", "mJ/sample", "net mJ/sample"]].iloc[0].tolist() == ["", "", ""]
    assert readable(schema.frame([server | {"over_bound": 0}], schema.RESULTS))["over bound"].item() == "0 %"


def test_an_invalid_run_does_not_say_which_share_was_over_the_bound() -> None:
    # 600 of it were never served, so 600 of 500 would be 120 %
    row = ROW | {"scenario": "server", "over_bound": 600, "verdict": "INVALID"}
    assert readable(schema.frame([row], schema.RESULTS))["over bound"].item() == ""


def test_a_frontier_and_peaks_are_told_in_the_same_units() -> None:
    point = {"model": "m", "batch": 4, "rate_hz": 50.0, "latency_bound_s": 0.01, "runs": 3, "throughput_per_s": 199.9}
    point |= {"p99_s": 0.0123, "p99_lo_s": 0.01, "p99_hi_s": 0.015, "offline_per_s": 812.0, "on_frontier": True}
    missing = {"model": "m", "runs": 0, "on_frontier": False, "reasons": "1 of 1 INVALID: no power"}
    first, second = readable_frontier(schema.frame([point, missing], schema.FRONTIER)).to_dict("records")
    assert {name: text for name, text in first.items() if text} == {
        "model": "m", "batch": "4", "queries/s": "50.0", "bound ms": "10.0", "runs": "3", "samples/s": "200",
        "p99 ms": "12.3 [10.0, 15.0]", "frontier": "yes", "offline samples/s": "812",
    }  # fmt: skip
    assert {name: text for name, text in second.items() if text} == {"model": "m", "runs": "0"}
    peak = {"model": "m", "threads": 2, "latency_bound_s": 0.01, "percentile": 0.99, "rate_hz": 380.4, "runs": 9}
    (row,) = readable_peaks(schema.frame([peak | {"reason": "stopped"}], schema.PEAKS)).to_dict("records")
    assert {name: text for name, text in row.items() if text} == {
        "model": "m", "threads": "2", "bound ms": "10.0", "percentile": "0.99", "peak/s": "380", "runs": "9",
        "reason": "stopped",
    }  # fmt: skip


def test_a_note_names_the_setting_of_its_run() -> None:
    row = {"model": "a", "scenario": "server", "threads": 1, "batch": 4, "rate_hz": 100.0, "warnings": "unstable: x"}
    assert notes(schema.frame([row], schema.RESULTS))["first"].tolist() == ["a server 100/s 1 thread batch 4"]


def test_what_was_not_measured_is_empty() -> None:
    (row,) = readable(schema.frame([{"model": "m", "verdict": "INVALID"}], schema.RESULTS)).to_dict("records")
    assert {name: text for name, text in row.items() if text} == {"model": "m", "verdict": "INVALID"}


def test_rows_keep_their_order_and_other_tables_are_refused() -> None:
    table = schema.frame([{"model": name} for name in "ba"], schema.RESULTS)
    assert readable(table)["model"].tolist() == ["b", "a"]
    for function in (readable, notes):
        with pytest.raises(SchemaError):
            function(schema.frame([], schema.RUNS))


def test_what_all_rows_of_a_scenario_share_is_said_once_and_empty_columns_are_left_out() -> None:
    rows = [ROW, ROW | {"threads": 4, "accuracy": math.nan, "batch": None}, {"model": "m", "scenario": "offline"}]
    both = readable(schema.frame([row | {"p90_s": math.nan} for row in rows], schema.RESULTS))
    (text, rest), (offline, alone) = by_scenario(both, ["device", "threads", "batch", "verdict"])
    assert text == "device cpu, scenario single_stream, verdict VALID"
    assert set(both) - set(rest) == {
        "device", "scenario", "verdict",
        "queries/s", "bound ms", "p90 ms", "over bound", "% of limit", "mJ/sample", "net mJ/sample",
    }  # fmt: skip
    assert rest["accuracy"].tolist() == ["0.956 of 540", ""]
    assert (offline, alone.to_dict("list")) == ("scenario offline", {"model": ["m"]})
    assert list(by_scenario(readable(schema.frame([], schema.RESULTS)), ["device"])) == []


def test_notes_that_differ_in_numbers_alone_are_one() -> None:
    rows = [
        {"model": "a", "reasons": "cut short after 3 queries; 3 queries, 100 asked for"},
        {
            "model": "b",
            "reasons": "cut short after 7 queries",
            "warnings": "unstable: latency drifted by +9% over the run",
        },
        {"model": "c", "reasons": "", "warnings": "unstable: latency drifted by -12% over the run"},
        {"model": "d"},
    ]
    assert notes(schema.frame(rows, schema.RESULTS)).to_numpy().tolist() == [
        [1, "a", "INVALID: cut short after 3 queries; 3 queries, 100 asked for"],
        [1, "b", "INVALID: cut short after 7 queries"],
        [2, "b", "unstable: latency drifted by +9% over the run"],
    ]


def test_reasons_of_other_models_and_of_valid_runs_are_told_apart() -> None:
    rows = [
        {"model": "m1", "verdict": "INVALID", "reasons": "model m1 is damaged; truncated at 12"},
        {"model": "m2", "verdict": "INVALID", "reasons": "model m2 is damaged; truncated at 9"},
        {"model": "m3", "verdict": "VALID", "reasons": "no baseline, reference failed: 3 queries, 10 asked for"},
        {"model": "m3", "verdict": "VALID", "reasons": "no baseline, reference failed: 5 queries, 10 asked for"},
    ]
    assert notes(schema.frame(rows, schema.RESULTS)).to_numpy().tolist() == [
        [1, "m1", "INVALID: model m1 is damaged; truncated at 12"],
        [1, "m2", "INVALID: model m2 is damaged; truncated at 9"],
        [2, "m3", "no baseline, reference failed: 3 queries, 10 asked for"],
    ]


def test_nothing_to_say_is_an_empty_table() -> None:
    assert notes(schema.frame([ROW], schema.RESULTS)).to_dict("list") == {"runs": [], "first": [], "note": []}


def test_an_unstable_run_is_marked_and_its_note_names_it() -> None:
    table = schema.frame([ROW, ROW | {"threads": 4, "warnings": "unstable: 4 threads on 2 cores"}], schema.RESULTS)
    assert readable(table)["verdict"].tolist() == ["VALID", "VALID, unstable"]
    assert notes(table)["first"].tolist() == ["m cpu single_stream 4 threads"]


def test_the_phases_of_a_run_stand_apart() -> None:
    times = {"load_s": 0.0021, "first_s": 0.0105, "warmup_s": 0.3, "warmup_queries": 30, "steady_s": 3.0}
    (row,) = phases(schema.frame([ROW | times], schema.RESULTS)).to_dict("records")
    assert row == {
        "model": "m", "device": "cpu", "scenario": "single_stream", "threads": "2", "load ms": "2.10",
        "first inference ms": "10.5", "warm-up ms": "300", "warm-up queries": "30", "steady state ms": "3000",
        "queries": "500",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1234567.0, "1230000"),
        (999.9, "1000"),
        (12.345, "12.3"),
        (0.00098765, "0.000988"),
        (-4.5678, "-4.57"),
    ],
)
def test_three_digits_are_significant(value: float, text: str) -> None:
    assert significant(value) == text
