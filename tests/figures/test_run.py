import numpy as np
import pytest

from tests.figures._frames import axis_titles, measured, note, offline, result, results, samples, title
from tpukit import figures
from tpukit.errors import SchemaError


def test_shows_the_whole_distribution_and_its_quantiles() -> None:
    latency_s = np.linspace(1e-3, 2e-3, 2000)
    row = result("a", p50_s=1.5e-3, p90_s=1.9e-3, p99_s=1.99e-3)
    fig = figures.plot_run(samples("run-000-a", latency_s), results(row))
    line, marks, bound = fig.data
    assert title(fig) == "a on cpu, single_stream, 1 thread: p50 1.5 ms, p90 1.9 ms, p99 1.99 ms; VALID"
    assert (line.x[0], line.y[0], line.y[-1]) == (pytest.approx(1.0), 0, 1)
    assert line.x[-1] == pytest.approx(2.0)
    assert list(marks.x) == pytest.approx([1.5, 1.9, 1.99])
    assert list(marks.y) == [0.5, 0.9, 0.99]
    assert len(bound.x) == 0
    assert axis_titles(fig) == {"latency (ms)", "share of queries (%)"}


def test_a_server_run_stands_beside_its_bound() -> None:
    row = result("a", scenario="server", rate_hz=500.0, percentile=0.99, latency_bound_s=0.01, threads=2)
    fig = figures.plot_run(*measured(row))
    assert title(fig).startswith("a on cpu, server at 500 queries/s, 2 threads: p50 1 ms,")
    assert title(fig).endswith("against a bound of 10 ms; VALID")
    assert list(fig.data[2].x) == [10, 10]
    lo, hi = fig.layout.xaxis.range
    assert 10**lo < min(fig.data[0].x)
    assert 10**hi > 10, "the bound is on the figure, however far from the latencies"


def test_an_invalid_run_says_why() -> None:
    row = result("a", scenario="server", rate_hz=5.0, percentile=0.99, latency_bound_s=1e-4, verdict="INVALID")
    fig = figures.plot_run(*measured(row | {"reasons": "overloaded: <stopped>"}))
    assert title(fig).endswith("; INVALID")
    assert "INVALID: overloaded: &lt;stopped&gt;" in note(fig)


def test_an_offline_run_shows_what_was_done_when() -> None:
    # half the samples in the first second, the other half in the next three
    end_s = np.r_[np.linspace(0.01, 1, 500), np.linspace(1.01, 4, 500)]
    row = offline("a", throughput_per_s=250.0)
    taken = samples("run-900-a", np.diff(end_s, prepend=0.0), scheduled_s=np.zeros(1000))
    fig = figures.plot_run(taken, results(row))
    line, marks, mean = fig.data
    assert title(fig) == "a on cpu, offline, 1 thread: 250 samples/s; VALID"
    assert np.interp(1.0, line.x, line.y) == pytest.approx(0.5, abs=0.01)
    assert (list(mean.x), list(mean.y)) == ([0, pytest.approx(4)], [0, 1])
    assert len(marks.x) == 0
    assert axis_titles(fig) == {"time in the run (s)", "share of samples done (%)"}


def test_a_cell_that_failed_says_why_and_has_the_traces_that_a_widget_needs() -> None:
    failed = {"model": "b", "device": "tpu", "scenario": "single_stream", "verdict": "INVALID", "reasons": "no device"}
    fig = figures.plot_run(samples("run-000-a", [1e-3]), results(failed))
    assert title(fig) == "b on tpu, single_stream: no query was measured"
    assert note(fig) == "no device"
    assert [len(trace.x) for trace in fig.data] == [0, 0, 0]


def test_queries_of_other_runs_and_failed_ones_are_not_drawn() -> None:
    taken = samples("run-000-a", [1e-3, 2e-3, 9.0], status=["ok", "ok", "error"], error=[None, None, "it left"])
    fig = figures.plot_run(taken, results(result("a")))
    assert max(fig.data[0].x) == pytest.approx(2.0)
    other = figures.plot_run(taken, results(result("b")))
    assert "no query was measured" in title(other)


def test_one_row_is_asked_for() -> None:
    taken, rows = measured(result("a"), result("b"))
    with pytest.raises(SchemaError, match="plot_run shows one run, and 2 results were given"):
        figures.plot_run(taken, rows)
    with pytest.raises(SchemaError, match="a RESULTS table needs the columns p50_s"):
        figures.plot_run(taken, rows.drop(columns="p50_s"))
    with pytest.raises(SchemaError, match="a SAMPLES table needs the columns latency_s"):
        figures.plot_run(taken.drop(columns="latency_s"), rows.head(1))
