"""How a device does against its baseline."""

import math
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tpukit.figures._cells import SETTINGS, named, newest, no_latency, none_valid, single_stream, valid
from tpukit.figures._text import count, escaped, number, sentence
from tpukit.figures._theme import COLOURS, GREY, INK, log_axis, nothing, style

_ROW_PX = 26
_NOTABLE = 1.05


def plot_speedup(results: pd.DataFrame) -> go.Figure:
    """Return how many times better than its baseline each single_stream result is, one bar each, the best on top.

    Bars begin at 1, the baseline itself, and point left where the device is worse. The baseline is beaten where p50 is
    less by more than 5 % and the 95 % intervals do not overlap: two runs of the same device often part by a little. Of
    several runs of the same settings the newest VALID one is drawn. Raises SchemaError where `results` is no RESULTS
    table.
    """
    rows = single_stream(results)
    if rows.empty:
        return nothing(no_latency(results))
    compared, older = newest(rows[_compared(rows)], SETTINGS)
    if compared.empty:
        return nothing(_no_baseline(rows))
    compared, common = named(compared, SETTINGS)
    compared = compared.sort_values(["speedup", "label"], ascending=[False, True], kind="stable").reset_index(drop=True)
    fig = go.Figure([_bars(part, name) for part, name in _by_verdict(compared)])
    fig.add_vline(x=1, line={"color": INK, "dash": "dash", "width": 1.5})
    lo, hi = min(1.0, compared["speedup"].min()), max(1.0, compared["speedup"].max())
    fig.update_xaxes(title_text="speed relative to the baseline (times)", **log_axis(lo, hi, most_decades=2.5, pad=0.1))
    fig.update_yaxes(autorange="reversed", categoryarray=list(compared["label"]), categoryorder="array", showgrid=False)
    return style(
        fig,
        finding=_finding(compared[valid(compared)], len(compared)),
        note=sentence(
            f"All on {common}." if common else "",
            f"Dashed: the baseline ({_baselines(compared)}).",
            "Beaten: by over 5 %, with 95 % intervals apart.",
            older,
            _left_out(rows, other=len(results) - len(rows)),
        ),
        plot_px=max(120, 40 + _ROW_PX * len(compared)),
        legend=[bar.name for bar in fig.data] if not valid(compared).all() else (),
    )


def _by_verdict(rows: pd.DataFrame) -> list[tuple[pd.DataFrame, str]]:
    parts = [(rows[valid(rows)], "VALID"), (rows[~valid(rows)], "INVALID")]
    return [(part, name) for part, name in parts if len(part)]


def _bars(rows: pd.DataFrame, name: str) -> go.Bar:
    colour = COLOURS[0] if name == "VALID" else "white"
    return go.Bar(
        # on a logarithmic axis a bar has no zero to begin at; 1 is the baseline
        base=1,
        cliponaxis=False,
        customdata=[escaped(baseline) for baseline in rows["baseline"]],
        hovertemplate="%{y}<br>%{text} times %{customdata}<extra></extra>",
        marker={"color": colour, "line": {"color": COLOURS[0] if name == "VALID" else GREY, "width": 1}},
        name=name,
        orientation="h",
        text=[number(speedup) for speedup in rows["speedup"]],
        textposition="outside",
        x=list(rows["speedup"] - 1),
        y=list(rows["label"]),
    )


def _finding(rows: pd.DataFrame, drawn: int) -> str:
    """`rows` are the VALID ones, the best first."""
    if rows.empty:
        return none_valid(drawn)
    devices = sorted(set(rows["device"]))
    who = escaped(devices[0]) if len(devices) == 1 else f"{len(devices)} devices"
    one = len(devices) == 1
    best, worst = rows.iloc[0], rows.iloc[-1]
    beaten, unknown = int(_beats(rows).sum()), int(_unknown(rows).sum())
    if len(rows) == 1:
        return _single(who, best, beats=bool(beaten), unknown=bool(unknown))
    noun = "model" if rows["model"].is_unique else "setting"
    share = "none" if not beaten else f"all {len(rows)}" if beaten == len(rows) else str(beaten)
    of = f"{share} {noun}s" if beaten == len(rows) else f"{share} of {count(len(rows), noun)}"
    low = f"{number(worst['speedup'])} times its speed for {worst['label']}"
    reach = f"from {low} to {number(best['speedup'])} for {best['label']}"
    rest = f"; {count(unknown, noun)} had too few queries to tell" if unknown else ""
    return f"{who} {'beats' if one else 'beat'} the baseline on {of}, {reach}{rest}"


def _single(device: str, row: "pd.Series[Any]", *, beats: bool, unknown: bool) -> str:
    on = f"the baseline on {escaped(row['model'])}"
    measured = f"{number(row['speedup'])} times its speed"
    if unknown:
        return f"Too few queries to tell whether {device} beats {on}: {measured}"
    return f"{device} {'beats' if beats else 'does not beat'} {on}: {measured}"


def _compared(rows: pd.DataFrame) -> "pd.Series[bool]":
    return rows["speedup"].between(0, math.inf, inclusive="neither")


def _beats(rows: pd.DataFrame) -> "pd.Series[bool]":
    return (rows["speedup"] > _NOTABLE) & (rows["p50_hi_s"] < rows["baseline_lo"])


def _unknown(rows: pd.DataFrame) -> "pd.Series[bool]":
    return (rows["speedup"] > _NOTABLE) & (rows["p50_hi_s"].isna() | rows["baseline_lo"].isna())


def _baselines(rows: pd.DataFrame) -> str:
    return " or ".join(escaped(baseline) for baseline in sorted(set(rows["baseline"].dropna()))) or "not named"


def _no_baseline(rows: pd.DataFrame) -> str:
    reasons = _baselines(rows)
    what = "the result has" if len(rows) == 1 else f"{len(rows)} results have"
    return f"{what} no baseline ({reasons})"


def _left_out(rows: pd.DataFrame, *, other: int) -> str:
    without = int((~_compared(rows)).sum())
    parts = [f"{count(other, 'result')} of other scenarios"] if other else []
    parts += [f"{count(without, 'result')} without a baseline"] if without else []
    return f"Left out: {' and '.join(parts)}." if parts else ""
