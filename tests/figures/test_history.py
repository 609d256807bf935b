import pandas as pd
import pytest

from tests.figures._frames import history, note, offline, result, title
from tpukit import figures
from tpukit.errors import SchemaError


def days(model: str, *p50_ms: float | None, **columns: object) -> list[dict[str, object]]:
    """One record a day; a negative time is that of an INVALID run."""
    return [
        result(model, run=day, p50_s=abs(ms) / 1e3, verdict="VALID" if ms > 0 else "INVALID", day=day) | columns
        for day, ms in enumerate(p50_ms)
        if ms is not None
    ]


def test_compares_the_newest_run_with_the_median_of_the_earlier_ones() -> None:
    fig = figures.plot_history(history(*days("a", 1, 2, 9, 2.2), *days("b", 1, 1, 1, 1.05)))
    assert title(fig) == (
        "The newest run of a takes 2.2 ms at p50, 10 % more than the median of 3 earlier runs, "
        "the largest change of 2 settings"
    )


def test_halving_is_a_larger_change_than_a_gain_of_ninety_per_cent() -> None:
    fig = figures.plot_history(history(*days("a", 2, 1), *days("b", 1, 1.9)))
    assert title(fig) == (
        "The newest run of a takes 1 ms at p50, 50 % less than its one earlier run, the largest change of 2 settings"
    )


def test_says_when_nothing_changed() -> None:
    fig = figures.plot_history(history(*days("a", 2, 2.001)))
    assert title(fig) == "The newest run of a takes 2 ms at p50, within 0.5 % of its one earlier run"


def test_says_when_there_are_no_earlier_runs() -> None:
    one = figures.plot_history(history(*days("a", 2)))
    assert title(one) == "a has one run, 2 ms at p50, and no earlier one"
    assert one.layout.xaxis.range == ("2026-05-01T11:00:00.000000", "2026-05-01T13:00:00.000000")
    two = figures.plot_history(history(*days("a", 2), *days("b", None, 1)))
    assert title(two) == "Each of 2 settings has one run, so there is no earlier one to compare with"


def test_invalid_runs_are_hollow_and_not_compared() -> None:
    fig = figures.plot_history(history(*days("a", 1, -50, 2, -70)))
    assert title(fig) == "The newest VALID run of a takes 2 ms at p50, 100 % more than its one earlier VALID run"
    (line,) = fig.data
    assert list(line.marker.symbol) == ["circle", "circle-open", "circle", "circle-open"]
    assert "Hollow: INVALID runs." in note(fig)
    assert title(figures.plot_history(history(*days("a", -1, -2)))) == (
        "All 2 runs are INVALID, so they support no finding"
    )


def test_draws_time_in_order_and_p50_in_ms_with_its_interval() -> None:
    rows = history(*days("a", 1, 2, 4)).sample(frac=1, random_state=1)
    (line,) = figures.plot_history(rows).data
    assert list(line.y) == [1, 2, 4]
    assert line.x[0] == "2026-05-01T12:00:00.000000"
    assert [round(size, 9) for size in line.error_y.array] == [0.01, 0.02, 0.04]
    assert [round(size, 9) for size in line.error_y.arrayminus] == [0.01, 0.02, 0.04]


def test_a_missing_end_of_an_interval_has_no_bar() -> None:
    nan = float("nan")
    (line,) = figures.plot_history(history(*days("a", 1, 2, p50_lo_s=nan, p50_hi_s=nan))).data
    assert (list(line.error_y.array), list(line.error_y.arrayminus)) == ([0, 0], [0, 0])


@pytest.mark.parametrize("setting", [{"threads": 2}, {"device": "tpu"}, {"batch": 8}, {"host": "other"}])
def test_other_settings_are_another_line(setting: dict[str, object]) -> None:
    other = [row | {"run_id": f"other-{row['run_id']}"} for row in days("a", 8, 8, **setting)]
    fig = figures.plot_history(history(*days("a", 1, 2), *other))
    assert len([trace for trace in fig.data if trace.x[0] is not None]) == 2
    assert "100 % more than its one earlier run, the largest change of 2 settings" in title(fig)


def test_another_file_of_the_same_name_is_another_line() -> None:
    new = [row | {"run_id": f"new-{row['run_id']}"} for row in days("a", None, None, 8, model_sha256="f" * 64)]
    fig = figures.plot_history(history(*days("a", 1, 2), *new, *days("b", 1)))
    assert title(fig) == ("The newest run of a (file 00000000) takes 2 ms at p50, 100 % more than its one earlier run")


def test_offline_runs_and_runs_without_latency_are_not_drawn() -> None:
    failed = result("b", p50_s=float("nan"), verdict="INVALID", day=1)
    fig = figures.plot_history(history(*days("a", 1, 2), offline("a", day=3), failed))
    assert [len(trace.x) for trace in fig.data] == [2]
    assert title(figures.plot_history(history(failed | {"day": 1}))) == (
        "Nothing to show: no query of 1 single_stream run has a latency"
    )
    assert "1 result of other scenarios was given" in title(figures.plot_history(history(offline("a", day=3))))


def test_an_empty_history_says_so() -> None:
    fig = figures.plot_history(history(*days("a", 1)).iloc[:0])
    assert title(fig) == "Nothing to show: no run was recorded"
    assert fig.layout.xaxis.visible is False


def test_a_wrong_table_is_refused_in_one_line() -> None:
    rows = history(*days("a", 1))
    with pytest.raises(SchemaError, match=r"^a history table needs the columns started, host: History.to_frame\(\)"):
        figures.plot_history(rows.drop(columns=["started", "host"]))
    with pytest.raises(SchemaError, match="column started of a history table is str"):
        figures.plot_history(rows.astype({"started": "str"}))


def test_the_order_of_rows_does_not_matter() -> None:
    rows = history(*days("a", 1, 2, 3), *days("b", 3, 2, 1))
    assert figures.plot_history(rows).to_json() == figures.plot_history(rows[::-1]).to_json()
    assert isinstance(rows, pd.DataFrame)
