"""What of a model an Edge TPU would run."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tpukit import schema
from tpukit.errors import SchemaError
from tpukit.figures._text import count, escaped, sentence
from tpukit.figures._theme import COLOURS, GREY, INK, nothing, style

_SIDES = {"Edge TPU": COLOURS[0], "processor": COLOURS[1], "not known": GREY}
_COMPILED = "CUSTOM:edgetpu-custom-op"
_WAITS = "after op "
# the strip below the bars, and the bars, as shares of the plot's height
_STRIP, _BARS = (0.0, 0.06), (0.12, 1.0)
# the share of the operators from which on a label has more room to the left of its line
_LATE = 0.6
_LABEL_PX = 16


def plot_mapping(ops: pd.DataFrame, compiler: pd.DataFrame | None = None) -> go.Figure:
    """Return the operators of a model in order, with their work, coloured by what is predicted to run each.

    `ops` is an OPS table of one model. A strip below the bars shows every operator, also those that multiply nothing;
    a line stands where the Edge TPU's subgraph is predicted to end. With `compiler`, the COMPILED table of the same
    model, the figure is of what the compiler did. The same tables give the same figure to the last digit. Raises
    SchemaError where they are no such tables or `ops` holds several models.
    """
    schema.check(ops, schema.OPS)
    if compiler is not None:
        schema.check(compiler, schema.COMPILED)
    if ops.empty:
        return nothing("no operator was given")
    if ops["model"].nunique() > 1:
        raise SchemaError(f"plot_mapping shows one model, and {ops['model'].nunique()} were given: choose one")
    # a log has no word of where an operator stands
    sides, end = _sides(ops), _end(ops) if compiler is None else None
    fig = go.Figure([trace for side in _SIDES for trace in _traces(ops, sides, side)])
    if end is not None:
        _mark(fig, end, ops)
    fig.update_layout(
        bargap=0.1,
        barmode="overlay",
        yaxis={"domain": _BARS, "tickformat": "~s", "title": {"text": "multiply-accumulates (number)"}},
        yaxis2={"domain": _STRIP, "fixedrange": True, "range": [0, 1], "visible": False},
    )
    fig.update_xaxes(title_text="operator, in order of execution (place)", anchor="y2", range=[-0.7, len(ops) - 0.3])
    return style(
        fig,
        finding=_finding(ops, end) if compiler is None else _compiled(ops, compiler),
        note=_note(ops, end),
        head_px=0 if end is None else _LABEL_PX,
        legend=[side for side in _SIDES if (sides == side).any()],
    )


def _sides(ops: pd.DataFrame) -> "pd.Series[str]":
    return ops["mapped"].map({True: "Edge TPU", False: "processor"}).astype("object").fillna("not known")


def _traces(ops: pd.DataFrame, sides: "pd.Series[str]", side: str) -> list[go.Bar]:
    """Return the bars of a side and its part of the strip; none where nothing is on that side."""
    part = ops[sides == side]
    if part.empty:
        return []
    common = {
        "hovertext": [_hover(row) for row in part.to_dict("records")],
        "hovertemplate": "%{hovertext}<extra></extra>",
        "legendgroup": side,
        "marker": {"color": _SIDES[side]},
        "x": part["op"].astype("int64").tolist(),
    }
    bars = go.Bar(name=side, y=part["macs"].fillna(0).astype("int64").tolist(), **common)
    return [bars, go.Bar(name=side, showlegend=False, y=[1] * len(part), yaxis="y2", **common)]


def _hover(row: Mapping[Hashable, Any]) -> str:
    macs = "unknown work" if pd.isna(row["macs"]) else f"{row['macs']:,} multiply-accumulates"
    shape = "" if pd.isna(row["shape"]) else f" {row['shape']}"
    reason = "" if pd.isna(row["reason"]) else f"<br>{escaped(row['reason'])}"
    return f"op {row['op']} {escaped(row['type'])}{escaped(shape)}<br>{macs}{reason}"


def _mark(fig: go.Figure, end: int, ops: pd.DataFrame) -> None:
    at, late = end - 0.5, end > _LATE * len(ops)
    fig.add_shape(
        line={"color": INK, "dash": "dash", "width": 1.5}, type="line", x0=at, x1=at, y0=0, y1=1, yref="paper"
    )
    fig.add_annotation(
        showarrow=False,
        text=f"op {end} {escaped(_of(ops, end, 'type'))} ends the subgraph",
        x=at,
        xanchor="right" if late else "left",
        y=1,
        yanchor="bottom",
        yref="paper",
    )


def _of(ops: pd.DataFrame, place: int, column: str) -> object:
    return ops.loc[ops["op"] == place, column].item()


def _end(ops: pd.DataFrame) -> int | None:
    """Return the place of the operator that ends the subgraph first: others wait for it, or none after it is mapped."""
    mapped = ops["mapped"].fillna(value=False).astype("bool")
    if not mapped.any() or (ops["type"] == _COMPILED).any():
        return None
    first, last = ops.loc[mapped, "op"].min(), ops.loc[mapped, "op"].max()
    reasons = ops["reason"].fillna("")
    own = ops.loc[~mapped & (ops["op"] > first) & ~reasons.str.startswith(_WAITS) & (reasons != ""), "op"]
    ends = [at for at in own if at > last or reasons.str.startswith(f"{_WAITS}{at} ").any()]
    return int(min(ends)) if ends else None


def _finding(ops: pd.DataFrame, end: int | None) -> str:
    model, mapped = escaped(ops["model"].iloc[0]), int(ops["mapped"].sum())
    if (ops["type"] == _COMPILED).any():
        return f"{model} is compiled for the Edge TPU, which runs {mapped} of its {count(len(ops), 'operator')}"
    if ops["mapped"].isna().all():
        return f"What an Edge TPU would run of {model} is not known"
    found = f"Predicted: an Edge TPU runs {_how_many(mapped, len(ops))} of {model}{_of_work(ops)}"
    return found if end is None else f"{found}; op {end} {escaped(_of(ops, end, 'type'))} ends it"


def _compiled(ops: pd.DataFrame, compiler: pd.DataFrame) -> str:
    model = escaped(ops["model"].iloc[0])
    if compiler["compiled"].isna().any():
        return f"The log of the Edge TPU's compiler does not say which operators of {model} it mapped"
    mapped, predicted = int(compiler["compiled"].sum()), int(compiler["predicted"].sum())
    as_predicted = "as predicted" if (compiler["compiled"] == compiler["predicted"]).all() else f"predicted {predicted}"
    return f"The Edge TPU's compiler mapped {_how_many(mapped, len(ops))} of {model}{_of_work(ops)}, {as_predicted}"


def _how_many(mapped: int, operators: int) -> str:
    if mapped == operators:
        return "the 1 operator" if operators == 1 else f"all {operators} operators"
    return f"{mapped or 'none'} of the {count(operators, 'operator')}"


def _of_work(ops: pd.DataFrame) -> str:
    total = int(ops["macs"].sum())
    if ops[["macs", "mapped"]].isna().any(axis=None) or not total or ops["mapped"].nunique() == 1:
        return ""
    share = int(ops.loc[ops["mapped"].astype("bool"), "macs"].sum()) / total
    # never rounded up: a share that is almost all is not all
    return f" and {math.floor(share * 1000) / 10:g} % of the multiply-accumulates"


def _note(ops: pd.DataFrame, end: int | None) -> str:
    reasons = ops["reason"].dropna()
    why = ""
    if end is not None:
        why = f"Op {end}: {escaped(_of(ops, end, 'reason'))}."
    elif len(reasons) == len(ops):
        most = reasons.value_counts(sort=True)
        why = f"{count(int(most.iloc[0]), 'operator')}: {escaped(most.index[0])}."
    unknown = int(ops["macs"].isna().sum())
    return sentence(why, f"The work of {count(unknown, 'operator')} is unknown: no bar." if unknown else "")
