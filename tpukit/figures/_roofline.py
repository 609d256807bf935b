"""How near results come to what the hardware allows."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from tpukit.figures._cells import SETTINGS, named, newest, no_latency, none_valid, single_stream, valid
from tpukit.figures._text import count, escaped, percent, sentence
from tpukit.figures._theme import COLOURS, INK, log_axis, nothing, style

_ROW_PX = 26
_BINDING = ("compute", "memory")
_OTHER = "another limit"


def plot_roofline(results: pd.DataFrame) -> go.Figure:
    """Return which share of its limit each single_stream result reaches, one dot each, the nearest on top.

    The limit is the least p50 that the measured peaks of the hardware allow; the colour says whether arithmetic or
    memory sets it, by the first word of the column `limit`. A dot beyond 100 % beats the limit, which says that the
    peaks were measured too low. Of several runs of the same settings the newest VALID one is drawn. Raises SchemaError
    where `results` is no RESULTS table.
    """
    rows = single_stream(results)
    if rows.empty:
        return nothing(no_latency(results))
    bounded, older = newest(rows[rows["fraction_of_peak"] > 0], SETTINGS)
    if bounded.empty:
        return nothing(_no_limit(rows))
    bounded, common = named(bounded, SETTINGS)
    bounded = bounded.assign(binds=bounded["limit"].map(_binds))
    bounded = bounded.sort_values(["fraction_of_peak", "label"], ascending=[False, True], kind="stable")
    share = bounded["fraction_of_peak"] * 100
    fig = go.Figure(_dots(bounded))
    fig.add_vline(x=100, line={"color": INK, "dash": "dash", "width": 1.5})
    fig.update_xaxes(
        title_text="share of the limit (%)",
        **log_axis(min(100.0, share.min()), max(100.0, share.max()), most_decades=2.5),
    )
    fig.update_yaxes(autorange="reversed", categoryarray=list(bounded["label"]), categoryorder="array")
    binding = [trace.name for trace in fig.data]
    return style(
        fig,
        finding=_finding(bounded[valid(bounded)], len(bounded)),
        note=sentence(
            f"All on {common}." if common else "",
            "Dashed: the limit, the least p50 that the measured peaks allow.",
            f"{binding[0].capitalize()} sets it." if len(binding) == 1 else "",
            "Hollow: INVALID runs." if not valid(bounded).all() else "",
            older,
            _left_out(rows, other=len(results) - len(rows)),
        ),
        plot_px=max(120, 40 + _ROW_PX * len(bounded)),
        legend=binding if len(binding) > 1 else (),
    )


def _binds(limit: object) -> str:
    word = str(limit).partition(":")[0]
    return word if word in _BINDING else _OTHER


def _dots(rows: pd.DataFrame) -> list[go.Scatter]:
    kinds = [(kind, colour) for kind, colour in zip((*_BINDING, _OTHER), COLOURS, strict=False)]
    return [_dot(rows[rows["binds"] == kind], kind, colour) for kind, colour in kinds if (rows["binds"] == kind).any()]


def _dot(rows: pd.DataFrame, name: str, colour: str) -> go.Scatter:
    return go.Scatter(
        hovertemplate="%{y}<br>%{x:.3~g} % of the limit<br>%{text}<extra></extra>",
        marker={
            "color": colour,
            "line": {"color": colour, "width": 1},
            "size": 9,
            "symbol": ["circle" if each else "circle-open" for each in valid(rows)],
        },
        mode="markers",
        name=name,
        text=[escaped(limit) for limit in rows["limit"]],
        x=list(rows["fraction_of_peak"] * 100),
        y=list(rows["label"]),
    )


def _finding(rows: pd.DataFrame, drawn: int) -> str:
    """`rows` are the VALID ones, the nearest to the limit first."""
    if rows.empty:
        return none_valid(drawn)
    records = rows.to_dict("records")
    beaten = [row["label"] for row in records if row["fraction_of_peak"] > 1]
    if beaten:
        return f"{_together(beaten)} the limit, so the peaks of the hardware were measured too low"
    first, last = records[0], records[-1]
    reaches = f"{percent(first['fraction_of_peak'])} of what {first['binds']} allows"
    if len(records) == 1:
        return f"{first['label']} reaches {reaches}"
    return f"{first['label']} comes nearest to its limit: {reaches}; {last['label']} reaches " + percent(
        last["fraction_of_peak"]
    )


def _together(labels: Sequence[str]) -> str:
    return f"{labels[0]} beats" if len(labels) == 1 else f"{labels[0]} and {count(len(labels) - 1, 'other')} beat"


def _no_limit(rows: pd.DataFrame) -> str:
    reasons = sorted({escaped(limit) for limit in rows["limit"].dropna() if str(limit).startswith("none")})
    none = f"no p50 of {count(len(rows), 'single_stream run')} has a limit"
    return f"{none} ({'; '.join(reasons)})" if reasons else none


def _left_out(rows: pd.DataFrame, *, other: int) -> str:
    without = int((~(rows["fraction_of_peak"] > 0)).sum())
    parts = [count(other, "result") + " of other scenarios"] if other else []
    parts += [count(without, "run") + " without a limit"] if without else []
    return f"Left out: {' and '.join(parts)}." if parts else ""
