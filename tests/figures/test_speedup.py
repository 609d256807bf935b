from tests.figures._frames import note, offline, result, results, title
from tpukit import figures


def test_counts_the_models_on_which_the_device_beats_the_baseline() -> None:
    rows = [result("a", speedup=0.8), result("b", speedup=52.0), result("c", speedup=3.0)]
    fig = figures.plot_speedup(results(*rows))
    assert title(fig) == "cpu beats the baseline on 2 of 3 models, from 0.8 times its speed for a to 52 for b"
    assert "Dashed: the baseline (reference, 1 thread)." in note(fig)


def test_all_none_and_one() -> None:
    def said(*speedups: float) -> str:
        return title(figures.plot_speedup(results(*(result(f"m{n}", speedup=x) for n, x in enumerate(speedups)))))

    assert said(2.0, 3.0) == "cpu beats the baseline on all 2 models, from 2 times its speed for m0 to 3 for m1"
    assert said(0.5, 0.9) == "cpu beats the baseline on none of 2 models, from 0.5 times its speed for m0 to 0.9 for m1"
    assert said(4.0) == "cpu beats the baseline on m0: 4 times its speed"
    assert said(0.25) == "cpu does not beat the baseline on m0: 0.25 times its speed"
    assert said(1.0001) == "cpu does not beat the baseline on m0: 1 times its speed"


def test_two_runs_that_part_by_a_little_or_by_chance_beat_nothing() -> None:
    little = result("a", speedup=1.04, baseline_lo=1.02e-3)
    by_chance = result("b", speedup=1.5, p50_hi_s=1.3e-3, baseline_lo=1.2e-3)
    untold = result("c", speedup=9.0, p50_hi_s=float("nan"))
    fig = figures.plot_speedup(results(little, by_chance, untold))
    assert title(fig) == (
        "cpu beats the baseline on none of 3 models, from 1.04 times its speed for a to 9 for c; "
        "1 model had too few queries to tell"
    )
    assert title(figures.plot_speedup(results(untold))) == (
        "Too few queries to tell whether cpu beats the baseline on c: 9 times its speed"
    )
    assert "Beaten: by over 5 %, with 95 % intervals apart." in note(fig)


def test_bars_reach_from_the_baseline_to_the_speedup_the_best_on_top() -> None:
    fig = figures.plot_speedup(results(result("a", speedup=0.5), result("b", speedup=4.0)))
    (bar,) = fig.data
    assert bar.base == 1
    assert list(zip(bar.y, bar.x, bar.text, strict=True)) == [("b", 3.0, "4"), ("a", -0.5, "0.5")]
    assert list(fig.layout.yaxis.categoryarray) == ["b", "a"]
    assert (fig.layout.yaxis.autorange, fig.layout.xaxis.type) == ("reversed", "log")
    (line,) = fig.layout.shapes
    assert (line.x0, line.x1, line.line.dash) == (1, 1, "dash")
    lo, hi = (10**edge for edge in fig.layout.xaxis.range)
    assert lo < 0.5
    assert hi > 4


def test_several_settings_of_a_model_are_counted_as_settings() -> None:
    rows = [result("a", run=n, threads=n, speedup=float(n)) for n in (1, 2, 4)]
    assert title(figures.plot_speedup(results(*rows))) == (
        "cpu beats the baseline on 2 of 3 settings, from 1 times its speed for a (1 thread) to 4 for a (4 threads)"
    )
    both = figures.plot_speedup(results(result("a", speedup=2.0), result("a", run=1, device="tpu", speedup=9.0)))
    assert title(both) == (
        "2 devices beat the baseline on all 2 settings, from 2 times its speed for a (cpu) to 9 for a (tpu)"
    )


def test_results_without_a_baseline_are_left_out_and_counted() -> None:
    rows = [result("a", speedup=2.0), result("a", run=1, device="reference", baseline="none: it is the baseline")]
    rows += [result("c", speedup=float("inf"))]
    fig = figures.plot_speedup(results(*rows, offline("b")))
    assert title(fig) == "cpu beats the baseline on a: 2 times its speed"
    assert "Left out: 1 result of other scenarios and 2 results without a baseline." in note(fig)
    assert list(fig.data[0].y) == ["a"]


def test_says_why_nothing_was_compared() -> None:
    alone = [result(name, baseline="none: measured alone") for name in ("a", "b")]
    assert title(figures.plot_speedup(results(*alone))) == (
        "Nothing to show: 2 results have no baseline (none: measured alone)"
    )
    assert title(figures.plot_speedup(results(alone[0] | {"baseline": None}))) == (
        "Nothing to show: the result has no baseline (not named)"
    )


def test_invalid_results_are_hollow_and_not_counted() -> None:
    fig = figures.plot_speedup(results(result("a", speedup=2.0), result("b", speedup=9.0, verdict="INVALID")))
    assert title(fig) == "cpu beats the baseline on a: 2 times its speed"
    assert [(bar.name, bar.marker.color) for bar in fig.data] == [("VALID", "#3f90da"), ("INVALID", "white")]
    assert list(fig.layout.yaxis.categoryarray) == ["b", "a"]
    alone = figures.plot_speedup(results(result("b", speedup=9.0, verdict="INVALID")))
    assert title(alone) == "The only run is INVALID, so it supports no finding"
