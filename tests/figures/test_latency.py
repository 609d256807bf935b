"""Figures of samples: box, ecdf, over time."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.figures._frames import measured, note, offline, result, results, samples, summarised, title
from tpukit import figures, schema
from tpukit.errors import SchemaError


def traces(fig: go.Figure, mode: str) -> list[go.Scatter]:
    return [trace for trace in fig.data if trace.mode == mode and trace.x[0] is not None]


def test_box_names_the_slowest_beside_the_fastest() -> None:
    fig = figures.plot_box(
        *measured(result("mobile", p50_s=5.5e-4), result("auto", p50_s=1e-5), result("mid", p50_s=1e-4))
    )
    assert title(fig) == "mobile takes 0.55 ms at p50 (cpu, 1 thread), 55 times auto"
    assert list(fig.layout.yaxis.categoryarray) == ["auto", "mid", "mobile"]


def test_box_of_one_run_compares_nothing() -> None:
    assert title(figures.plot_box(*measured(result("a", threads=2)))) == "a takes 1 ms at p50 (cpu, 2 threads)"


def test_box_of_equals_names_no_winner() -> None:
    fig = figures.plot_box(*measured(result("a", p50_s=1e-3), result("b", p50_s=1.004e-3)))
    assert title(fig) == "All 2 runs take 1 ms at p50 (cpu, 1 thread), to within 1 %"


def test_box_labels_tell_only_what_differs() -> None:
    rows = [result("a", run=n, threads=n, batch=4, p50_s=4e-3 / n) for n in (1, 2)]
    fig = figures.plot_box(*measured(*rows))
    assert title(fig) == "a (1 thread) takes 4 ms at p50 (cpu, batch 4), 2 times a (2 threads)"


def test_box_shows_nearest_ranks_in_ms_and_no_outliers() -> None:
    taken, rows = summarised("a", np.arange(1, 201) / 1e3)
    box = figures.plot_box(taken, rows).data[0]
    assert [box[name][0] for name in ("lowerfence", "q1", "median", "q3", "upperfence")] == [2, 50, 100, 150, 198]
    assert box.x is None


def test_box_marks_invalid_runs_and_does_not_judge_by_them() -> None:
    fig = figures.plot_box(*measured(result("a"), result("b", p50_s=1.0, verdict="INVALID")))
    assert title(fig) == "a takes 1 ms at p50 (cpu, 1 thread)"
    assert [(box.name, list(box.y), box.fillcolor) for box in fig.data] == [
        ("VALID", ["a"], "#3f90da"), ("INVALID", ["b"], "white"),
    ]  # fmt: skip
    assert fig.layout.showlegend


def test_box_draws_the_newest_valid_run_of_each_setting() -> None:
    rows = [result("a", run=n, p50_s=n * 1e-3) for n in (2, 3, 1)] + [result("a", run=9, p50_s=9e-3, verdict="INVALID")]
    fig = figures.plot_box(*measured(*rows))
    assert title(fig) == "a takes 3 ms at p50 (cpu, 1 thread)"
    assert "3 older runs left out" in note(fig)
    assert len(fig.data) == 1


def test_ecdf_names_the_widest_spread() -> None:
    fig = figures.plot_ecdf(*measured(result("a"), result("b", p50_s=5e-4, p99_s=1.6e-3)))
    assert title(fig) == "The p99 of b is 3.2 times its p50, 1.6 ms against 0.5 ms, the widest spread of 2 runs"


def test_ecdf_of_one_run_is_the_widest_of_nothing() -> None:
    assert title(figures.plot_ecdf(*measured(result("a")))) == "The p99 of a is 2 times its p50, 2 ms against 1 ms"


def test_ecdf_of_an_even_run_speaks_of_no_spread() -> None:
    fig = figures.plot_ecdf(*measured(result("a", p99_s=1.002e-3)))
    assert title(fig) == "The p99 of a is within 1 % of its p50 of 1 ms"


def test_ecdf_says_when_a_p99_has_few_queries() -> None:
    fig = figures.plot_ecdf(*summarised("a", np.arange(1, 11) / 1e3))
    assert title(fig) == "The p99 of a is 2 times its p50, 10 ms against 5 ms, from 10 queries only"
    assert list(traces(fig, "markers")[0].marker.symbol) == ["circle", "circle-open", "circle-open"]


def test_ecdf_is_thin_and_keeps_the_ends() -> None:
    latency_s = np.random.default_rng(1).lognormal(-7, 1, 50_000)
    line = traces(figures.plot_ecdf(*summarised("a", latency_s)), "lines")[0]
    assert 250 < len(line.x) <= 300
    assert (line.x[0], line.x[1], line.x[-1]) == (latency_s.min() * 1e3, latency_s.min() * 1e3, latency_s.max() * 1e3)
    assert (line.y[0], line.y[1], line.y[-1]) == (0.0, 1 / 50_000, 1.0)
    assert line.line.shape == "hv"
    assert line.y[150] == pytest.approx(np.mean(latency_s * 1e3 <= line.x[150]))


def test_ecdf_marks_the_quantiles_of_the_table() -> None:
    markers = traces(figures.plot_ecdf(*measured(result("a"))), "markers")[0]
    assert list(markers.x) == [1.0, 1.5, 2.0]
    assert list(markers.y) == [0.5, 0.9, 0.99]
    assert markers.text[2] == "p99 2 ms, 95 % interval 1.9 ms to 2.1 ms"


def test_ecdf_draws_each_run_and_numbers_those_of_the_same_settings() -> None:
    taken, rows = measured(result("a", run=2, p99_s=9e-3), result("a", run=1))
    fig = figures.plot_ecdf(taken, rows)
    assert title(fig) == "The p99 of a #2 is 9 times its p50, 9 ms against 1 ms, the widest spread of 2 runs"
    assert len(traces(fig, "lines")) == 2


def test_ecdf_draws_invalid_runs_thin() -> None:
    fig = figures.plot_ecdf(*measured(result("a"), result("b", verdict="INVALID", p99_s=1.0)))
    assert title(fig).startswith("The p99 of a is 2 times its p50")
    assert [line.line.width for line in traces(fig, "lines")] == [2, 1]
    assert "b, INVALID" in traces(fig, "lines")[1].hovertemplate


def test_ecdf_tells_models_by_colour_and_settings_by_dash() -> None:
    rows = [result(model, run=n, threads=n) for model in ("a", "b") for n in (1, 2)]
    lines = traces(figures.plot_ecdf(*measured(*rows)), "lines")
    assert [(line.line.color, line.line.dash) for line in lines] == [
        ("#3f90da", "solid"), ("#3f90da", "dash"), ("#ffa90e", "solid"), ("#ffa90e", "dash"),
    ]  # fmt: skip


def test_tables_that_lost_their_categories_are_refused() -> None:
    _, rows = measured(result("a"), result("b"))
    parts = [samples(run_id, [1e-3, 2e-3]) for run_id in rows["run_id"]]
    with pytest.raises(SchemaError, match="column run_id of a SAMPLES table is str, expected category"):
        figures.plot_ecdf(pd.concat(parts), rows)
    assert len(traces(figures.plot_ecdf(schema.concat(parts, schema.SAMPLES), rows), "lines")) == 2


def test_samples_of_runs_without_a_result_are_not_drawn() -> None:
    taken, rows = measured(result("a"), result("b"), offline("c"))
    fig = figures.plot_ecdf(taken, rows[rows["model"] != "b"])
    assert {trace.name for trace in fig.data} == {"a"}


def test_over_time_names_the_run_that_drifted_most() -> None:
    rows = [result("a", drift=0.03), result("b", drift=-0.12), result("c"), result("d", verdict="INVALID", drift=2.0)]
    fig = figures.plot_over_time(*measured(*rows))
    assert title(fig) == "Latency of b fell by 12 % over its run, the most of 3 runs; 1 of 3 shows no trend"


def test_over_time_speaks_of_one_run_and_of_many_alike() -> None:
    assert (
        title(figures.plot_over_time(*measured(result("a", drift=0.034)))) == "Latency of a rose by 3.4 % over its run"
    )
    assert title(figures.plot_over_time(*measured(result("a")))) == "Latency of a shows no trend over its run"
    fig = figures.plot_over_time(*measured(result("a"), result("b")))
    assert title(fig) == "Latency shows no trend within any of 2 runs"


def test_over_time_does_not_take_too_few_queries_for_no_trend() -> None:
    few = figures.plot_over_time(*measured(result("a"), n=39))
    assert title(few) == "Too few queries to tell whether latency of a has a trend"
    both = [measured(result("a"), n=40), measured(result("b"), n=39)]
    taken, rows = zip(*both, strict=True)
    fig = figures.plot_over_time(schema.concat(taken, schema.SAMPLES), schema.concat(rows, schema.RESULTS))
    assert title(fig) == "Latency shows no trend within any of 1 run; 1 run had too few queries to tell"


def test_over_time_is_relative_to_the_p50_of_the_table() -> None:
    # a second of queries of 1 ms, then one of 2 ms; p50 says 1 ms
    latency_s = np.r_[np.full(1000, 1e-3), np.full(500, 2e-3)]
    fig = figures.plot_over_time(samples("run-000-a", latency_s), results(result("a")))
    line, dots = fig.data
    assert len(line.x) == 60
    np.testing.assert_allclose(line.y, [1.0] * 30 + [2.0] * 30)
    np.testing.assert_allclose(dots.customdata, line.y)
    assert line.x[-1] == pytest.approx(1.98, abs=0.02)


def test_over_time_keeps_a_stall_at_the_edge_of_the_scale() -> None:
    latency_s = np.full(10_000, 1e-3)
    latency_s[500] = 0.05
    fig = figures.plot_over_time(samples("run-000-a", latency_s), results(result("a")))
    dots = fig.data[1]
    stall = int(np.argmax(dots.customdata))
    assert dots.customdata[stall] == pytest.approx(50)
    assert dots.y[stall] == max(dots.y) == 2
    assert [symbol for symbol in dots.marker.symbol if symbol != "circle"] == ["triangle-up"]
    assert "triangle" in note(fig)


def test_over_time_takes_samples_in_any_order() -> None:
    taken, rows = measured(result("a", p50_s=1e-3))
    shuffled = taken.sample(frac=1, random_state=0)
    assert figures.plot_over_time(shuffled, rows).to_json() == figures.plot_over_time(taken, rows).to_json()


@pytest.mark.parametrize(("models", "panels"), [(1, 1), (2, 2), (5, 5)])
def test_over_time_has_a_panel_for_each_model(models: int, panels: int) -> None:
    rows = [result(f"m{n}", run=t, threads=t) for n in range(models) for t in (1, 2)]
    fig = figures.plot_over_time(*measured(*rows, n=50))
    assert [text.text for text in fig.layout.annotations] == [f"m{n}" for n in range(panels)]
    assert len({trace.xaxis for trace in fig.data}) == panels
    assert len(fig.data) == 4 * models
    assert [trace.name for trace in fig.data if trace.showlegend] == ["1 thread", "2 threads"]


def test_over_time_dots_the_lines_of_invalid_runs() -> None:
    fig = figures.plot_over_time(*measured(result("a"), result("b", verdict="INVALID")))
    assert [line.line.dash for line in traces(fig, "lines")] == ["solid", "dot"]


def test_a_latency_below_the_tick_of_the_clock_is_drawn() -> None:
    taken, rows = summarised("a", [0.0, 0.0, 0.0, 0.0, 1e-3, 1e-3, 1e-3, 1e-3, 1e-3])
    line = traces(figures.plot_ecdf(taken, rows), "lines")[0]
    assert line.x[0] == pytest.approx(1e-6)
    for plot in (figures.plot_box, figures.plot_over_time):
        assert plot(taken, rows).to_json()


@pytest.mark.parametrize("plot", [figures.plot_box, figures.plot_ecdf, figures.plot_over_time])
@pytest.mark.parametrize("quantile", ["p50_s", "p99_s"])
def test_a_run_without_a_quantile_is_left_out(plot: Callable[..., go.Figure], quantile: str) -> None:
    taken, rows = measured(result("a"), result("b"))
    rows.loc[rows["model"] == "b", quantile] = float("nan")
    fig = plot(taken, rows)
    assert "Left out: 1 run without latency." in note(fig)
    assert "run-000-b" not in fig.to_json()


def test_a_run_of_one_query_is_drawn() -> None:
    taken, rows = summarised("a", [1e-3], verdict="VALID")
    assert title(figures.plot_box(taken, rows)) == "a takes 1 ms at p50 (cpu, 1 thread)"
    assert title(figures.plot_ecdf(taken, rows)) == "The p99 of a is within 1 % of its p50 of 1 ms, from 1 query only"
    assert figures.plot_over_time(taken, rows).to_json()
