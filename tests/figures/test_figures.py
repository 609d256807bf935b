"""What holds for every figure."""

from collections.abc import Callable
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio
import pytest

from tests.figures._frames import (
    axis_titles,
    history,
    mapped,
    measured,
    note,
    offline,
    ops,
    result,
    results,
    samples,
    title,
)
from tpukit import figures, schema
from tpukit.errors import SchemaError

NO_SAMPLES = schema.frame([], schema.SAMPLES)
NO_RESULTS = schema.frame([], schema.RESULTS)
OF_SAMPLES = (figures.plot_box, figures.plot_ecdf, figures.plot_over_time)
OF_RESULTS = (figures.plot_threads, figures.plot_speedup, figures.plot_roofline)


def thirty() -> tuple[pd.DataFrame, pd.DataFrame]:
    records = [
        result(
            f"mobilenet_{model}_int8",
            run=model,
            threads=threads,
            p50_s=1e-4 * (model + 1) / threads,
            speedup=1.0 + model,
        )
        | {"run_id": f"run-{model}-{threads}"}
        for model in range(10)
        for threads in (1, 2, 4)
    ]
    return measured(*records, n=2000)


def every_figure() -> dict[str, go.Figure]:
    taken, rows = thirty()
    record = {name: value for name, value in rows.iloc[0].items() if pd.notna(value)}
    bounded = rows.assign(fraction_of_peak=1 / rows["speedup"], limit="compute: 2 MMAC int8 at 400 Gop/s, 1 thread")
    names = ("model", "device", "scenario", "threads", "batch", "p99_s")
    settings = [
        row | {"on_frontier": True, "runs": 1, "throughput_per_s": 1e3} for row in rows[[*names]].to_dict("records")
    ]
    runs = history(*(record | {"run_id": f"run-{day}", "day": day} for day in range(30)))
    work = pd.concat([ops(f"m{model}", ("CONV_2D", 10**model), ("SOFTMAX", 0)) for model in range(10)])
    known = [{"model": f"mobilenet_{n}_int8", "publisher": "p", "hardware": "CPU", "latency_s": 0.1} for n in range(10)]
    return {
        "box": figures.plot_box(taken, rows),
        "ecdf": figures.plot_ecdf(taken, rows),
        "over_time": figures.plot_over_time(taken, rows),
        "threads": figures.plot_threads(rows),
        "speedup": figures.plot_speedup(rows),
        "roofline": figures.plot_roofline(bounded),
        "references": figures.plot_references(rows, schema.frame(known, schema.PUBLISHED)),
        "frontier": figures.plot_frontier(schema.frame(settings, schema.FRONTIER)),
        "history": figures.plot_history(runs),
        "macs": figures.plot_macs(work),
        "mapping": figures.plot_mapping(mapped("toy", ("CONV_2D", 9, None), ("ELU", 0, "the Edge TPU has no ELU"))),
    }


def test_thirty_runs_fit_into_a_report_and_look_alike() -> None:
    for name, fig in every_figure().items():
        assert len(fig.to_json()) < 400_000, name
        assert fig.layout.width is None, name
        assert fig.layout.title.xanchor is None, f"{name}: the theme places the title"
        assert fig.layout.template.layout.title.xanchor == "left", name


def test_axes_bear_units() -> None:
    figs = every_figure()
    assert axis_titles(figs["box"]) == {"latency (ms)"}
    assert axis_titles(figs["ecdf"]) == {"latency (ms)", "share of queries (%)"}
    assert axis_titles(figs["over_time"]) == {"time in the run (s)", "latency / p50"}
    assert axis_titles(figs["threads"]) == {"threads (number)", "p50 of latency (ms)"}
    assert axis_titles(figs["history"]) == {"start of the run (UTC)", "p50 of latency (ms)"}
    assert axis_titles(figs["macs"]) == {"multiply-accumulates of one inference (number)"}
    assert axis_titles(figs["references"]) == {"latency of one inference (ms)"}
    assert axis_titles(figs["roofline"]) == {"share of the limit (%)"}
    assert axis_titles(figs["speedup"]) == {"speed relative to the baseline (times)"}


def test_a_default_template_of_the_caller_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: fig.to_json() for name, fig in every_figure().items()}
    monkeypatch.setattr(pio.templates, "default", "plotly_dark")
    assert {name: fig.to_json() for name, fig in every_figure().items()} == before


def test_a_figure_leaves_its_tables_as_they_were() -> None:
    taken, rows = thirty()
    copies = taken.copy(), rows.copy()
    for plot in OF_SAMPLES:
        plot(taken, rows)
    for plot in OF_RESULTS:
        plot(rows)
    pd.testing.assert_frame_equal(taken, copies[0])
    pd.testing.assert_frame_equal(rows, copies[1])


@pytest.mark.parametrize("plot", OF_SAMPLES)
def test_figures_of_samples_say_why_there_is_nothing_to_show(plot: Callable[..., go.Figure]) -> None:
    def said(taken: pd.DataFrame, rows: pd.DataFrame) -> str:
        fig = plot(taken, rows)
        assert fig.layout.xaxis.visible is False
        assert fig.layout.yaxis.visible is False
        assert fig.to_json()
        return title(fig)

    waiting = samples("run-900-a", [0.1, 0.2])
    assert said(NO_SAMPLES, NO_RESULTS) == "Nothing to show: there are no results"
    assert said(waiting, results(offline("a"))) == (
        "Nothing to show: latency is judged in single_stream, and 1 result of other scenarios was given"
    )
    assert said(NO_SAMPLES, results(result("a"), result("b"))) == (
        "Nothing to show: no query of 2 single_stream runs has a latency"
    )


