"""The widget without a browser: traits are set, and the figure's data are read."""

import json
import sys
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.figures._frames import measured, offline, result, results, title
from tpukit import figures, widgets
from tpukit.errors import ConfigError, MissingDependencyError, SchemaError
from tpukit.widgets._explore import in_title, show


def sweep() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two models on one and two threads; `b` was measured offline on one thread only."""
    single = [
        result(model, threads=threads, run=threads, p50_s=seconds / threads)
        for model, seconds in (("a", 1e-3), ("b", 4e-3))
        for threads in (1, 2)
    ]
    server = result("a", run=3, scenario="server", rate_hz=500.0, percentile=0.99, latency_bound_s=0.01)
    return measured(*single, server, offline("b", throughput_per_s=250.0))


def controls(box: Any) -> dict[str, Any]:
    return {control.description: control for control in box.children[0].children}


def drawn(fig: go.Figure) -> Any:
    """A figure's data and layout, whatever order they were set in."""
    return json.loads(fig.to_json())


def figure(box: Any) -> go.FigureWidget:
    return box.children[1]


def test_every_axis_offers_what_was_measured_and_the_first_cell_is_shown() -> None:
    box = widgets.explore(*sweep())
    assert {name: control.options for name, control in controls(box).items()} == {
        "model": ("a", "b"),
        "device": ("cpu",),
        "threads": ("1", "2"),
        "load": ("single_stream", "server 500/s", "offline"),
    }
    assert controls(box)["device"].disabled
    assert title(figure(box)).startswith("a on cpu, single_stream, 1 thread: p50 1 ms")


@pytest.mark.parametrize(
    ("choice", "row"),
    [
        ({"model": "b"}, 2),
        ({"threads": "2"}, 1),
        ({"model": "b", "threads": "2"}, 3),
        ({"load": "server 500/s"}, 4),
        ({"load": "offline", "model": "b"}, 5),
        ({"load": "offline", "model": "a"}, None),
    ],
)
def test_a_choice_shows_its_cell_in_the_same_figure(choice: dict[str, str], row: int | None) -> None:
    taken, rows = sweep()
    box = widgets.explore(taken, rows)
    shown, traces = figure(box), [id(trace) for trace in figure(box).data]
    for name, value in choice.items():
        controls(box)[name].value = value
    assert figure(box) is shown
    assert [id(trace) for trace in shown.data] == traces
    if row is not None:
        wanted = figures.plot_run(taken, rows.iloc[[row]])
        assert drawn(shown) == drawn(in_title(wanted)), "nothing of the cell before is left"


def test_going_back_leaves_nothing_behind() -> None:
    box = widgets.explore(*sweep())
    before = drawn(figure(box))
    for value in ("offline", "server 500/s", "single_stream"):
        controls(box)["load"].value = value
    assert drawn(figure(box)) == before


def test_what_was_not_measured_says_what_was() -> None:
    box = widgets.explore(*sweep())
    controls(box)["model"].value = "b"
    controls(box)["load"].value = "offline"
    controls(box)["threads"].value = "2"
    assert title(figure(box)).startswith("b on cpu, offline, 2 threads: no query was measured")
    assert title(figure(box)).endswith("single_stream (1, 2) on cpu; offline (1) on cpu.</span>")
    assert [len(trace.x) for trace in figure(box).data] == [0, 0, 0]
    controls(box)["threads"].value = "1"
    assert "250 samples/s" in title(figure(box))
    assert figure(box).layout.xaxis.visible is None


def test_of_several_runs_of_a_cell_the_newest_valid_one_is_shown() -> None:
    rows = [
        result("a", run=1, p50_s=1e-3),
        result("a", run=2, p50_s=2e-3),
        result("a", run=3, p50_s=3e-3, verdict="INVALID"),
    ]
    assert "p50 2 ms" in title(figure(widgets.explore(*measured(*rows))))


def test_threads_are_offered_by_their_number() -> None:
    rows = [result("a", threads=threads, run=threads) for threads in (16, 2, 8)]
    assert controls(widgets.explore(*measured(*rows)))["threads"].options == ("2", "8", "16")


def test_nothing_to_choose_from_and_other_tables_are_refused() -> None:
    taken, rows = sweep()
    with pytest.raises(ConfigError, match=r"^there are no results to explore: measure at least one cell$"):
        widgets.explore(taken, results())
    with pytest.raises(SchemaError, match="a RESULTS table needs the columns p50_s"):
        widgets.explore(taken, rows.drop(columns="p50_s"))


@pytest.mark.parametrize("library", ["ipywidgets", "anywidget"])
def test_a_missing_library_is_named_with_its_extra(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDependencyError, match=rf"^{library} is not installed: pip install 'tpukit\[lab\]'$"):
        widgets.explore(*sweep())


def test_the_note_stands_in_the_title_and_the_plot_keeps_its_height() -> None:
    """Of a figure drawn before it has a place on the page the note would lie across the title."""
    taken, rows = measured(result("a", reasons="r" * 200))
    fig = figures.plot_run(taken, rows)
    moved = in_title(figures.plot_run(taken, rows))
    assert moved.layout.title.subtitle.text is None
    for part in (fig.layout.title.text, fig.layout.title.subtitle.text):
        assert part in moved.layout.title.text
    assert moved.layout.height - moved.layout.margin.t == fig.layout.height - fig.layout.margin.t
    assert moved.layout.margin.t > fig.layout.margin.t
    bare = go.Figure(layout={"title": {"text": "a"}})
    assert in_title(bare).layout.title.text == "a"


def test_a_figure_of_other_traces_is_refused() -> None:
    """A trace left over would go on showing the cell before."""
    with pytest.raises(ValueError, match="zip"):
        show(go.Figure([{}, {}]), go.Figure([{}]))
