"""`explore`: one cell of a sweep at a time."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tpukit import figures
from tpukit.errors import MissingDependencyError
from tpukit.widgets._choice import AXES, Choice, cell, first, options

# a line of the note is as high in a title as a line of the title
_NOTE, _LINE_PX = "font-size:12px;color:#717581", 5


def explore(samples: pd.DataFrame, results: pd.DataFrame) -> Any:
    """Return an ipywidgets box: four lists to choose a cell of `results` from, above the figure of that cell.

    `samples` is the SAMPLES table of those runs. The figure is updated in place: it shows what `figures.plot_run` shows
    of the cell, or, for a combination that was not measured, what there is. Raises SchemaError on other tables,
    ConfigError where there are no results, and MissingDependencyError without the extra `lab`.

    >>> from tpukit import benchmark
    >>> run = benchmark("autoencoder_int8", duration_s=0.05)
    >>> box = explore(run.samples, run.summary)
    >>> [(control.description, control.value) for control in box.children[0].children]
    [('model', 'autoencoder_int8'), ('device', 'cpu'), ('threads', '1'), ('load', 'single_stream')]
    """
    widgets, lists, chosen = _library("ipywidgets"), options(results), first(results)
    _library("anywidget")
    shown = go.FigureWidget(_figure(samples, results, chosen))
    controls = {axis: _control(widgets, axis, lists[axis], getattr(chosen, axis)) for axis in AXES}

    def update(_: Mapping[str, Any]) -> None:
        choice = Choice(**{axis: control.value for axis, control in controls.items()})
        show(shown, _figure(samples, results, choice))

    for control in controls.values():
        control.observe(update, names="value")
    row = widgets.Layout(display="flex", flex_flow="row wrap")
    return widgets.VBox([widgets.Box(list(controls.values()), layout=row), shown])


def show(shown: go.Figure, wanted: go.Figure) -> None:
    """Make the figure `shown` show what `wanted` shows, in place; both have as many traces."""
    with shown.batch_update():
        for trace, new in zip(shown.data, wanted.data, strict=True):
            trace.update(new.to_plotly_json(), overwrite=True)
        shown.update_layout(wanted.layout.to_plotly_json(), overwrite=True)


def in_title(fig: go.Figure) -> go.Figure:
    """Move a figure's note into its title, and return the figure.

    Plotly places a subtitle by the title's height, which is 0 when a widget is drawn before it has a place on the page:
    the note would lie across a title of two lines until the first change.
    """
    title, note = fig.layout.title.text, fig.layout.title.subtitle.text
    if note:
        more_px = _LINE_PX * (note.count("<br>") + 1)
        fig.layout.title = {"text": f"{title}<br><span style='{_NOTE}'>{note}</span>"}
        fig.layout.margin.t += more_px
        fig.layout.height += more_px
    return fig


def _figure(samples: pd.DataFrame, results: pd.DataFrame, choice: Choice) -> go.Figure:
    return in_title(figures.plot_run(samples, cell(results, choice)))


def _control(widgets: Any, axis: str, labels: list[str], value: str) -> Any:
    return widgets.Dropdown(
        description=axis,
        disabled=len(labels) == 1,
        layout=widgets.Layout(width="auto"),
        options=labels,
        style={"description_width": "60px"},
        value=value,
    )


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise MissingDependencyError(name, "lab") from error
