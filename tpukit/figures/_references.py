"""The user's own runs beside what others published of the same model."""

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tpukit import schema
from tpukit.figures._cells import SETTINGS, named, newest, no_latency, none_valid, single_stream, valid
from tpukit.figures._text import count, escaped, ms, number, sentence
from tpukit.figures._theme import COLOURS, GREY, log_axis, nothing, style

_ROW_PX, _GAP_PX, _HEAD_PX = 22, 44, 20
# the devices of which it is known what executes a model, by the name before their place and options
_HARDWARE = {"edgetpu": "Edge TPU", "pycoral": "Edge TPU", "cpu": "CPU", "reference": "CPU", "tflite": "CPU"}
_OWN, _INVALID = "measured here", "measured here, INVALID"
# hollow, so that one's own VALID runs are the only filled marks
_PUBLISHER_SYMBOLS = ("diamond-open", "square-open", "triangle-up-open")


def plot_references(results: pd.DataFrame, published: pd.DataFrame) -> go.Figure:
    """Return p50 of the single_stream results beside the published latencies of the same models, fastest on top.

    A panel shows one model that has rows in both tables. One's own p50 bears its 95 % interval; INVALID runs are hollow
    and grey. The finding compares the smallest VALID p50 of a model with the first of its published latencies on
    hardware of the same kind: an Edge TPU for the devices edgetpu and pycoral, a CPU for cpu, reference and tflite,
    nothing for others. Of several runs of the same settings the newest VALID one is drawn. Larger batches are left out:
    what is published is of one inference. That runs on an Edge TPU come near to it is unproven: there was none here.
    Raises SchemaError where `results` is no RESULTS table or `published` no PUBLISHED one.
    """
    known = schema.check(published, schema.PUBLISHED)
    alone = single_stream(results)
    if alone.empty:
        return nothing(no_latency(results))
    rows = alone[alone["batch"].fillna(1) == 1]
    own, older = newest(rows[rows["model"].isin(known["model"]) & (rows["p50_s"] > 0)], SETTINGS)
    if own.empty:
        return nothing(f"nothing is published of {_whose(alone)}, run with a batch of 1")
    own, common = named(own, SETTINGS)
    known = known[known["model"].isin(own["model"])].assign(
        place=lambda table: [*map(_place, table.to_dict("records"))]
    )
    fig = _panels(own, known)
    return style(
        fig,
        finding=_finding(own, known),
        note=sentence(
            f"Measured here: p50 of whole queries, input and output copied{f', on {common}' if common else ''}.",
            _published_by(known),
            "Hosts and software differ from those here.",
            "Without a bar: too few queries for an interval." if own["p50_lo_s"].isna().any() else "",
            older,
            _left_out(rows, other=len(results) - len(rows), drawn=set(own["model"])),
        ),
        plot_px=_height(own, known),
        head_px=_HEAD_PX,
        legend=list(dict.fromkeys(trace.name for trace in fig.data)),
    )


def _panels(own: pd.DataFrame, known: pd.DataFrame) -> go.Figure:
    models = list(dict.fromkeys(own["model"]))
    sizes = [_lines(own, known, model) for model in models]
    fig = make_subplots(
        rows=len(models),
        shared_xaxes=True,
        row_heights=sizes,
        vertical_spacing=_GAP_PX / _height(own, known) if len(models) > 1 else 0,
        subplot_titles=[escaped(model) for model in models],
    )
    fig.update_annotations(font={"size": 12})
    shown: set[str] = set()
    for place, model in enumerate(models, start=1):
        mine, theirs = own[own["model"] == model], known[known["model"] == model]
        for trace in (*_own(mine), *_theirs(theirs, sorted(known["publisher"].unique()))):
            trace.showlegend = trace.name not in shown
            shown.add(trace.name)
            fig.add_trace(trace, row=place, col=1)
        order = sorted([*_values(mine, "variant", "p50_s"), *_values(theirs, "place", "latency_s")], reverse=True)
        fig.update_yaxes(categoryarray=[name for _, name in order], categoryorder="array", row=place, col=1)
    values = pd.concat([own["p50_s"], own["p50_lo_s"], own["p50_hi_s"], known["latency_s"]]).dropna() * 1e3
    fig.update_xaxes(**log_axis(values.min(), values.max(), most_decades=2.5))
    fig.update_xaxes(title_text="latency of one inference (ms)", row=len(models), col=1)
    return fig


def _own(rows: pd.DataFrame) -> list[go.Scatter]:
    parts = ((rows[valid(rows)], _OWN, "circle", COLOURS[0]), (rows[~valid(rows)], _INVALID, "circle-open", GREY))
    return [_dots(part, name, symbol, colour) for part, name, symbol, colour in parts if len(part)]


def _dots(rows: pd.DataFrame, name: str, symbol: str, colour: str) -> go.Scatter:
    p50 = rows["p50_s"]
    return go.Scatter(
        error_x={
            "array": list((rows["p50_hi_s"] - p50).fillna(0) * 1e3),
            "arrayminus": list((p50 - rows["p50_lo_s"]).fillna(0) * 1e3),
            "color": colour,
            "thickness": 1.5,
            "width": 4,
        },
        hovertemplate="%{y}<br>p50 %{x:.3~g} ms<extra></extra>",
        legendgroup=name,
        marker={"color": colour, "line": {"color": colour, "width": 1}, "size": 10, "symbol": symbol},
        mode="markers",
        name=name,
        x=list(p50 * 1e3),
        y=[_here(row) for row in rows.to_dict("records")],
    )


