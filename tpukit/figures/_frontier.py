"""What settings serve, and how late: throughput against p99."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tpukit import schema
from tpukit.figures._cells import named
from tpukit.figures._lines import Lines, key
from tpukit.figures._text import count, ms, number, sentence
from tpukit.figures._theme import GREY, INK, log_axis, nothing, style

_LINE = ("device", "loop")
_SETTING = ("scenario", "threads", "batch", "per_query", "rate_hz")
_LOOPS = ("closed loop", "server")
_LIMIT = "best offline throughput"
_NOTABLE = 1.05
_SMALL, _LARGE = 6, 9
_PAD, _LABEL_PAD = 0.05, 0.2
_NAMED = 3
# above and to the left of a dot on the frontier is none: it would beat it
_LABELLED = {"mode": "markers+text", "textfont": {"color": GREY, "size": 11}, "textposition": "top left"}


def plot_frontier(frontier: pd.DataFrame) -> go.Figure:
    """Return throughput against p99 of every setting, with a line through those that nothing beats.

    There is one line for each model and device, and apart from it one for server, whose latency counts from when a
    query was due. A large dot is on it, a small one is beaten by another setting of its model. The dotted line is the
    best offline throughput of the same model and device, dashed is server's latency bound. Where there is one line, its
    dots bear their settings. A setting without a VALID
    run has no place; the note names it. Raises SchemaError where `frontier` is no FRONTIER table.
    """
    schema.check(frontier, schema.FRONTIER)
    if frontier.empty:
        return nothing("there are no settings with a latency")
    rows, common = _named(frontier)
    drawn = rows[(rows["throughput_per_s"] > 0) & (rows["p99_s"] > 0)]
    missing = rows[~rows.index.isin(drawn.index)]
    if drawn.empty:
        return nothing(f"no run of {count(len(rows), 'setting')} is VALID")
    parts = [part.sort_values("p99_s", kind="stable") for _, part in drawn.groupby("label", sort=False)]
    lines = Lines.of([part.iloc[0].to_dict() for part in parts], _LINE)
    limited = bool((drawn["offline_per_s"] > 0).any())
    fig = go.Figure([trace for part in parts for trace in _traces(part, lines)])
    if len(parts) == 1:
        fig.update_traces(_LABELLED, selector={"mode": "markers"})
    fig.add_traces(
        [*lines.keys(), *([key(_LIMIT, line={"color": GREY, "dash": "dot", "width": 1})] if limited else [])]
    )
    bounds = sorted(set(drawn["latency_bound_s"].dropna()))
    for bound_s in bounds:
        fig.add_vline(x=bound_s * 1e3, line={"color": INK, "dash": "dash", "width": 1.5})
    fig.update_xaxes(title_text="p99 of latency (ms)", **_p99_axis(drawn, bounds, alone=len(parts) == 1))
    fig.update_yaxes(title_text="throughput (samples/s)", **_throughput_axis(drawn))
    return style(
        fig,
        finding=_finding([_range(part) for part in parts]),
        note=sentence(
            f"All on {common}." if common else "",
            "Small: beaten by another setting of its model." if not drawn["on_frontier"].all() else "",
            "Bars: 95 % interval of one run, or from the least to the largest of several.",
            f"Dashed: the latency bound of server, {' or '.join(ms(bound) for bound in bounds)}." if bounds else "",
            _not_drawn(missing),
        ),
        plot_px=420,
        legend=[*lines.legend, *([_LIMIT] if limited else [])],
    )


def _named(frontier: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the rows with what their lines and dots are called, and what is common to all."""
    several = frontier["scenario"] == "multi_stream"
    rows = frontier.assign(
        loop=[_LOOPS[0] if math.isnan(rate) else _LOOPS[1] for rate in frontier["rate_hz"]],
        per_query=frontier["samples_per_query"].where(several),
        # its loop says so
        scenario=frontier["scenario"].where(frontier["scenario"] != _LOOPS[1], ""),
    )
    rows, everywhere = named(rows, _SETTING)
    rows = rows.rename(columns={"variant": "setting"}).drop(columns="label")
    rows, shared = named(rows, _LINE)
    told = [each for each in (*shared.split(", "), everywhere) if each not in ("", *_LOOPS)]
    return rows, ", ".join(told)


def _p99_axis(rows: pd.DataFrame, bounds: Sequence[float], *, alone: bool) -> dict[str, Any]:
    shown = [*_above_0(rows[["p99_s", "p99_lo_s", "p99_hi_s"]]), *bounds]
    return log_axis(min(shown) * 1e3, max(shown) * 1e3, most_decades=2.5, pad=_LABEL_PAD if alone else _PAD)


def _throughput_axis(rows: pd.DataFrame) -> dict[str, Any]:
    shown = _above_0(rows[["throughput_per_s", "offline_per_s"]])
    return log_axis(min(shown), max(shown), most_decades=2.5, pad=_PAD) | {"tickformat": ",~r"}


def _above_0(columns: pd.DataFrame) -> list[float]:
    return [float(each) for each in columns.to_numpy().ravel() if each > 0]


def _traces(part: pd.DataFrame, lines: Lines) -> list[go.Scatter]:
    """Return the line and the dots of one model, and its limit."""
    first = part.iloc[0].to_dict()
    best = part[part["on_frontier"]]
    line = {
        "hoverinfo": "skip",
        "line": lines.line(first),
        "mode": "lines",
        "x": list(best["p99_s"] * 1e3),
        "y": list(best["throughput_per_s"]),
        **(lines.entry(first) | {"showlegend": False}),
    }
    traces = [line, _dots(part, lines, first)]
    if first["offline_per_s"] > 0:
        traces.append(_limit(part, lines, first))
    return [go.Scatter(trace) for trace in traces]


