from typing import Any

from tests.figures._frames import note, offline, result, results, title
from tpukit import figures

COMPUTE, MEMORY = "compute: 2 MMAC int8 at 400 Gop/s", "memory: 289 kB at 21 GB/s"


def bounded(model: str, fraction: float, limit: str = COMPUTE, **columns: Any) -> dict[str, Any]:
    return result(model, fraction_of_peak=fraction, limit=limit, **columns)


def test_names_the_nearest_and_the_furthest() -> None:
    fig = figures.plot_roofline(results(bounded("a", 0.03), bounded("b", 0.541), bounded("c", 0.2, MEMORY)))
    assert title(fig) == "b comes nearest to its limit: 54 % of what compute allows; a reaches 3 %"
    near = figures.plot_roofline(results(bounded("a", 0.3), bounded("c", 0.5, MEMORY)))
    assert title(near) == "c comes nearest to its limit: 50 % of what memory allows; a reaches 30 %"
    assert title(figures.plot_roofline(results(bounded("a", 0.3)))) == "a reaches 30 % of what compute allows"


def test_a_limit_that_is_beaten_is_the_finding() -> None:
    rows = [bounded("a", 0.3), bounded("b", 1.25), bounded("c", 1.01)]
    beat = "so the peaks of the hardware were measured too low"
    assert title(figures.plot_roofline(results(*rows))) == f"b and 1 other beat the limit, {beat}"
    fig = figures.plot_roofline(results(*rows[:2]))
    assert title(fig) == f"b beats the limit, {beat}"
    assert list(fig.data[0].x) == [125.0, 30.0], "shown as it is"
    low, high = fig.layout.xaxis.range
    assert 10**low < 30
    assert 10**high > 125


def test_a_dot_for_each_coloured_by_what_binds_the_nearest_on_top() -> None:
    fig = figures.plot_roofline(results(bounded("a", 0.03), bounded("b", 0.5), bounded("c", 0.2, MEMORY)))
    assert {dots.name: (list(dots.x), list(dots.y)) for dots in fig.data} == {
        "compute": ([50.0, 3.0], ["b", "a"]),
        "memory": ([20.0], ["c"]),
    }
    assert list(fig.layout.yaxis.categoryarray) == ["b", "c", "a"]
    assert fig.layout.yaxis.autorange == "reversed"
    assert len({dots.marker.color for dots in fig.data}) == 2
    assert fig.layout.showlegend is True
    assert list(fig.data[1].text) == [MEMORY]
    assert fig.layout.shapes[0].x0 == 100
    low, high = fig.layout.xaxis.range
    assert 10**low < 3
    assert 10**high > 100


def test_one_kind_of_limit_is_said_instead_of_a_legend() -> None:
    fig = figures.plot_roofline(results(bounded("a", 0.03, MEMORY), bounded("b", 0.5, MEMORY)))
    assert "Memory sets it." in note(fig)
    assert fig.layout.showlegend is False
    other = figures.plot_roofline(results(bounded("a", 0.03, "the bus: 1 GB/s")))
    assert "Another limit sets it." in note(other)


def test_invalid_runs_are_hollow_and_support_no_finding() -> None:
    fig = figures.plot_roofline(results(bounded("a", 0.9, verdict="INVALID"), bounded("b", 0.5)))
    assert title(fig) == "b reaches 50 % of what compute allows"
    assert list(fig.data[0].marker.symbol) == ["circle-open", "circle"]
    assert "Hollow: INVALID runs." in note(fig)
    alone = figures.plot_roofline(results(bounded("a", 0.9, verdict="INVALID")))
    assert title(alone) == "The only run is INVALID, so it supports no finding"


def test_what_has_no_limit_is_left_out_and_said() -> None:
    none = result("b", limit="none: this device's peak was not measured")
    fig = figures.plot_roofline(results(bounded("a", 0.5), none, offline("a")))
    assert "Left out: 1 result of other scenarios and 1 run without a limit." in note(fig)
    assert title(figures.plot_roofline(results(none, result("c")))) == (
        "Nothing to show: no p50 of 2 single_stream runs has a limit (none: this device's peak was not measured)"
    )


def test_the_newest_run_of_a_setting_counts() -> None:
    fig = figures.plot_roofline(results(bounded("a", 0.5, run=1), bounded("a", 0.4, run=2)))
    assert list(fig.data[0].x) == [40.0]
    assert "1 older run left out" in note(fig)
    threads = figures.plot_roofline(results(bounded("a", 0.5), bounded("a", 0.4, threads=2)))
    assert list(threads.data[0].y) == ["a (1 thread)", "a (2 threads)"]


def test_names_are_shown_as_they_are() -> None:
    fig = figures.plot_roofline(results(bounded("<b>", 0.5, "compute: <b>")))
    assert "<b>" not in fig.to_json().replace("\\u003c", "<").replace("<br>", "")
    assert list(fig.data[0].text) == ["compute: &lt;b&gt;"]
