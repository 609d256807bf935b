"""Two sets of runs beside each other."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tpukit import schema, stats
from tpukit.errors import SchemaError
from tpukit.figures._text import count, escaped, number, sentence
from tpukit.figures._theme import COLOURS, log_axis, nothing, style
from tpukit.figures._verdicts import of_side

_POINTS = 200
_TICK_S = 1e-9
_VALID = "VALID"
_SIDES = {"base": COLOURS[0], "new": COLOURS[2]}
_NEEDED = ("run_id", "name", "model", "device", "scenario", "threads", "batch", "verdict")


def plot_sides(samples: pd.DataFrame, runs: pd.DataFrame, comparison: pd.DataFrame) -> go.Figure:
    """Return the distributions of latency of both sides of a comparison, a line for each VALID run.

    `comparison` is one row of COMPARISON, `runs` a table as `History.to_frame` returns it, `samples` the SAMPLES of the
    runs to draw. The title says what the comparison found. Raises SchemaError on other tables.
    """
    row = _only(comparison)
    if missing := [name for name in _NEEDED if name not in runs.columns]:
        raise SchemaError(f"a history table needs the columns {', '.join(missing)}: History.to_frame() gives it")
    queries = schema.check(samples, schema.SAMPLES)
    counted = runs[(runs["scenario"] == row["scenario"]) & (runs["verdict"] == _VALID)]
    ended = queries[(queries["status"] == "ok") & queries["latency_s"].notna()]
    latencies = {str(run_id): part["latency_s"].to_numpy() for run_id, part in ended.groupby("run_id", observed=True)}
    sides = {
        side: [latencies[run_id] for run_id in of_side(counted, row, side)["run_id"] if run_id in latencies]
        for side in _SIDES
    }
    drawn = [np.maximum(each, _TICK_S) * 1e3 for side in sides.values() for each in side]
    if row["scenario"] == "offline" or not drawn:
        return nothing(_why(row))
    fig = go.Figure([_line(row, side, at, each) for side, runs_ in sides.items() for at, each in enumerate(runs_)])
    lo, hi = min(each.min() for each in drawn), max(each.max() for each in drawn)
    fig.update_xaxes(title_text="latency (ms)", **log_axis(lo, hi, most_decades=4))
    fig.update_yaxes(title_text="share of queries (%)", tickformat=".0%", range=[0, 1.02])
    return style(
        fig,
        finding=_finding(row),
        note=sentence(
            f"{_cell(row)}.",
            f"A line a run: {escaped(row['design'])}." if pd.notna(row["design"]) else "A line a run.",
        ),
        legend=[escaped(row[side]) for side, each in sides.items() if each],
    )


def _only(comparison: pd.DataFrame) -> Mapping[Any, Any]:
    if len(schema.check(comparison, schema.COMPARISON)) != 1:
        raise SchemaError(f"plot_sides shows one comparison, and {len(comparison)} were given: choose one row")
    return comparison.iloc[0].to_dict()


def _line(row: Mapping[Any, Any], side: str, at: int, latency_s: Any) -> go.Scatter:
    share, ordered = stats.order_statistics(np.maximum(latency_s, _TICK_S), n=_POINTS - 1)
    name = escaped(row[side])
    return go.Scatter(
        hovertemplate=f"{name}<br>%{{y:.1%}} of queries within %{{x:.3~g}} ms<extra></extra>",
        legendgroup=side,
        line={"color": _SIDES[side], "shape": "hv", "width": 1.2},
        mode="lines",
        name=name,
        opacity=0.8,
        showlegend=at == 0,
        x=np.r_[ordered[0], ordered] * 1e3,
        y=np.r_[0.0, share],
    )


def _finding(row: Mapping[Any, Any]) -> str:
    base, new = escaped(row["base"]), escaped(row["new"])
    if pd.isna(row["ratio"]):
        return f"Whether {new} takes longer than {base} cannot be told"
    ends = [row["ratio_lo"], row["ratio_hi"]]
    interval = f" ({number(ends[0])} to {number(ends[1])})" if pd.notna(ends).all() else ""
    return f"{new} takes {number(row['ratio'])} times as long as {base}{interval}: {row['verdict']}"


def _cell(row: Mapping[Any, Any]) -> str:
    parts = [f"{escaped(row['model'])} on {escaped(row['device'])}", escaped(row["scenario"])]
    return ", ".join([*parts, count(int(row["threads"]), "thread")] if pd.notna(row["threads"]) else parts)


def _why(row: Mapping[Any, Any]) -> str:
    if row["scenario"] == "offline":
        return "an offline run has no latency, and its comparison is of throughput"
    return f"no VALID run of {escaped(row['base'])} or {escaped(row['new'])} has samples here"