def _dots(part: pd.DataFrame, lines: Lines, first: Mapping[Any, Any]) -> dict[str, Any]:
    marker = lines.marker(first, hollow=[False] * len(part))
    above, below = (part["p99_hi_s"] - part["p99_s"]), (part["p99_s"] - part["p99_lo_s"])
    return {
        "customdata": [_hover(row) for row in part.to_dict("records")],
        "error_x": {
            "array": list(above.fillna(0) * 1e3),
            "arrayminus": list(below.fillna(0) * 1e3),
            "symmetric": False,
            "thickness": 0.7,
            "width": 2,
        },
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": marker | {"opacity": 1, "size": [_LARGE if best else _SMALL for best in part["on_frontier"]]},
        "mode": "markers",
        "text": list(part["setting"].where(part["on_frontier"], "")),
        "x": list(part["p99_s"] * 1e3),
        "y": list(part["throughput_per_s"]),
        **lines.entry(first),
    }


def _hover(row: Mapping[Any, Any]) -> str:
    point = f"{number(row['throughput_per_s'])} samples/s at a p99 of {ms(row['p99_s'])}"
    return "<br>".join(filter(None, (row["label"], row["setting"], point, count(row["runs"], "VALID run"))))


def _limit(part: pd.DataFrame, lines: Lines, first: Mapping[Any, Any]) -> dict[str, Any]:
    lo_ms, hi_ms = part["p99_s"].min() * 1e3, part["p99_s"].max() * 1e3
    return {
        "hoverinfo": "skip",
        "line": {"color": lines.colour(first), "dash": "dot", "width": 1},
        "mode": "lines",
        # a single setting is to have a line too
        "x": [lo_ms / 1.2, hi_ms * 1.2],
        "y": [first["offline_per_s"]] * 2,
        **(lines.entry(first) | {"showlegend": False}),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """A line from its least p99 to its greatest throughput; `settings` says of how many it is the outcome."""

    label: str
    settings: int
    soonest: Mapping[Any, Any]
    most: Mapping[Any, Any]

    @property
    def gain(self) -> float:
        """How many times as much the setting of the greatest throughput serves."""
        return float(self.most["throughput_per_s"] / self.soonest["throughput_per_s"])


def _range(part: pd.DataFrame) -> _Range:
    best = part[part["on_frontier"]]
    return _Range(
        label=str(best["label"].iloc[0]),
        settings=len(part),
        soonest=best.iloc[0].to_dict(),
        most=best.iloc[-1].to_dict(),
    )


def _finding(ranges: Sequence[_Range]) -> str:
    gaining = [each for each in ranges if each.gain > _NOTABLE]
    if len(ranges) == 1:
        return _single(ranges[0], gains=bool(gaining))
    compared = [each for each in ranges if each.settings > 1]
    if not compared:
        return f"Of {_counted(ranges)}, {_greatest(ranges)}"
    if not gaining:
        return f"None of {_counted(compared)} serves over 5 % more at a higher p99; {_greatest(ranges)}"
    return _gains(gaining, compared)


def _gains(gaining: Sequence[_Range], compared: Sequence[_Range]) -> str:
    most = max(gaining, key=lambda each: each.gain)
    few = f"{len(gaining)} of " if len(gaining) < len(compared) else "All "
    serve = f"{_counted(compared)} {'serves' if len(gaining) == 1 else 'serve'} more at a higher p99"
    reach = f"from {_point(most.soonest)} to {number(most.most['throughput_per_s'])} at {ms(most.most['p99_s'])}"
    goes = f"{most.label} gains most," if len(gaining) > 1 else f"{most.label} goes"
    return f"{few}{serve}: {goes} {reach}{_by(most.most)}"


def _greatest(ranges: Sequence[_Range]) -> str:
    most = max(ranges, key=lambda each: float(each.most["throughput_per_s"]))
    return f"{most.label} serves most: {_point(most.most)}"


def _counted(ranges: Sequence[_Range]) -> str:
    return count(len(ranges), "model" if len({each.most["model"] for each in ranges}) == len(ranges) else "line")


def _single(line: _Range, *, gains: bool) -> str:
    serves = f"{line.label} serves {_point(line.most)}"
    if line.settings == 1:
        return serves
    if not gains:
        return f"{serves}: none of {line.settings} settings serves over 5 % more"
    soonest = line.soonest
    return (
        f"{serves}; it answers soonest{_by(soonest)}: {number(soonest['throughput_per_s'])} samples/s "
        f"at {ms(soonest['p99_s'])}"
    )


def _point(row: Mapping[Any, Any]) -> str:
    return f"{number(row['throughput_per_s'])} samples/s at a p99 of {ms(row['p99_s'])}{_by(row)}"


def _by(row: Mapping[Any, Any]) -> str:
    # "batch 4" is not to be broken
    return f" with {row['setting']}".replace("batch ", "batch\N{NO-BREAK SPACE}") if row["setting"] else ""


def _not_drawn(rows: pd.DataFrame) -> str:
    if rows.empty:
        return ""
    names = [": ".join(filter(None, (row["label"], row["setting"]))) for row in rows.to_dict("records")]
    more = f" and {count(len(names) - _NAMED, 'other')}" if len(names) > _NAMED else ""
    return f"Not drawn, for no run is VALID: {'; '.join(names[:_NAMED])}{more}."
