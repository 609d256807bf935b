"""How sets of runs compare with the ones before them, as marks on the lines of a history."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tpukit import schema, stats
from tpukit.figures._cells import SETTINGS
from tpukit.figures._text import count, escaped, number
from tpukit.figures._theme import COLOURS, GREY, INK

_LOOKS = {
    stats.SLOWER: ("triangle-up-open", COLOURS[2]),
    stats.FASTER: ("triangle-down-open", INK),
    stats.SAME: ("square-open", INK),
    stats.CANNOT_TELL: ("circle-x-open", GREY),
}
_WORDS = {stats.SAME: "the same", stats.CANNOT_TELL: "undecided"}
_SINGLE_STREAM = "single_stream"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdicts:
    """The rows of COMPARISON that have a place on a line: its label, and the time and p50 of the set's newest run."""

    marks: pd.DataFrame
    left_out: int

    @property
    def legend(self) -> list[str]:
        """The verdicts that are drawn."""
        return [verdict for verdict in _LOOKS if (self.marks["verdict"] == verdict).any()]

    @property
    def note(self) -> str:
        """What the marks are, and how many have no place."""
        if self.marks.empty and not self.left_out:
            return ""
        without = f" {count(self.left_out, 'comparison')} without a place on one line." if self.left_out else ""
        return f"Large marks: how a set of runs compares with the one before it.{without}"

    def traces(self) -> list[go.Scatter]:
        """Return a trace for each verdict that is drawn."""
        by_verdict = self.marks.groupby("verdict", sort=False)
        return [_trace(verdict, by_verdict.get_group(verdict)) for verdict in self.legend]

    def finding(self) -> str:
        """Say what the newest set changed; nothing where no verdict is drawn."""
        if self.marks.empty:
            return ""
        newest = self.marks[self.marks["new"] == self.marks["new"].iloc[-1]]
        first = newest.iloc[0]
        sets = {"base": escaped(first["base"]), "new": escaped(first["new"])}
        changed = newest[newest["verdict"].isin([stats.SLOWER, stats.FASTER])]
        if changed.empty:
            return _unchanged(newest, sets)
        most = changed.loc[np.log(changed["ratio"]).abs().idxmax()]
        takes = f"{sets['new']} takes {number(most['ratio'])} times as long as {sets['base']}"
        return f"{most['label']} became {most['verdict']}: {takes}" + (_tally(newest) if len(newest) > 1 else "")


def verdicts(measured: pd.DataFrame, comparison: pd.DataFrame) -> Verdicts:
    """Return the verdicts of COMPARISON on `measured`, labelled rows of a history in order of start.

    Raises SchemaError where `comparison` is no COMPARISON table.
    """
    rows = schema.check(comparison, schema.COMPARISON)
    rows = rows[rows["scenario"] == _SINGLE_STREAM]
    placed = [mark for row in rows.to_dict("records") if (mark := _placed(row, measured))]
    columns = ["base", "new", "ratio", "verdict", "label", "started", "p50_s", "text"]
    return Verdicts(marks=pd.DataFrame(placed, columns=columns), left_out=len(rows) - len(placed))


def of_side(runs: pd.DataFrame, row: Mapping[Any, Any], side: str) -> pd.DataFrame:
    """Return the rows of `runs` that a side, base or new, of a row of COMPARISON means."""
    meant = (runs["name"] == row[side]) | (runs["run_id"] == row[side])
    for name in ("model", *SETTINGS):
        meant &= runs[name].isna() if pd.isna(row[name]) else runs[name] == row[name]
    found: pd.DataFrame = runs[meant]
    return found


def _placed(row: Mapping[Any, Any], measured: pd.DataFrame) -> dict[str, Any] | None:
    runs = of_side(measured, row, "new")
    if runs["label"].nunique() != 1:  # of two machines, or two files of one name, it is not known whose it is
        return None
    last = runs.iloc[-1]
    kept = {name: row[name] for name in ("base", "new", "ratio", "verdict")}
    return kept | {name: last[name] for name in ("label", "started", "p50_s")} | {"text": _text(row)}


def _text(row: Mapping[Any, Any]) -> str:
    said = f"{escaped(row['new'])} against {escaped(row['base'])}: {row['verdict']}"
    if pd.notna(row["ratio"]):
        said += f", {number(row['ratio'])} times as long"
    if pd.notna(row["ratio_lo"]) and pd.notna(row["ratio_hi"]):
        said += f" ({number(row['ratio_lo'])} to {number(row['ratio_hi'])})"
    return said


def _trace(verdict: str, marks: pd.DataFrame) -> go.Scatter:
    symbol, colour = _LOOKS[verdict]
    return go.Scatter(
        hovertemplate="%{text}<extra></extra>",
        legendgroup=f"verdict {verdict}",
        marker={"color": colour, "line": {"color": colour, "width": 2}, "size": 16, "symbol": symbol},
        mode="markers",
        name=verdict,
        text=list(marks["text"]),
        x=[time.strftime("%Y-%m-%dT%H:%M:%S.%f") for time in marks["started"]],
        y=list(marks["p50_s"] * 1e3),
    )


def _unchanged(newest: pd.DataFrame, sets: Mapping[str, str]) -> str:
    undecided = bool((newest["verdict"] == stats.CANNOT_TELL).any())
    if len(newest) == 1:
        label = newest["label"].iloc[0]
        if undecided:
            return f"Whether {label} changed from {sets['base']} to {sets['new']} cannot be told"
        return f"{label} is the same in {sets['new']} as in {sets['base']}"
    return f"Nothing is known to have changed from {sets['base']} to {sets['new']}" + _tally(newest)


def _tally(newest: pd.DataFrame) -> str:
    numbers = newest["verdict"].value_counts()
    parts = [f"{numbers[verdict]} {_WORDS.get(verdict, verdict)}" for verdict in _LOOKS if verdict in numbers]
    return f"; of {len(newest)} settings {', '.join(parts)}"
