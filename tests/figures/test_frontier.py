"""Throughput against p99: the frontier is joined, what is not drawn is named, the title says what it buys."""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.figures._frames import axis_titles, note, title
from tpukit import figures, schema
from tpukit.errors import SchemaError

ROW = {"device": "cpu", "scenario": "single_stream", "threads": 1, "runs": 1}


def setting(model: str, batch: int, throughput: float, p99_ms: float, *, best: bool = True, **columns: Any) -> Any:
    p99_s = p99_ms / 1e3
    numbers = {"throughput_per_s": throughput, "p99_s": p99_s, "p99_lo_s": 0.9 * p99_s, "p99_hi_s": 1.2 * p99_s}
    return ROW | numbers | {"model": model, "batch": batch, "samples_per_query": batch, "on_frontier": best} | columns


def of(*rows: dict[str, Any]) -> pd.DataFrame:
    return schema.frame(rows, schema.FRONTIER)


def line(fig: go.Figure) -> go.Scatter:
    return next(trace for trace in fig.data if trace.mode == "lines" and trace.line.dash != "dot")


def dots(fig: go.Figure, model: str = "a") -> go.Scatter:
    return next(trace for trace in fig.data if str(trace.mode).startswith("markers") and trace.name == model)


A = [setting("a", 1, 1200, 0.9), setting("a", 2, 1100, 1.1, best=False), setting("a", 4, 3900, 1.5)]


def test_one_model_says_the_most_and_the_soonest() -> None:
    fig = figures.plot_frontier(of(*A))
    assert title(fig) == (
        "a serves 3,900 samples/s at a p99 of 1.5 ms with batch 4; "
        "it answers soonest with batch 1: 1,200 samples/s at 0.9 ms"
    )
    assert axis_titles(fig) == {"p99 of latency (ms)", "throughput (samples/s)"}
    assert (fig.layout.xaxis.type, fig.layout.yaxis.type) == ("log", "log")
    assert note(fig).startswith("All on cpu, single_stream, 1 thread. Small: beaten by another setting of its model.")


def test_the_line_joins_the_frontier_and_the_dots_are_all() -> None:
    fig = figures.plot_frontier(of(*reversed(A)))
    assert (list(line(fig).x), list(line(fig).y)) == ([0.9, 1.5], [1200, 3900])
    assert list(dots(fig).x) == pytest.approx([0.9, 1.1, 1.5])
    small, large = sorted(set(dots(fig).marker.size))
    assert list(dots(fig).marker.size) == [large, small, large]
    assert list(dots(fig).text) == ["batch 1", "", "batch 4"]
    assert dots(fig).mode == "markers+text"
    assert dots(fig).customdata[1] == "a<br>batch 2<br>1,100 samples/s at a p99 of 1.1 ms<br>1 VALID run"
    assert list(dots(fig).error_x.array) == pytest.approx([0.18, 0.22, 0.3])
    assert list(dots(fig).error_x.arrayminus) == pytest.approx([0.09, 0.11, 0.15])


def test_a_setting_that_all_are_beaten_by_is_the_finding() -> None:
    best = setting("a", 1, 5000, 0.5)
    fig = figures.plot_frontier(of(best, *(row | {"on_frontier": False} for row in A[1:])))
    assert title(fig) == (
        "a serves 5,000 samples/s at a p99 of 0.5 ms with batch 1: none of 3 settings serves over 5 % more"
    )
    assert title(figures.plot_frontier(of(best))) == "a serves 5,000 samples/s at a p99 of 0.5 ms"


def test_of_several_models_the_one_that_gains_most_is_named() -> None:
    flat = [setting("b", 1, 100, 5.0), setting("b", 4, 104, 20.0)]
    assert title(figures.plot_frontier(of(*A, *flat))) == (
        "1 of 2 models serves more at a higher p99: a goes from 1,200 samples/s at a p99 of 0.9 ms with batch 1 "
        "to 3,900 at 1.5 ms with batch 4"
    )
    more = [setting("c", 1, 10, 5.0), setting("c", 4, 100, 20.0)]
    assert title(figures.plot_frontier(of(*A, *more))).startswith(
        "All 2 models serve more at a higher p99: c gains most, from 10 samples/s at a p99 of 5 ms with batch 1 to 100"
    )
    assert title(figures.plot_frontier(of(*flat, *(row | {"model": "c"} for row in flat)))) == (
        "None of 2 models serves over 5 % more at a higher p99; "
        "b serves most: 104 samples/s at a p99 of 20 ms with batch 4"
    )
    assert title(figures.plot_frontier(of(A[0], setting("b", 1, 2000, 5.0)))) == (
        "Of 2 models, b serves most: 2,000 samples/s at a p99 of 5 ms"
    )


