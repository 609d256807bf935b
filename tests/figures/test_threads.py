import plotly.graph_objects as go

from tests.figures._frames import note, result, results, title
from tpukit import figures


def sweep(model: str, *p50_ms: float, **columns: float) -> list[dict[str, object]]:
    """One record for 1, 2, 4, … threads."""
    return [result(model, run=2**place, threads=2**place, p50_s=ms / 1e3, **columns) for place, ms in enumerate(p50_ms)]


def lines(fig: go.Figure) -> list[go.Scatter]:
    return [trace for trace in fig.data if trace.mode == "lines+markers"]


def test_counts_the_models_that_gain_and_names_the_one_that_gains_most() -> None:
    fig = figures.plot_threads(results(*sweep("a", 1, 0.9), *sweep("b", 4, 2, 1), *sweep("c", 1, 1)))
    assert title(fig) == "More threads help 2 of 3 models: b gains most, from 4 ms on 1 thread to 1 ms on 4 threads"


def test_one_model_all_models_and_a_single_winner() -> None:
    def said(*records: dict[str, object]) -> str:
        return title(figures.plot_threads(results(*records)))

    assert said(*sweep("a", 4, 2)) == (
        "More threads help a: p50 falls from 4 ms on 1 thread to 2 ms on 2 threads, 2 times as fast"
    )
    assert said(*sweep("a", 4, 2), *sweep("b", 3, 2)) == (
        "More threads help all 2 models: a gains most, from 4 ms on 1 thread to 2 ms on 2 threads"
    )
    assert said(*sweep("a", 4, 2), *sweep("b", 3, 3)) == (
        "More threads help 1 of 2 models: a goes from 4 ms on 1 thread to 2 ms on 2 threads"
    )


def test_the_best_number_of_threads_counts_not_the_largest() -> None:
    fig = figures.plot_threads(results(*sweep("a", 4, 2, 3)))
    assert "from 4 ms on 1 thread to 2 ms on 2 threads" in title(fig)


def test_says_when_more_threads_hurt() -> None:
    fig = figures.plot_threads(results(*sweep("a", 1, 2, 3), *sweep("b", 1, 1)))
    assert (
        title(fig)
        == "More threads do not help any of 2 models: p50 of a rises from 1 ms on 1 thread to 2 ms on 2 threads"
    )
    assert title(figures.plot_threads(results(*sweep("b", 1, 1)))) == "More threads do not help b"


def test_a_gain_inside_the_intervals_is_none() -> None:
    # the intervals reach 1 % to both sides, and two runs of the same settings often part by a few per cent
    assert title(figures.plot_threads(results(*sweep("a", 1, 0.96)))) == "More threads do not help a"
    assert title(figures.plot_threads(results(*sweep("a", 1, 0.94)))).startswith("More threads help a")
    wide = sweep("a", 1, 0.94, p50_lo_s=0.9e-3, p50_hi_s=1.1e-3)
    assert title(figures.plot_threads(results(*wide))) == "More threads do not help a"


def test_says_where_there_are_too_few_queries_for_intervals() -> None:
    nan = float("nan")
    few = sweep("few", 4, 1, p50_lo_s=nan, p50_hi_s=nan)
    assert title(figures.plot_threads(results(*few))) == "Too few queries to tell whether more threads help few"
    fig = figures.plot_threads(results(*few, *sweep("a", 4, 2), *sweep("b", 4, 4)))
    assert title(fig) == (
        "More threads help 1 of 2 models: a goes from 4 ms on 1 thread to 2 ms on 2 threads; "
        "1 model had too few queries to tell"
    )
    assert fig.to_json()


def test_one_number_of_threads_has_no_limit_and_no_finding() -> None:
    fig = figures.plot_threads(results(*sweep("a", 1)))
    assert title(fig) == "a was measured on 1 thread only, so what more threads buy is unknown"
    assert all(trace.line.dash != "dot" for trace in fig.data if len(trace.x) > 1)
    assert "ideal" not in fig.to_json()
    both = figures.plot_threads(results(*sweep("a", 1), *sweep("b", 1)))
    assert title(both) == "Every model was measured on 1 thread only, so what more threads buy is unknown"
    apart = figures.plot_threads(results(result("a"), result("b", threads=4)))
    assert title(apart) == "Every model was measured on one number of threads only, so what more threads buy is unknown"


def test_draws_p50_in_ms_with_its_interval_and_the_limit() -> None:
    fig = figures.plot_threads(results(*reversed(sweep("a", 4, 3, 2))))
    line = lines(fig)[0]
    assert (list(line.x), list(line.y)) == ([1, 2, 4], [4, 3, 2])
    assert [round(each, 9) for each in line.error_y.array] == [0.04, 0.03, 0.02]
    limit = next(trace for trace in fig.data if trace.mode == "lines" and trace.y[0] is not None)
    assert (list(limit.x), list(limit.y), limit.line.dash) == ([1, 2, 4], [4, 2, 1], "dot")
    assert (fig.layout.xaxis.type, fig.layout.yaxis.type) == ("log", "log")


def test_the_limit_starts_at_the_fewest_threads() -> None:
    fig = figures.plot_threads(results(result("a", threads=8, p50_s=1e-3), result("a", run=1, threads=2, p50_s=2e-3)))
    limit = next(trace for trace in fig.data if trace.mode == "lines" and trace.y[0] is not None)
    assert (list(limit.x), list(limit.y)) == ([2, 8], [2, 0.5])


def test_invalid_runs_are_hollow_and_off_the_line() -> None:
    good = sweep("a", 4, 2)
    bad = result("a", run=4, threads=4, p50_s=1e-4, verdict="INVALID")
    fig = figures.plot_threads(results(*good, bad))
    assert "to 2 ms on 2 threads" in title(fig)
    assert list(lines(fig)[0].x) == [1, 2]
    points = next(trace for trace in fig.data if trace.mode == "markers")
    assert (list(points.x), list(points.marker.symbol)) == ([4], ["circle-open"])
    assert "Hollow: INVALID runs." in note(fig)
    only = figures.plot_threads(results(bad))
    assert title(only) == "The only run is INVALID, so it supports no finding"


def test_results_without_a_p50_are_not_drawn() -> None:
    failed = result("b", p50_s=float("nan"), verdict="INVALID")
    assert title(figures.plot_threads(results(failed))) == (
        "Nothing to show: no query of 1 single_stream run has a latency"
    )
    fig = figures.plot_threads(results(*sweep("a", 4, 2), failed))
    assert {trace.name for trace in fig.data} == {"a", "limit: ideal scaling"}


def test_two_devices_are_two_lines() -> None:
    tpu = [row | {"device": "tpu", "run_id": f"tpu{row['run_id']}"} for row in sweep("a", 1, 1)]
    fig = figures.plot_threads(results(*sweep("a", 4, 2), *tpu))
    assert len(lines(fig)) == 2
    assert title(fig) == ("More threads help 1 of 2 settings: a (cpu) goes from 4 ms on 1 thread to 2 ms on 2 threads")
    assert [trace.name for trace in fig.data if trace.showlegend is not False] == [
        "a", "cpu", "tpu", "limit: ideal scaling",
    ]  # fmt: skip