@pytest.mark.parametrize("plot", OF_RESULTS)
def test_figures_of_results_say_why_there_is_nothing_to_show(plot: Callable[..., go.Figure]) -> None:
    assert title(plot(NO_RESULTS)) == "Nothing to show: there are no results"
    assert title(plot(results(offline("a"), offline("b")))) == (
        "Nothing to show: latency is judged in single_stream, and 2 results of other scenarios were given"
    )
    assert plot(NO_RESULTS).layout.xaxis.visible is False


@pytest.mark.parametrize("plot", OF_SAMPLES)
def test_a_wrong_table_is_refused(plot: Callable[..., go.Figure]) -> None:
    taken, rows = measured(result("a"))
    with pytest.raises(SchemaError, match="SAMPLES table needs the columns latency_s"):
        plot(taken.drop(columns="latency_s"), rows)
    with pytest.raises(SchemaError, match="RESULTS table needs the columns p50_s"):
        plot(taken, rows.drop(columns="p50_s"))
    with pytest.raises(SchemaError, match="table needs the columns"):
        plot(rows, taken)
    with pytest.raises(SchemaError, match="column latency_s of a SAMPLES table is str"):
        plot(taken.astype({"latency_s": "str"}), rows)


@pytest.mark.parametrize("plot", OF_RESULTS)
def test_a_wrong_table_of_results_is_refused(plot: Callable[..., go.Figure]) -> None:
    with pytest.raises(SchemaError, match="column threads of a RESULTS table is float64, expected Int64"):
        plot(results(result("a")).astype({"threads": "float64"}))


@pytest.mark.parametrize("plot", OF_SAMPLES)
def test_other_scenarios_and_failed_cells_are_left_out_and_counted(plot: Callable[..., go.Figure]) -> None:
    taken, _ = measured(result("a"), offline("a") | {"p50_s": 1.0})
    failed = {"model": "b", "device": "tpu", "scenario": "single_stream", "threads": 1, "verdict": "INVALID", "n": 0}
    fig = plot(taken, results(result("a"), offline("a"), failed))
    assert "Left out: 1 result of other scenarios and 1 run without latency." in note(fig)
    assert "run-900-a" not in fig.to_json()


@pytest.mark.parametrize("plot", OF_SAMPLES)
def test_a_query_that_failed_is_not_drawn(plot: Callable[..., go.Figure]) -> None:
    latency_s = [1e-3, 2e-3, 9.0]
    failed = samples("run-000-a", latency_s, status=["ok", "ok", "error"], error=[None, None, "the device left"])
    fig = plot(failed, results(result("a")))
    same = plot(samples("run-000-a", latency_s[:2]), results(result("a")))
    assert fig.to_json() == same.to_json()


@pytest.mark.parametrize("plot", OF_SAMPLES)
def test_runs_that_do_not_count_support_no_finding(plot: Callable[..., go.Figure]) -> None:
    bad = [result("a", verdict="INVALID", drift=0.5), result("b", verdict="INVALID")]
    assert title(plot(*measured(*bad[:1]))) == "The only run is INVALID, so it supports no finding"
    assert title(plot(*measured(*bad))) == "All 2 runs are INVALID, so they support no finding"


@pytest.mark.parametrize("plot", OF_SAMPLES)
def test_names_are_shown_as_they_are(plot: Callable[..., go.Figure]) -> None:
    fig = plot(*measured(result("<b>&{0}"), result("plain")))
    assert "<b>" not in fig.to_json().replace("\\u003c", "<")
    assert "&lt;b&gt;&amp;{0}" in fig.to_json().replace("\\u0026", "&")


def test_a_number_stays_with_its_unit() -> None:
    # 76 characters fit, and "takes 7" would end there
    fig = figures.plot_box(*measured(result("m" * 68, p50_s=7e-3)))
    assert fig.layout.title.text == f"{'m' * 68} takes<br>7 ms at p50 (cpu, 1 thread)"


def test_long_titles_are_wrapped_between_words() -> None:
    rows = [result(f"a_model_with_a_name_of_{n}_words_which_is_rather_long", p50_s=1e-3 * n) for n in (1, 7)]
    fig = figures.plot_box(*measured(*rows))
    lines = fig.layout.title.text.split("<br>")
    assert lines == [
        "a_model_with_a_name_of_7_words_which_is_rather_long takes 7 ms at p50 (cpu,",
        "1 thread), 7 times a_model_with_a_name_of_1_words_which_is_rather_long",
    ]
    short = figures.plot_box(*measured(result("a")))
    assert fig.layout.margin.t == short.layout.margin.t + 21


def test_one_run_needs_no_legend_and_many_do_not_squash_the_plot() -> None:
    taken, rows = thirty()
    one = figures.plot_ecdf(taken, rows[:1])
    many = figures.plot_ecdf(taken, rows)
    assert one.layout.showlegend is False
    assert [trace.name for trace in many.data if trace.showlegend is not False] == [
        *(f"mobilenet_{model}_int8" for model in range(10)), "1 thread", "2 threads", "4 threads",
    ]  # fmt: skip

    def plot_px(fig: go.Figure) -> Any:
        return fig.layout.height - fig.layout.margin.t - fig.layout.margin.b

    assert plot_px(many) > plot_px(one)
