"""The whole distribution of latency."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tpukit import stats
from tpukit.figures._cells import Run, latency_runs, none_valid
from tpukit.figures._lines import Lines
from tpukit.figures._text import count, ms, number, sentence
from tpukit.figures._theme import log_axis, nothing, style

_POINTS = 300
_QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
_SAME = 1.01


def plot_ecdf(samples: pd.DataFrame, results: pd.DataFrame) -> go.Figure:
    """Return the empirical distribution of latency, one line for each single_stream run.

    A line has 300 points at most, equally far apart in rank, the minimum and the maximum among them. Markers are p50,
    p90 and p99 of `results`. Raises SchemaError where `samples` is no SAMPLES table or `results` no RESULTS table.
    """
    found = latency_runs(samples, results)
    if found.missing:
        return nothing(found.missing)
    fig = go.Figure()
    lines = Lines.of([run.row for run in found.runs])
    for run in found.runs:
        fig.add_traces([_distribution(run, lines), _quantiles(run, lines)])
    fig.add_traces(lines.keys())
    lo, hi = min(run.latency_s.min() for run in found.runs), max(run.latency_s.max() for run in found.runs)
    fig.update_xaxes(title_text="latency (ms)", **log_axis(lo * 1e3, hi * 1e3, most_decades=4))
    fig.update_yaxes(title_text="share of queries (%)", tickformat=".0%", range=[0, 1.02])
    return style(
        fig,
        finding=_finding(found.valid, len(found.runs)),
        note=sentence(
            f"All on {found.common}." if found.common else "",
            "Markers: p50, p90, p99; hollow where there are too few queries for an interval.",
            "Thin lines: INVALID runs." if len(found.valid) < len(found.runs) else "",
            found.left_out,
        ),
        legend=lines.legend,
    )


def _distribution(run: Run, lines: Lines) -> go.Scatter:
    share, latency_s = stats.order_statistics(run.latency_s, n=_POINTS - 1)
    return go.Scatter(
        hovertemplate=f"{lines.name(run.row)}<br>%{{y:.1%}} of queries within %{{x:.3~g}} ms<extra></extra>",
        # a distribution of queries steps: between two latencies no share of them lies
        line=lines.line(run.row) | {"width": 2 if run.valid else 1, "shape": "hv"},
        mode="lines",
        opacity=1 if run.valid else 0.6,
        x=np.r_[latency_s[0], latency_s] * 1e3,
        y=np.r_[0.0, share],
        **lines.entry(run.row),
    )


def _quantiles(run: Run, lines: Lines) -> go.Scatter:
    row = run.row
    hollow = [pd.isna(row[f"{name}_lo_s"]) or pd.isna(row[f"{name}_hi_s"]) for name in _QUANTILES]
    return go.Scatter(
        hovertemplate=f"{lines.name(row)}<br>%{{text}}<extra></extra>",
        marker=lines.marker(row, hollow=hollow),
        mode="markers",
        text=[
            f"{name} {ms(row[f'{name}_s'])}, {_interval(row[f'{name}_lo_s'], row[f'{name}_hi_s'])}"
            for name in _QUANTILES
        ],
        x=[row[f"{name}_s"] * 1e3 for name in _QUANTILES],
        y=list(_QUANTILES.values()),
        **(lines.entry(row) | {"showlegend": False}),
    )


def _interval(lo_s: Any, hi_s: Any) -> str:
    if pd.isna(lo_s) or pd.isna(hi_s):
        return "too few queries for a 95 % interval"
    return f"95 % interval {ms(lo_s)} to {ms(hi_s)}"


def _finding(runs: Sequence[Run], drawn: int) -> str:
    if not runs:
        return none_valid(drawn)
    worst = max(runs, key=_spread)
    row, ratio = worst.row, _spread(worst)
    of = f", the widest spread of {count(len(runs), 'run')}" if len(runs) > 1 else ""
    few = f", from {count(int(row['n']), 'query')} only" if pd.isna(row["p99_hi_s"]) else ""
    if ratio < _SAME:
        whose = f"its p50 of {ms(row['p50_s'])}"
        return f"The p99 of {worst.label} is within 1 % of {whose}{of}{few}"
    return (
        f"The p99 of {worst.label} is {number(ratio)} times its p50, "
        f"{ms(row['p99_s'])} against {ms(row['p50_s'])}{of}{few}"
    )


def _spread(run: Run) -> float:
    return float(run.row["p99_s"] / run.row["p50_s"])