def test_server_is_a_line_of_its_own_with_its_bound() -> None:
    server = {"scenario": "server", "latency_bound_s": 0.01}
    rates = [setting("a", 1, rate, p99, rate_hz=rate, **server) for rate, p99 in ((100.0, 2.0), (800.0, 8.0))]
    fig = figures.plot_frontier(of(*A, *rates))
    joined = [trace for trace in fig.data if trace.mode == "lines" and trace.x[0] is not None]
    assert [list(trace.x) for trace in joined] == [[0.9, 1.5], [2.0, 8.0]]
    assert joined[0].line.dash != joined[1].line.dash
    assert [shape.x0 for shape in fig.layout.shapes] == [10]
    assert "Dashed: the latency bound of server, 10 ms." in note(fig)
    assert {trace.name for trace in fig.data if trace.showlegend is not False} == {"a", "closed loop", "server"}
    low, high = fig.layout.xaxis.range
    assert 10**low < 0.81
    assert 10**high > 10
    served = next(trace for trace in fig.data if trace.mode == "markers" and "queries/s" in trace.text[0])
    assert list(served.text) == ["batch 1, 100 queries/s", "batch 1, 800 queries/s"]


def test_the_best_offline_throughput_is_the_limit() -> None:
    fig = figures.plot_frontier(of(*(row | {"offline_per_s": 4200.0} for row in A)))
    limit = next(trace for trace in fig.data if trace.mode == "lines" and trace.line.dash == "dot")
    assert list(limit.y) == [4200, 4200]
    assert limit.x[0] < 0.9
    assert limit.x[1] > 1.5
    assert 10 ** fig.layout.yaxis.range[1] > 4200
    assert "best offline throughput" in {trace.name for trace in fig.data}
    assert "offline" not in figures.plot_frontier(of(*A)).to_json()


def test_what_has_no_valid_run_is_named_and_not_drawn() -> None:
    missing = [setting("a", batch, math.nan, math.nan, best=False, runs=0) for batch in (8, 16, 32, 64, 128)]
    fig = figures.plot_frontier(of(*A, *missing[:1]))
    assert "Not drawn, for no run is VALID: a: batch 8." in note(fig)
    assert len(dots(fig).x) == 3
    many = figures.plot_frontier(of(*A, *missing))
    assert "no run is VALID: a: batch 8; a: batch 16; a: batch 32 and 2 others." in note(many)
    assert title(figures.plot_frontier(of(*missing))) == "Nothing to show: no run of 5 settings is VALID"
    assert title(figures.plot_frontier(of())) == "Nothing to show: there are no settings with a latency"


def test_a_missing_interval_has_no_bar() -> None:
    fig = figures.plot_frontier(of(setting("a", 1, 10, 1.0, p99_lo_s=math.nan, p99_hi_s=math.nan)))
    assert (list(dots(fig).error_x.array), list(dots(fig).error_x.arrayminus)) == ([0], [0])
    assert fig.to_json()


def test_several_models_have_a_legend_and_devices_a_dash() -> None:
    rows = [setting(model, 1, 10, 1.0, device=device) for model in "ab" for device in ("cpu", "tpu")]
    fig = figures.plot_frontier(of(*rows))
    assert [trace.name for trace in fig.data if trace.showlegend is not False] == ["a", "b", "cpu", "tpu"]
    assert {trace.mode for trace in fig.data} == {"lines", "markers"}
    assert figures.plot_frontier(of(rows[0])).layout.showlegend is False


def test_names_are_shown_as_they_are_and_other_tables_refused() -> None:
    fig = figures.plot_frontier(of(setting("<b>", 1, 10, 1.0), setting("<b>", 2, 20, 2.0)))
    assert "<b>" not in fig.to_json().replace("\\u003c", "<")
    with pytest.raises(SchemaError):
        figures.plot_frontier(schema.frame([], schema.RESULTS))


def test_large_numbers_have_no_powers_of_ten_and_a_setting_is_not_broken() -> None:
    rows = [setting("m" * 26, batch, 1e4 * batch, batch / 10) for batch in (1, 100)]
    fig = figures.plot_frontier(of(*rows))
    assert fig.layout.yaxis.tickformat == ",~r"
    assert fig.layout.title.text.startswith(
        f"{'m' * 26} serves 1,000,000 samples/s at a p99 of 10 ms with<br>batch 100"
    )