def _theirs(rows: pd.DataFrame, publishers: list[str]) -> list[go.Scatter]:
    styles = zip(publishers, _PUBLISHER_SYMBOLS, (COLOURS[6], COLOURS[4], COLOURS[5]), strict=False)
    return [
        _published(rows[rows["publisher"] == name], *look)
        for name, *look in styles
        if (rows["publisher"] == name).any()
    ]


def _published(rows: pd.DataFrame, symbol: str, colour: str) -> go.Scatter:
    first = rows.iloc[0]
    harness = f" ({escaped(first['harness'])})" if pd.notna(first["harness"]) else ""
    return go.Scatter(
        hovertemplate="%{y}<br>%{x:.4~g} ms<br>%{text}<extra></extra>",
        legendgroup=str(first["publisher"]),
        marker={"color": colour, "line": {"color": colour, "width": 2}, "size": 9, "symbol": symbol},
        mode="markers",
        name=f"{escaped(first['publisher'])}{harness}",
        text=[_joined(row, "statistic", "source", "note", by="<br>") for row in rows.to_dict("records")],
        x=list(rows["latency_s"] * 1e3),
        y=list(rows["place"]),
    )


def _values(rows: pd.DataFrame, label: str, value: str) -> list[tuple[float, str]]:
    names = rows[label] if label == "place" else [_here(row) for row in rows.to_dict("records")]
    return list(zip(rows[value], names, strict=True))


def _here(row: Mapping[Any, Any]) -> str:
    return f"here: {row['variant'] or escaped(row['device'])}"


def _place(row: Mapping[Any, Any]) -> str:
    return _joined(row, "hardware", "link", "host")


def _joined(row: Mapping[Any, Any], *names: str, by: str = ", ") -> str:
    return by.join(escaped(row[name]) for name in names if pd.notna(row[name]))


def _finding(own: pd.DataFrame, known: pd.DataFrame) -> str:
    counted = own[valid(own)]
    if counted.empty:
        return none_valid(len(own))
    best = counted.sort_values("p50_s", kind="stable").drop_duplicates("model").to_dict("records")
    pairs = [(row, like) for row in best if (like := _like(row, known[known["model"] == row["model"]]))]
    if not pairs:
        return f"Of {_whose(counted)} nothing is published for hardware of the kind that was measured here"
    if len(pairs) == 1:
        return _one(*pairs[0])
    pairs.sort(key=_ratio)
    low, high = pairs[0], pairs[-1]
    reach = f"from {number(_ratio(low))} times as long as published ({escaped(low[0]['model'])})"
    return f"{len(pairs)} models take {reach} to {number(_ratio(high))} times ({escaped(high[0]['model'])})"


def _one(row: Mapping[Any, Any], theirs: Mapping[Any, Any]) -> str:
    takes = f"{escaped(row['model'])} on {escaped(row['device'])} takes {ms(row['p50_s'])} at p50"
    where = _joined(theirs, "hardware", "link", "host")
    published = f"{ms(theirs['latency_s'])} that {escaped(theirs['publisher'])} published ({where})"
    return f"{takes}, {number(_ratio((row, theirs)))} times as long as the {published}"


def _ratio(pair: tuple[Mapping[Any, Any], Mapping[Any, Any]]) -> float:
    return float(pair[0]["p50_s"] / pair[1]["latency_s"])


def _like(row: Mapping[Any, Any], known: pd.DataFrame) -> dict[Any, Any]:
    """Return the published latency with which a run is compared; nothing where none is of hardware of its kind."""
    device = re.split("[:,]", str(row["device"]))[0]
    same = known[known["hardware"] == _HARDWARE.get(device)]
    return {} if same.empty else dict(same.iloc[0])


def _published_by(known: pd.DataFrame) -> str:
    kinds = known.drop_duplicates(["publisher", "harness", "statistic"]).to_dict("records")
    said = [
        f"{escaped(row['publisher'])}: {_joined(row, 'harness', 'statistic') or 'how is not stated'}" for row in kinds
    ]
    return f"Published, matched by the file's name: {'; '.join(said)}."


def _lines(own: pd.DataFrame, known: pd.DataFrame, model: str) -> int:
    mine, theirs = own[own["model"] == model], known[known["model"] == model]
    return mine["variant"].nunique() + theirs["place"].nunique()


def _height(own: pd.DataFrame, known: pd.DataFrame) -> int:
    models = list(dict.fromkeys(own["model"]))
    lines = sum(_lines(own, known, model) for model in models)
    return max(120, 20 + _ROW_PX * lines + _GAP_PX * (len(models) - 1))


def _whose(rows: pd.DataFrame) -> str:
    models = rows["model"].unique()
    return escaped(models[0]) if len(models) == 1 else f"these {count(len(models), 'model')}"


def _left_out(rows: pd.DataFrame, *, other: int, drawn: set[str]) -> str:
    without = len(set(rows["model"].dropna()) - drawn)
    parts = [f"{count(other, 'result')} of other scenarios or batches"] if other else []
    parts += [f"{count(without, 'model')} of which nothing is published"] if without else []
    return f"Left out: {' and '.join(parts)}." if parts else ""
