"""The work that a model asks for."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from tpukit import schema
from tpukit.figures._text import count, escaped, large, number
from tpukit.figures._theme import COLOURS, nothing, style

_ROW_PX = 26
_SAME = 1.01


def plot_macs(ops: pd.DataFrame) -> go.Figure:
    """Return multiply-accumulates of one inference by type of operator, one bar a model, the most work on top.

    `ops` may hold the operators of several models. Operators whose work is unknown are counted in the label of their
    model and are in no bar. The same table gives the same figure to the last digit. Raises SchemaError where `ops` is
    no OPS table.
    """
    schema.check(ops, schema.OPS)
    if ops.empty:
        return nothing("no operator was given")
    # a model given twice does no more work
    once = ops.drop_duplicates()
    totals = once.groupby("model")["macs"].sum().astype("int64")
    unknown = once["macs"].isna().groupby(once["model"]).sum().astype("int64")
    order = sorted(totals.index, key=lambda model: (-totals[model], model))
    fig = go.Figure(_bars(once, order))
    fig.add_trace(_totals([int(totals[model]) for model in order], [int(unknown[model]) for model in order]))
    ticks = list(range(len(order)))
    fig.update_layout(barmode="stack")
    fig.update_xaxes(title_text="multiply-accumulates of one inference (number)", tickformat="~s")
    fig.update_xaxes(range=[0, max(1, 1.22 * int(totals.max()))])
    fig.update_yaxes(
        range=[len(order) - 0.5, -0.5], showgrid=False, tickvals=ticks, ticktext=[escaped(model) for model in order]
    )
    return style(
        fig,
        finding=_finding(totals, unknown),
        plot_px=max(120, 40 + _ROW_PX * len(order)),
        legend=[trace.name for trace in fig.data if trace.type == "bar"],
    )


def _bars(ops: pd.DataFrame, order: Sequence[str]) -> list[go.Bar]:
    """Return a trace for each type that does work, the type with most of it first."""
    macs = ops[ops["macs"] > 0].groupby(["type", "model"])["macs"].sum()
    types = {str(kind): int(part.sum()) for kind, part in macs.groupby(level="type")}
    return [
        go.Bar(
            hovertemplate="%{y}<br>" + escaped(kind) + " %{x:,}<extra></extra>",
            marker={"color": COLOURS[place % len(COLOURS)]},
            name=escaped(kind),
            orientation="h",
            x=[int(macs.get((kind, model), 0)) for model in order],
            y=list(range(len(order))),
        )
        for place, kind in enumerate(sorted(types, key=lambda kind: (-types[kind], kind)))
    ]


def _totals(totals: Sequence[int], unknown: Sequence[int]) -> go.Scatter:
    texts = [
        f"{large(n)} + {count(more, 'operator')} unknown" if more else large(n)
        for n, more in zip(totals, unknown, strict=True)
    ]
    return go.Scatter(
        cliponaxis=False,
        hoverinfo="skip",
        mode="text",
        showlegend=False,
        text=[f" {text}" for text in texts],
        textposition="middle right",
        x=list(totals),
        y=list(range(len(totals))),
    )


def _finding(totals: "pd.Series[int]", unknown: "pd.Series[int]") -> str:
    known = totals[unknown == 0]
    rest = len(totals) - len(known)
    if not len(known):
        if rest > 1:
            return f"The work of {count(rest, 'model')} is not fully known, so it cannot be compared"
        uncounted = count(int(unknown.iloc[0]), "operator")
        return f"{_comparison(totals)} at least: {uncounted} cannot be counted"
    more = f"; the work of {count(rest, 'model')} is not fully known" if rest else ""
    return _comparison(known) + more


def _comparison(known: "pd.Series[int]") -> str:
    most, least = int(known.max()), int(known.min())
    leaders = [escaped(model) for model in sorted(known[known == most].index)]
    last = escaped(min(known[known == least].index))
    work = "no multiply-accumulates" if most == 0 else f"{large(most)} multiply-accumulate{'' if most == 1 else 's'}"
    if len(leaders) == len(known) > 1:
        return f"{'Both' if len(known) == 2 else f'All {len(known)}'} models need {work} an inference"  # noqa: PLR2004
    needs = f"{_together(leaders)} {work}{' each' if len(leaders) > 1 else ''} an inference"
    if len(known) == 1:
        return needs
    if least == 0:
        return f"{needs}, {last} none"
    if most / least < _SAME:
        return f"{needs}, at most 1 % more than {last}"
    return f"{needs}, {number(most / least)} times the {large(least)} of {last}"


def _together(leaders: Sequence[str]) -> str:
    if len(leaders) == 1:
        return f"{leaders[0]} needs"
    if len(leaders) == 2:  # noqa: PLR2004 two are named
        return f"{leaders[0]} and {leaders[1]} need"
    return f"{leaders[0]} and {len(leaders) - 1} others need"
