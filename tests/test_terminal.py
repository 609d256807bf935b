"""What a terminal shows of results: at any usual width whole numbers, the wanted ones first."""

import math
import sys
from collections import Counter
from itertools import product
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from tpukit import results_terminal, schema, terminal
from tpukit.errors import ConfigError
from tpukit.tables import laid_out
from tpukit.workflows import Step, compared

ROW = {
    "run_id": "r", "scenario": "server", "samples_per_query": 1, "latency_bound_s": 0.01, "n": 500, "over_bound": 2,
    "p50_s": 0.0351, "p90_s": 0.0452, "p99_s": 0.0553, "throughput_per_s": 396.4, "speedup": 0.123,
    "fraction_of_peak": 0.0625, "accuracy": 0.95556, "accuracy_n": 540, "energy_j": 12.0, "net_energy_j": 2.0,
    "warnings": "unstable: latency drifted",
}  # fmt: skip


def wide(scenario: str = "server") -> pd.DataFrame:
    """Two models on two devices, with as many columns as there can be."""
    axes = product(("mobilenet_v1_025_int8", "digits_cnn_int8"), ("reference", "cpu"), (1, 2), (1, 4), (100.0, 400.0))
    verdicts = {"reference": "INVALID", "cpu": "VALID"}
    rows: list[dict[str, Any]] = [
        ROW | {"model": m, "device": d, "threads": t, "batch": b, "rate_hz": r, "verdict": verdicts[d]}
        for m, d, t, b, r in axes
    ]
    alone = {"scenario": scenario} | ({} if scenario == "server" else {"rate_hz": None, "latency_bound_s": None})
    return schema.frame([row | alone for row in rows], schema.RESULTS)


def shown(results: pd.DataFrame, width: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "_console", lambda: Console(width=width))
        results_terminal.show_results(results)
    return capsys.readouterr().out.splitlines()


def words(text: str) -> str:
    """Return a text without spaces and line breaks, which folding may add."""
    return "".join(text.split())


@pytest.mark.parametrize("width", [80, 100, 120, 160, 240])
@pytest.mark.parametrize("scenario", ["server", "single_stream"])
def test_p99_the_ratio_and_the_verdict_are_whole_at_every_width(
    scenario: str, width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    heading, *lines = shown(wide(scenario), width, capsys)
    assert heading.startswith(f"scenario {scenario}")
    assert max(map(len, lines)) <= width
    table = [line for line in lines if "reference" in line or " cpu " in line][:32]
    for row in table:
        assert {"35.1", "55.3", "0.123", "INVALID" if "reference" in row else "VALID"} <= {
            *row.replace(",", "").split()
        }


def test_where_a_row_has_no_room_it_becomes_lines_with_all_columns(capsys: pytest.CaptureFixture[str]) -> None:
    said = shown(wide(), 40, capsys)
    assert max(map(len, said[1:])) <= 40
    assert said.count("p50 ms: 35.1") == said.count("p90 ms: 45.2") == said.count("accuracy: 0.956 of 540") == 32
    assert (said.count("verdict: VALID *"), said.count("verdict: INVALID *")) == (16, 16)


def test_what_is_least_wanted_goes_first(capsys: pytest.CaptureFixture[str]) -> None:
    columns = {width: shown(wide(), width, capsys)[1] for width in (120, 240)}
    assert all(name in columns[240] for name in ("p90 ms", "over bound", "mJ/sample", "% of limit", "accuracy"))
    wanted = ("p50 ms", "× baseline", "p90 ms", "accuracy")
    assert [name for name in wanted if name in columns[120]] == ["p50 ms", "× baseline"]


def test_an_unstable_verdict_is_a_star_where_its_word_has_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    narrow, wider = shown(wide(), 80, capsys), shown(wide(), 240, capsys)
    assert narrow[0].endswith("(* unstable)")
    assert any("VALID *" in line for line in narrow)
    assert "unstable" not in " ".join(narrow[1:33])
    assert "INVALID, unstable" in wider[2]
    assert "(* unstable)" not in wider[0]


def test_a_long_name_of_a_run_folds_and_costs_no_number(capsys: pytest.CaptureFixture[str]) -> None:
    results = wide("single_stream").head(2)
    runs = pd.DataFrame({"started": pd.to_datetime(["2026-01-02 03:04", "2026-01-02 03:05"]), "name": ["n" * 70, "b"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "_console", lambda: Console(width=80))
        results_terminal.show_results(results, runs=runs)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines()[1:-1])) <= 80
    assert all(said.count(number) == 2 for number in ("35.1", "55.3", "0.123"))
    assert said.count("n" * 12) >= 1


NOTE = "power at rest is not known: another run kept the machine busy; leave it alone for 30 s before the first run"
COMPARED = {
    "device": "cpu", "scenario": "single_stream", "threads": 1, "metric": "p50_s", "base_runs": 6, "new_runs": 6,
    "base_value": 0.00123, "new_value": 0.00131, "ratio": 1.0612, "ratio_lo": 1.0587, "ratio_hi": 1.0634,
    "verdict": "slower", "design": "6 pairs measured in turn",
}  # fmt: skip
TABLES = {
    "devices": pd.DataFrame({
        "device": ["cpu", "reference"], "usable": [True, False], "runtime": ["ai-edge-litert 2.3.0", ""],
        "about": ["this machine's processor, LiteRT with its optimised kernels", ""], "reason": ["", NOTE],
    }),
    "meter": pd.DataFrame({
        "run_id": ["20260102T030405-0123456789ab"] * 2, "model": ["mobilenet_v1_025_int8", "kws"],
        "energy_j": [12.3456, 1234.5], "idle_power_w": [2.5, math.nan], "net_energy_j": [7.891, math.nan],
        "note": ["at rest before it", NOTE],
    }),
    "suite": pd.DataFrame({
        "what": ["a claim of several words (ratio)"], "measured": ["1.012"], "goal": ["≥ 1.010"], "verdict": ["holds"],
    }),
    "peaks": pd.DataFrame({
        "model": ["mobilenet_v1_025_int8"], "bound ms": ["10.0"], "peak/s": ["380"], "too high/s": ["394"],
        "single_stream/s": ["420"], "runs": ["9"], "reason": [NOTE],
    }),
    "compared": compared(schema.frame(
        [COMPARED | {"model": "mobilenet_v1_025_int8"}, COMPARED | {"model": "kws", "scenario": "offline"}],
        schema.COMPARISON,
    ))[0],
}  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 80, 100])
@pytest.mark.parametrize("kind", TABLES)
def test_no_text_of_a_cell_is_lost_at_any_width(kind: str, width: int, capsys: pytest.CaptureFixture[str]) -> None:
    table = TABLES[kind]
    Console(width=width).print(laid_out(table, width))
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    # a folded cell stands beside others, so its characters are counted
    characters = "".join(map(cell, table.to_numpy().ravel()))
    assert not Counter(words(characters)) - Counter(words(said))
    for name in table.columns.difference(["model", "run_id", "what", "about", "reason", "note", "runtime"]):
        assert all(cell(value) in said for value in table[name])


def cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ("" if math.isnan(value) else f"{value:.4g}") if isinstance(value, float) else str(value)


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_a_comparison_keeps_ratio_interval_and_verdict(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        COMPARED | {"model": "mobilenet_v1_025_int8"},
        COMPARED | {"model": "kws", "verdict": "not distinguishable"},
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "_console", lambda: Console(width=width))
        results_terminal.show_comparison(schema.frame(rows, schema.COMPARISON), fail_on=1.0, as_json=False)
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= width
    assert said.count("1.061 [1.059, 1.063]") == 2
    assert "slower" in said
    assert "not distinguishable" in said


def test_what_was_not_measured_is_empty_in_a_comparison() -> None:
    one_side = {"model": "a", "metric": "p50_s", "base_value": 0.001}
    no_interval = COMPARED | {"ratio_lo": None, "ratio_hi": None}
    table, _ = compared(schema.frame([one_side, no_interval], schema.COMPARISON))
    assert table["base"].tolist() == ["1.00 ms", "1.23 ms"]
    assert table["new"].tolist() == ["", "1.31 ms"]
    assert table["× as long"].tolist() == ["", "1.061"]


def test_brackets_in_text_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=80).print(laid_out(pd.DataFrame({"[bold]": ["[red]x[/red]"]}), 80))
    assert capsys.readouterr().out.split() == ["[bold]", "[red]x[/red]"]


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("unstable: latency drifted", "(and 1 more)"),
        ("unstable: load average 3.1 on 2 cores", "(and 1 more like it, with other numbers)"),
    ],
)
def test_only_notes_with_numbers_differ_in_them(note: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown_lines = shown(wide().head(2).assign(warnings=note), 300, capsys)
    assert shown_lines[-1].endswith(said)


def test_an_error_of_several_cells_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [COMPARED | {"model": "kws", "threads": threads} for threads in (1, 2)]
    assert results_terminal.show_comparison(schema.frame(rows, schema.COMPARISON), fail_on=0.0, as_json=True) == 1
    assert capsys.readouterr().err == "tpukit: slower: kws on cpu, single_stream, takes 1.061 times as long\n"


def test_the_bar_is_drawn_from_the_first_step_that_begins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(ConfigError), terminal.progress("bench"):
        raise ConfigError("bad input")
    assert capsys.readouterr().err == ""
    with terminal.progress("bench") as show:
        assert show is not None
        show(Step(share=0.25, label="first", begins=True))
        show(Step(share=0.5, label="first", begins=False))
    drawn = capsys.readouterr().err
    assert "25 %" in drawn
    assert "50 %" in drawn
