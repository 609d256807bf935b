"""Latency within a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tpukit import stats
from tpukit.figures._cells import SETTINGS, Array, Run, latency_runs, none_valid, variants
from tpukit.figures._text import count, escaped, percent, sentence
from tpukit.figures._theme import COLOURS, log_axis, nothing, style

_WINDOWS = 60
_COLUMNS = 2
_PANEL_PX, _GAP_PX, _ONE_PANEL_PX, _HEAD_PX = 110, 54, 300, 20
# the scale serves the medians: a drift of a few per cent is lost on one that reaches the longest stall
_LEAST_BOTTOM, _LEAST_TOP, _TOP = 0.8, 2.0, 10.0


def plot_over_time(samples: pd.DataFrame, results: pd.DataFrame) -> go.Figure:
    """Return latency over the time of a run, relative to the run's p50: a panel for each model, a line for each run.

    A line joins the medians of 60 windows of equal length, the dots are the windows' maxima. What the title says about
    drift is the column of `results`. Raises SchemaError where `samples` is no SAMPLES table or `results` no RESULTS
    table.
    """
    found = latency_runs(samples, results)
    if found.missing:
        return nothing(found.missing)
    windowed = [_windowed(run) for run in found.runs]
    top = min(_TOP, max(_LEAST_TOP, 1.1 * max(each.median.max() for each in windowed)))
    bottom = min(_LEAST_BOTTOM, 0.9 * min(each.median.min() for each in windowed))
    table = pd.DataFrame([run.row for run in found.runs])
    panels, kinds = list(dict.fromkeys(table["model"])), variants(table, SETTINGS)
    fig, height = _panels(panels)
    fig.update_yaxes(log_axis(bottom, top, most_decades=1.6))
    shown: set[str] = set()
    for each in windowed:
        variant, place = each.run.row["variant"], panels.index(each.run.row["model"])
        colour = COLOURS[kinds.index(variant) % len(COLOURS)]
        traces = _traces(each, colour, top, in_legend=len(kinds) > 1 and variant not in shown)
        shown.add(variant)
        fig.add_traces(traces, rows=place // _COLUMNS + 1, cols=place % _COLUMNS + 1)
    return style(
        fig,
        finding=_finding(found.valid, len(found.runs)),
        note=sentence(
            f"All on {found.common}." if found.common else "",
            f"Lines: medians of {_WINDOWS} windows of time; dots: their maxima, triangles where off the scale.",
            "Dotted: INVALID runs." if len(found.valid) < len(found.runs) else "",
            found.left_out,
        ),
        plot_px=height,
        head_px=_HEAD_PX,
        legend=kinds if len(kinds) > 1 else (),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Windowed:
    """A run's windows: their time in seconds, and their median and maximum as multiples of the run's p50."""

    run: Run
    time_s: Array
    median: Array
    maximum: Array


def _windowed(run: Run) -> _Windowed:
    time_s, median_s, maximum_s = stats.windows(run.start_s, run.latency_s, n=_WINDOWS)
    p50_s = run.row["p50_s"]
    return _Windowed(run=run, time_s=time_s, median=median_s / p50_s, maximum=maximum_s / p50_s)


def _panels(models: Sequence[str]) -> tuple[go.Figure, int]:
    """Return a figure with a panel for each model, and its height in pixels."""
    columns = min(_COLUMNS, len(models))
    rows = math.ceil(len(models) / columns)
    height = _ONE_PANEL_PX if rows == 1 else rows * _PANEL_PX + (rows - 1) * _GAP_PX
    fig = make_subplots(
        rows=rows,
        cols=columns,
        shared_yaxes="all",
        horizontal_spacing=0.06,
        vertical_spacing=_GAP_PX / height if rows > 1 else 0,
        subplot_titles=[escaped(model) for model in models],
        specs=[[{} if row * columns + col < len(models) else None for col in range(columns)] for row in range(rows)],
    )
    fig.update_annotations(font={"size": 12})
    for place in range(len(models)):
        at = {"row": place // columns + 1, "col": place % columns + 1}
        if place + columns >= len(models):
            fig.update_xaxes(title_text="time in the run (s)", **at)
        if place % columns == 0:
            fig.update_yaxes(title_text="latency / p50", **at)
    return fig, height


def _traces(each: _Windowed, colour: str, top: float, *, in_legend: bool) -> tuple[go.Scatter, go.Scatter]:
    """Return the line of medians and the dots of maxima; those beyond `top` lie there as triangles."""
    row, valid = each.run.row, each.run.valid
    name = f"{each.run.label}{'' if valid else ', INVALID'}<br>run {escaped(row['run_id'])}"
    common = {"legendgroup": row["variant"], "name": row["variant"], "x": each.time_s}
    line = go.Scatter(
        hovertemplate=f"{name}<br>median %{{y:.3~g}} times p50 at %{{x:.3~g}} s<extra></extra>",
        line={"color": colour, "dash": "solid" if valid else "dot", "width": 1.5},
        mode="lines",
        showlegend=in_legend,
        y=each.median,
        **common,
    )
    symbols = np.where(each.maximum > top, "triangle-up", "circle")
    dots = go.Scatter(
        cliponaxis=False,
        customdata=each.maximum,
        hovertemplate=f"{name}<br>maximum %{{customdata:.3~g}} times p50 at %{{x:.3~g}} s<extra></extra>",
        marker={"color": colour, "size": 4, "symbol": symbols.tolist()},
        mode="markers",
        opacity=0.4,
        showlegend=False,
        y=np.minimum(each.maximum, top),
        **common,
    )
    return line, dots


def _finding(runs: Sequence[Run], drawn: int) -> str:
    if not runs:
        return none_valid(drawn)
    told = [run for run in runs if len(run.latency_s) >= stats.DRIFT_MIN_N]
    unknown = len(runs) - len(told)
    if not told:
        whose = runs[0].label if len(runs) == 1 else f"any of {count(len(runs), 'run')}"
        return f"Too few queries to tell whether latency of {whose} has a trend"
    rest = f"; {count(unknown, 'run')} had too few queries to tell" if unknown else ""
    return _trend(told, alone=len(runs) == 1) + rest


def _trend(runs: Sequence[Run], *, alone: bool) -> str:
    drifted = [run for run in runs if pd.notna(run.row["drift"])]
    if not drifted:
        if alone:
            return f"Latency of {runs[0].label} shows no trend over its run"
        return f"Latency shows no trend within any of {count(len(runs), 'run')}"
    most = max(drifted, key=lambda run: abs(run.row["drift"]))
    change = most.row["drift"]
    moved = f"Latency of {most.label} {'rose' if change > 0 else 'fell'} by {percent(change)} over its run"
    if alone:
        return moved
    quiet = len(runs) - len(drifted)
    rest = f"; {quiet} of {len(runs)} {'shows' if quiet == 1 else 'show'} no trend" if quiet else ""
    return f"{moved}, the most of {count(len(runs), 'run')}{rest}"
