"""What more threads buy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tpukit.figures._cells import SETTINGS, named, newest, no_latency, none_valid, single_stream, valid
from tpukit.figures._lines import Lines, error_bars, key, p50_axis
from tpukit.figures._text import count, ms, number, sentence
from tpukit.figures._theme import GREY, nothing, style

_LINE = ("device", "batch")
_LIMIT = "limit: ideal scaling"
_NOTABLE = 1.05
_RULE = "; threads help where they do not overlap and p50 falls by over 5 %"


def plot_threads(results: pd.DataFrame) -> go.Figure:
    """Return p50 of latency against the number of threads, one line for each model, device and batch.

    The dotted line below each is its limit: p50 at the fewest threads, divided by how many times as many there are.
    More threads help where p50 falls by more than 5 % and its 95 % intervals do not overlap: an interval speaks of one
    run, and two runs of the same settings often part by a little more. Of several such runs the newest VALID one is
    drawn. Raises SchemaError where `results` is no RESULTS table.
    """
    rows = single_stream(results)
    if rows.empty:
        return nothing(no_latency(results))
    measured, older = newest(rows[(rows["p50_s"] > 0) & rows["threads"].notna()], SETTINGS)
    if measured.empty:
        return nothing(f"no query of {count(len(rows), 'single_stream run')} has a latency")
    measured, common = named(measured.astype({"threads": "int64"}).sort_values("threads", kind="stable"), _LINE)
    by_line = [part.sort_values("threads") for _, part in measured.groupby("label", sort=False)]
    lines = Lines.of([part.iloc[0].to_dict() for part in by_line], _LINE)
    fig = go.Figure()
    for part in by_line:
        fig.add_traces(_traces(part, lines))
    compared = any(len(part[valid(part)]) > 1 for part in by_line)
    limit = [key(_LIMIT, line={"color": GREY, "dash": "dot", "width": 1})] if compared else []
    fig.add_traces([*lines.keys(), *limit])
    ticks = sorted(set(measured["threads"]))
    fig.update_xaxes(title_text="threads (number)", type="log", tickvals=ticks, ticktext=[str(n) for n in ticks])
    lo = min(y for trace in fig.data for y in trace.y if y is not None)
    fig.update_yaxes(title_text="p50 of latency (ms)", **p50_axis(measured, lo))
    invalid = "Hollow: INVALID runs." if not valid(measured).all() else ""
    return style(
        fig,
        finding=_finding([_gain(part[valid(part)]) for part in by_line if valid(part).any()], len(measured)),
        note=sentence(
            f"All on {common}." if common else "",
            f"Bars: 95 % intervals{_RULE if compared else ''}.",
            invalid,
            older,
        ),
        legend=[*lines.legend, _LIMIT] if compared else lines.legend,
    )


def _traces(part: pd.DataFrame, lines: Lines) -> list[go.Scatter]:
    """Return the measured line of one model, its limit, and its INVALID runs."""
    counts, first = valid(part), part.iloc[0].to_dict()
    traces = []
    if counts.any():
        good = part[counts]
        traces.append(_points(good, lines, first) | {"mode": "lines+markers", "line": lines.line(first)})
        traces.append(_limit(good, lines, first))
    if not counts.all():
        points = _points(part[~counts], lines, first)
        traces.append(points | {"mode": "markers", "showlegend": points["showlegend"] and not counts.any()})
    return [go.Scatter(trace) for trace in traces]


def _points(rows: pd.DataFrame, lines: Lines, first: Mapping[Any, Any]) -> dict[str, Any]:
    return {
        "error_y": error_bars(rows),
        "hovertemplate": f"{first['label']}<br>p50 %{{y:.3~g}} ms on %{{text}}<extra></extra>",
        "marker": lines.marker(first, hollow=list(~valid(rows))),
        "text": [count(n, "thread") for n in rows["threads"]],
        "x": list(rows["threads"]),
        "y": list(rows["p50_s"] * 1e3),
        **lines.entry(first),
    }


def _limit(rows: pd.DataFrame, lines: Lines, first: Mapping[Any, Any]) -> dict[str, Any]:
    threads = list(rows["threads"])
    fewest, p50_ms = threads[0], rows["p50_s"].iloc[0] * 1e3
    return {
        "hoverinfo": "skip",
        "line": {"color": lines.colour(first), "dash": "dot", "width": 1},
        "mode": "lines",
        "x": threads,
        "y": [p50_ms * fewest / n for n in threads],
        **(lines.entry(first) | {"showlegend": False}),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gain:
    """A line from its fewest threads to the number with the least p50 (`best`) of more threads, if there are any.

    `helps` and `hurts` say that the 95 % intervals part and p50 changes by over 5 %, `known` that there are intervals.
    """

    label: str
    model: str
    threads: int
    p50_s: float
    best: int = 0
    best_s: float = float("nan")
    helps: bool = False
    hurts: bool = False
    known: bool = False

    @property
    def ratio(self) -> float:
        """How many times as fast more threads are."""
        return self.p50_s / self.best_s

    @property
    def step(self) -> str:
        """From where to where p50 goes."""
        return f"from {ms(self.p50_s)} on {count(self.threads, 'thread')} to {ms(self.best_s)} on {self.best} threads"


def _gain(rows: pd.DataFrame) -> _Gain:
    first, more = rows.iloc[0], rows.iloc[1:]
    start = _Gain(
        label=str(first["label"]), model=str(first["model"]), threads=int(first["threads"]), p50_s=float(first["p50_s"])
    )
    if more.empty:
        return start
    best = more.iloc[int(more["p50_s"].to_numpy().argmin())]
    return replace(
        start,
        best=int(best["threads"]),
        best_s=float(best["p50_s"]),
        helps=_parts(best, first),
        hurts=_parts(first, best),
        known=bool(pd.notna([best["p50_lo_s"], best["p50_hi_s"], first["p50_lo_s"], first["p50_hi_s"]]).all()),
    )


def _parts(less: "pd.Series[Any]", more: "pd.Series[Any]") -> bool:
    # a missing end compares as False: too few queries to tell
    return bool(less["p50_hi_s"] < more["p50_lo_s"] and less["p50_s"] * _NOTABLE < more["p50_s"])


def _finding(gains: Sequence[_Gain], drawn: int) -> str:
    """`gains` are those of the lines with VALID runs."""
    if not gains:
        return none_valid(drawn)
    compared = [gain for gain in gains if gain.best]
    if not compared:
        return _one_count(gains)
    known = [gain for gain in compared if gain.known]
    noun = "model" if len({gain.model for gain in compared}) == len(compared) else "setting"
    unknown = len(compared) - len(known)
    if not known:
        return f"Too few queries to tell whether more threads help {_all_of(compared, noun)}"
    rest = f"; {count(unknown, noun)} had too few queries to tell" if unknown else ""
    return _known(known, noun) + rest


def _one_count(gains: Sequence[_Gain]) -> str:
    counts = {gain.threads for gain in gains}
    who = gains[0].label if len(gains) == 1 else "Every model"
    where = count(counts.pop(), "thread") if len(counts) == 1 else "one number of threads"
    return f"{who} was measured on {where} only, so what more threads buy is unknown"


def _known(gains: Sequence[_Gain], noun: str) -> str:
    helped = [gain for gain in gains if gain.helps]
    if helped:
        most = max(helped, key=lambda gain: gain.ratio)
        if len(gains) == 1:
            return f"More threads help {most.label}: p50 falls {most.step}, {number(most.ratio)} times as fast"
        share = f"all {len(gains)}" if len(helped) == len(gains) else f"{len(helped)} of {len(gains)}"
        most_of = f"{most.label} goes" if len(helped) == 1 else f"{most.label} gains most,"
        return f"More threads help {share} {noun}s: {most_of} {most.step}"
    worst = min(gains, key=lambda gain: gain.ratio)
    none = f"More threads do not help {_all_of(gains, noun)}"
    return f"{none}: p50 of {worst.label} rises {worst.step}" if worst.hurts else none


def _all_of(gains: Sequence[_Gain], noun: str) -> str:
    return gains[0].label if len(gains) == 1 else f"any of {count(len(gains), noun)}"
