"""One run, whatever its scenario."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tpukit import schema, stats
from tpukit.errors import SchemaError
from tpukit.figures._text import count, escaped, ms, number, sentence
from tpukit.figures._theme import COLOURS, INK, SYMBOLS, log_axis, style

_POINTS = 300
_QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
_TICK_S = 1e-9
_OFFLINE, _VALID = "offline", "VALID"
_NONE: Mapping[str, Any] = {"x": [], "y": []}


def plot_run(samples: pd.DataFrame, results: pd.DataFrame) -> go.Figure:
    """Return the distribution of latency of one run, its p50, p90 and p99 marked; `results` has that run's row only.

    Under server a line shows the latency bound. Of an offline run, which has no latency, the figure shows which share
    of its samples was done when, beside the mean rate. Of a cell that could not be measured it says why. There are
    always three traces (the distribution, the markers, the bound or mean rate), so that a widget can show one run after
    another in the same figure. Raises SchemaError where `samples` is no SAMPLES table or `results` no RESULTS table of
    one row.
    """
    row = _only(results)
    queries = schema.check(samples, schema.SAMPLES)
    ended = queries[(queries["run_id"] == row["run_id"]) & (queries["status"] == "ok")]
    if ended.empty:
        return _nothing(row)
    if row["scenario"] == _OFFLINE:
        return _done_over_time(row, ended)
    return _latency(row, ended)


def _only(results: pd.DataFrame) -> Mapping[Any, Any]:
    if len(schema.check(results, schema.RESULTS)) != 1:
        raise SchemaError(f"plot_run shows one run, and {len(results)} results were given: choose one row")
    return results.iloc[0].to_dict()


def _latency(row: Mapping[Any, Any], ended: pd.DataFrame) -> go.Figure:
    latency_ms = np.maximum(ended["latency_s"].to_numpy(), _TICK_S) * 1e3
    bound_ms = float(row["latency_bound_s"]) * 1e3
    bounds = [] if np.isnan(bound_ms) else [bound_ms]
    fig = go.Figure([_distribution(latency_ms, "latency"), _quantiles(row), _bound(bounds)])
    lo, hi = min(latency_ms.min(), *bounds, np.inf), max(latency_ms.max(), *bounds, 0.0)
    fig.update_xaxes(title_text="latency (ms)", **log_axis(lo, hi, most_decades=4))
    fig.update_yaxes(title_text="share of queries (%)", tickformat=".0%", range=[0, 1.02])
    values = ", ".join(f"{name} {ms(row[f'{name}_s'])}" for name in _QUANTILES)
    bound = f", against a bound of {ms(row['latency_bound_s'])}" if bounds else ""
    return style(
        fig,
        finding=f"{_cell(row)}: {values}{bound}; {row['verdict']}",
        note=sentence(
            f"{count(len(ended), 'query')}.",
            "Markers: p50, p90, p99; hollow where there are too few queries for an interval.",
            f"Dashed: the bound that {row['percentile']:.4g} of queries must keep." if bounds else "",
            _why(row),
        ),
    )


def _done_over_time(row: Mapping[Any, Any], ended: pd.DataFrame) -> go.Figure:
    end_s = ended["end_s"].to_numpy()
    mean = _dashed([0, end_s.max()], [0, 1], "the mean rate")
    fig = go.Figure([_distribution(end_s, "time"), _quantiles(row, ()), mean])
    fig.update_xaxes(title_text="time in the run (s)", type="linear", range=[0, 1.02 * end_s.max()])
    fig.update_yaxes(title_text="share of samples done (%)", tickformat=".0%", range=[0, 1.02])
    return style(
        fig,
        finding=f"{_cell(row)}: {number(row['throughput_per_s'])} samples/s; {row['verdict']}",
        note=sentence("Dashed: the mean rate. Where the line is flatter, the device was slower.", _why(row)),
    )


def _nothing(row: Mapping[Any, Any]) -> go.Figure:
    fig = go.Figure([go.Scatter(_NONE) for _ in range(3)])
    fig.update_xaxes(visible=False)
    fig.update_yaxes(visible=False)
    return style(fig, finding=f"{_cell(row)}: no query was measured", note=_reasons(row))


def _distribution(values: "np.ndarray[Any, np.dtype[np.float64]]", what: str) -> go.Scatter:
    share, ordered = stats.order_statistics(values, n=_POINTS - 1)
    unit = "ms" if what == "latency" else "s"
    return go.Scatter(
        hovertemplate=f"%{{y:.1%}} within %{{x:.3~g}} {unit}<extra></extra>",
        line={"color": COLOURS[0], "shape": "hv"},
        mode="lines",
        x=np.r_[ordered[0], ordered],
        y=np.r_[0.0, share],
    )


def _quantiles(row: Mapping[Any, Any], names: Iterable[str] = tuple(_QUANTILES)) -> go.Scatter:
    quantiles = {name: _QUANTILES[name] for name in names}
    hollow = [pd.isna(row[f"{name}_lo_s"]) or pd.isna(row[f"{name}_hi_s"]) for name in quantiles]
    return go.Scatter(
        hovertemplate="%{text}<extra></extra>",
        marker={
            "color": COLOURS[0],
            "line": {"color": COLOURS[0], "width": 1},
            "size": 9,
            "symbol": [f"{SYMBOLS[0]}-open" if each else SYMBOLS[0] for each in hollow],
        },
        mode="markers",
        text=[f"{name} {ms(row[f'{name}_s'])}" for name in quantiles],
        x=[row[f"{name}_s"] * 1e3 for name in quantiles],
        y=list(quantiles.values()),
    )


def _bound(bounds: list[float]) -> go.Scatter:
    return _dashed([*bounds, *bounds], [0, 1.02] if bounds else [], "the bound of %{x:.3~g} ms")


def _dashed(x: list[float], y: list[float], what: str) -> go.Scatter:
    return go.Scatter(
        hovertemplate=f"{what}<extra></extra>",
        line={"color": INK, "dash": "dash", "width": 1.5},
        mode="lines",
        x=x,
        y=y,
    )


def _cell(row: Mapping[Any, Any]) -> str:
    """Name a run by its settings."""
    parts = [f"{escaped(row['model'])} on {escaped(row['device'])}", escaped(row["scenario"])]
    if pd.notna(row["rate_hz"]):
        parts[-1] += f" at {number(row['rate_hz'])} queries/s"
    if pd.notna(row["threads"]):
        parts.append(count(int(row["threads"]), "thread"))
    if pd.notna(row["batch"]) and row["batch"] > 1:
        parts.append(f"batch {row['batch']}")
    return ", ".join(parts)


def _why(row: Mapping[Any, Any]) -> str:
    reasons = _reasons(row)
    return f"{row['verdict']}: {reasons}" if reasons and row["verdict"] != _VALID else reasons


def _reasons(row: Mapping[Any, Any]) -> str:
    return "" if pd.isna(row["reasons"]) else escaped(row["reasons"])
