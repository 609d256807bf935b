"""Latency of all runs beside each other."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tpukit import schema, stats
from tpukit.figures._cells import SETTINGS, Run, latency_runs, newest, none_valid
from tpukit.figures._text import count, ms, number, sentence
from tpukit.figures._theme import COLOURS, INK, log_axis, nothing, style

_ROW_PX = 24
_SAME = 1.01


def plot_box(samples: pd.DataFrame, results: pd.DataFrame) -> go.Figure:
    """Return one box of latency for each model, device, threads and batch, the smallest p50 on top.

    The line in a box is p50, its ends are the quartiles, the whiskers reach from p1 to p99; all are nearest-rank. Of
    several runs of the same settings the newest VALID one is drawn. Raises SchemaError where `samples` is no SAMPLES
    table or `results` no RESULTS table.
    """
    rows, older = newest(schema.check(results, schema.RESULTS), ("scenario", "rate_hz", *SETTINGS))
    found = latency_runs(samples, rows)
    if found.missing:
        return nothing(found.missing)
    runs = sorted(found.runs, key=lambda run: (run.row["p50_s"], run.label))
    valid, invalid = [run for run in runs if run.valid], [run for run in runs if not run.valid]
    kinds = ((valid, "VALID", COLOURS[0]), (invalid, "INVALID", "white"))
    fig = go.Figure([_boxes(part, name, fill) for part, name, fill in kinds if part])
    lo, hi = (min(min(box.lowerfence) for box in fig.data), max(max(box.upperfence) for box in fig.data))
    fig.update_xaxes(title_text="latency (ms)", **log_axis(lo, hi, most_decades=2.5))
    fig.update_yaxes(
        autorange="reversed", categoryarray=[run.label for run in runs], categoryorder="array", showgrid=False
    )
    return style(
        fig,
        finding=_finding(valid, len(runs), found.common),
        note=sentence("Box: quartiles and p50; whiskers: p1 to p99.", older, found.left_out),
        plot_px=max(120, 40 + _ROW_PX * len(runs)),
        legend=[box.name for box in fig.data] if invalid else (),
    )


def _boxes(runs: Sequence[Run], name: str, fill: str) -> go.Box:
    ordered = [np.sort(run.latency_s) for run in runs]

    def at(q: float) -> list[float]:
        return [float(x[stats.nearest_rank(len(x), q) - 1]) * 1e3 for x in ordered]

    return go.Box(
        fillcolor=fill,
        line={"color": INK, "width": 1.2},
        lowerfence=at(0.01),
        median=[run.row["p50_s"] * 1e3 for run in runs],
        name=name,
        orientation="h",
        q1=at(0.25),
        q3=at(0.75),
        upperfence=[run.row["p99_s"] * 1e3 for run in runs],
        y=[run.label for run in runs],
    )


def _finding(runs: Sequence[Run], drawn: int, common: str) -> str:
    """`runs` are the VALID ones, fastest first."""
    if not runs:
        return none_valid(drawn)
    fastest, slowest = runs[0], runs[-1]
    where = f" ({common})" if common else ""
    takes = f"{slowest.label} takes {ms(slowest.row['p50_s'])} at p50{where}"
    if len(runs) == 1:
        return takes
    ratio = slowest.row["p50_s"] / fastest.row["p50_s"]
    if ratio < _SAME:
        return f"All {count(len(runs), 'run')} take {ms(slowest.row['p50_s'])} at p50{where}, to within 1 %"
    return f"{takes}, {number(ratio)} times {fastest.label}"
