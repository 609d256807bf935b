"""Verdicts of comparisons: on the lines of a history, and between the distributions of both sides."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.figures._frames import history, note, result, samples, title
from tpukit import figures, schema
from tpukit.errors import SchemaError

NIGHTS = ("mon", "tue", "wed")


def nights(model: str = "a", *p50_ms: float, **columns: Any) -> list[dict[str, Any]]:
    """Two runs of a model in each night."""
    return [
        result(model, run=2 * night + turn, p50_s=ms / 1e3, day=night + turn / 10, name=NIGHTS[night]) | columns
        for night, ms in enumerate(p50_ms)
        for turn in range(2)
    ]


def compared(*verdicts: str, model: str = "a", ratio: float = 1.1, **columns: Any) -> list[dict[str, Any]]:
    """A COMPARISON record for each night against the one before it."""
    row = {"model": model, "device": "cpu", "scenario": "single_stream", "threads": 1, "batch": 1} | columns
    row |= {"ratio": ratio, "ratio_lo": 0.99 * ratio, "ratio_hi": 1.01 * ratio}
    return [
        row | {"base": NIGHTS[at], "new": NIGHTS[at + 1], "verdict": verdict} for at, verdict in enumerate(verdicts)
    ]


def comparison(*records: dict[str, Any]) -> pd.DataFrame:
    return schema.frame(records, schema.COMPARISON)


def marks(fig: Any) -> dict[str, list[str]]:
    """The marks by verdict: what each says."""
    return {trace.name: list(trace.text) for trace in fig.data if str(trace.legendgroup).startswith("verdict")}


def test_each_set_bears_its_verdict_where_its_newest_run_is() -> None:
    runs = history(*nights("a", 1, 1, 1.1))
    fig = figures.plot_history(runs, comparison(*compared("same", "slower")))
    assert list(marks(fig)) == ["slower", "same"]
    assert marks(fig)["slower"] == ["wed against tue: slower, 1.1 times as long (1.09 to 1.11)"]
    (slower,) = [trace for trace in fig.data if trace.name == "slower"]
    newest = runs.sort_values("started").iloc[-1]
    assert list(slower.x) == [newest["started"].strftime("%Y-%m-%dT%H:%M:%S.%f")]
    assert list(slower.y) == pytest.approx([1.1])
    assert title(fig) == "a became slower: wed takes 1.1 times as long as tue"
    assert "Large marks: how a set of runs compares with the one before it." in note(fig)
    assert fig.layout.showlegend is True


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (("slower", "same"), "a is the same in wed as in tue"),
        (("slower", "cannot tell"), "Whether a changed from tue to wed cannot be told"),
        (("slower",), "a became slower: tue takes 1.1 times as long as mon"),
    ],
)
def test_the_title_speaks_of_the_newest_set(verdicts: tuple[str, ...], said: str) -> None:
    assert title(figures.plot_history(history(*nights("a", 1, 1, 1)), comparison(*compared(*verdicts)))) == said


def test_the_largest_change_of_several_settings_is_named_and_all_are_counted() -> None:
    runs = history(*nights("a", 1, 1), *nights("b", 1, 1), *nights("c", 1, 1), *nights("d", 1, 1))
    rows = [
        *compared("slower", model="a", ratio=1.3),
        *compared("faster", model="b", ratio=0.7),
        *compared("same", model="c", ratio=1.0),
        *compared("cannot tell", model="d", ratio=1.5),
    ]
    assert title(figures.plot_history(runs, comparison(*rows))) == (
        "b became faster: tue takes 0.7 times as long as mon; of 4 settings 1 slower, 1 faster, 1 the same, 1 undecided"
    )
    assert title(figures.plot_history(runs, comparison(*rows[2:]))) == (
        "Nothing is known to have changed from mon to tue; of 2 settings 1 the same, 1 undecided"
    )


def test_a_comparison_without_a_place_is_not_drawn_and_counted() -> None:
    """Of two machines with the same names it is not known which was compared."""
    here = history(*nights("a", 1, 1))
    there = history(*nights("a", 2, 2, host="other")).assign(run_id=lambda rows: rows["run_id"] + "-there")
    both = pd.concat([here, there], ignore_index=True)
    fig = figures.plot_history(both, comparison(*compared("slower")))
    assert marks(fig) == {}
    assert "1 comparison without a place on one line." in note(fig)
    assert "became" not in title(fig)


def test_without_comparisons_and_with_those_of_other_scenarios_it_is_the_figure_it_was() -> None:
    runs = history(*nights("a", 1, 1, 1.1))
    before = figures.plot_history(runs)
    for rows in ([], compared("slower", scenario="offline")):
        assert figures.plot_history(runs, comparison(*rows)).to_json() == before.to_json()


def test_a_run_is_called_by_its_name_where_it_has_one() -> None:
    (line,) = figures.plot_history(history(*nights("a", 1), result("a", run=9, day=5))).data
    assert list(line.text) == ["mon", "mon", "run run-009-a"]


def sides(
    row: dict[str, Any], base_ms: tuple[float, ...] = (1, 1.01), new_ms: tuple[float, ...] = (1.1, 1.12)
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    records = [
        result("a", run=run, day=run, name=name, p50_s=ms / 1e3) | {"scenario": row["scenario"]}
        for run, (name, ms) in enumerate([*(("mon", ms) for ms in base_ms), *(("tue", ms) for ms in new_ms)])
    ]
    spread = np.linspace(0.9, 1.1, 500)
    taken = [samples(record["run_id"], record["p50_s"] * spread) for record in records]
    return schema.concat(taken, schema.SAMPLES), history(*records), comparison(row)


def test_both_sides_are_drawn_run_by_run_under_what_was_found() -> None:
    (row,) = compared("slower", design="2 and 2 runs measured apart")
    fig = figures.plot_sides(*sides(row))
    assert [trace.name for trace in fig.data] == ["mon", "mon", "tue", "tue"]
    assert [trace.showlegend for trace in fig.data] == [True, False, True, False]
    assert len({trace.line.color for trace in fig.data}) == 2
    medians = [float(np.interp(0.5, trace.y, trace.x)) for trace in fig.data]
    assert medians == pytest.approx([1, 1.01, 1.1, 1.12], rel=0.01)
    assert title(fig) == "tue takes 1.1 times as long as mon (1.09 to 1.11): slower"
    assert note(fig) == "a on cpu, single_stream, 1 thread. A line a run: 2 and 2 runs measured apart."


def test_runs_that_do_not_count_are_not_drawn() -> None:
    (row,) = compared("slower")
    taken, runs, rows = sides(row)
    runs.loc[0, "verdict"] = "INVALID"
    assert [trace.name for trace in figures.plot_sides(taken, runs, rows).data] == ["mon", "tue", "tue"]


def test_a_comparison_that_says_nothing_says_so() -> None:
    nan = float("nan")
    (row,) = compared("cannot tell", ratio=nan)
    assert title(figures.plot_sides(*sides(row))) == "Whether tue takes longer than mon cannot be told"
    taken, runs, rows = sides(row)
    assert title(figures.plot_sides(taken.head(0), runs, rows)) == (
        "Nothing to show: no VALID run of mon or tue has samples here"
    )
    (offline,) = compared("slower", scenario="offline")
    assert "an offline run has no latency" in title(figures.plot_sides(*sides(offline)))


def test_other_tables_are_refused() -> None:
    (row,) = compared("slower")
    taken, runs, rows = sides(row)
    with pytest.raises(SchemaError, match="plot_sides shows one comparison, and 2 were given"):
        figures.plot_sides(taken, runs, comparison(row, row))
    with pytest.raises(SchemaError, match=r"a history table needs the columns name: History.to_frame\(\)"):
        figures.plot_sides(taken, runs.drop(columns="name"), rows)
    with pytest.raises(SchemaError, match="a COMPARISON table needs the columns ratio"):
        figures.plot_history(runs, rows.drop(columns="ratio"))
