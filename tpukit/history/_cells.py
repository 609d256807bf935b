"""The cells of two sets of runs: what must agree for runs to have done the same, and which count."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

#: What must agree, or two runs did not do the same; the seed in server alone, where it is the schedule of arrivals.
#: A column that an older version did not have agrees with anything.
CHECKED = (
    "model_sha256", "device", "scenario", "threads", "batch", "samples_per_query", "rate_hz", "latency_bound_s",
    "percentile", "data", "seed", "cpu",
)  # fmt: skip
#: What may differ, since somebody may ask what just this changes; told where it does. A container has another host name
#: each time.
NOTED = ("runtime", "versions", "git_revision", "governor", "os", "cores", "host", "duration_s", "seed")
#: The columns of RESULTS by which a run may be judged.
METRICS = ("p50_s", "p90_s", "p99_s", "percentile_s", "throughput_per_s")

_VALID = "VALID"
_SHA_SHOWN = 12
# the first reason of a run that did all it should and was too slow: a run cut short says that first
_OVER = r"overloaded: |stopped after [^;]* longer than the bound of |percentile [^;]* over the bound of "


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cell:
    """Runs of one side that repeat each other, in order of start, with the columns of RUNS and RESULTS.

    `checked` is what all of them have in the columns of `CHECKED`, `valid` are the VALID ones, `over_bound` those that
    are INVALID for nothing but being over their latency bound.
    """

    runs: pd.DataFrame
    checked: Mapping[Any, Any]
    valid: pd.DataFrame
    over_bound: pd.DataFrame

    @property
    def model(self) -> str:
        """The model's name."""
        return str(self.runs["model"].iloc[0])

    def counted(self, metric: str | None) -> pd.DataFrame:
        """Return the runs that are VALID and have the metric."""
        if metric is None:
            return self.runs.iloc[:0]
        values = self.valid[metric].to_numpy(dtype=np.float64)
        counted: pd.DataFrame = self.valid[(values > 0) & np.isfinite(values)]
        return counted

    def differing(self, other: "Cell") -> list[str]:
        """Return the checked fields in which two cells are known to differ."""
        sides = ((name, self.checked[name], other.checked[name]) for name in CHECKED)
        return [name for name, here, there in sides if not pd.isna(here) and not pd.isna(there) and here != there]


def cells(runs: pd.DataFrame) -> list[Cell]:
    """Return the cells of one side."""
    checked = runs[list(CHECKED)].assign(seed=runs["seed"].where(runs["scenario"] == "server"))
    groups = runs.groupby([checked[name] for name in CHECKED], dropna=False, sort=False)
    # as a dict: each cell is held against each other, and pandas takes 10 µs for every look
    return [_cell(part, checked.loc[part.index[0]].to_dict()) for _, part in groups]


def _cell(runs: pd.DataFrame, checked: Mapping[Any, Any]) -> Cell:
    valid = runs["verdict"] == _VALID
    over = ~valid & runs["reasons"].fillna("").str.match(_OVER)
    return Cell(runs=runs, checked=checked, valid=runs[valid], over_bound=runs[over])


def match(bases: Sequence[Cell], news: Sequence[Cell]) -> tuple[list[tuple[Cell, Cell]], tuple[list[Cell], ...]]:
    """Return the pairs of cells that agree, and those of either side that are left."""
    pairs, left = [], list(news)
    for base in bases:
        new = next((cell for cell in left if not base.differing(cell)), None)
        if new is not None:
            pairs.append((base, new))
            left.remove(new)
    return pairs, ([base for base in bases if all(base is not pair[0] for pair in pairs)], left)


def differences(base: Cell, new: Cell) -> str:
    """Say in which checked fields two cells differ, with both values."""
    return " and ".join(f"{name} ({_shown(base, name)}, {_shown(new, name)})" for name in base.differing(new))


def _shown(cell: Cell, name: str) -> str:
    value = cell.checked[name]
    return f"{value[:_SHA_SHOWN]}… of {cell.model}" if name == "model_sha256" else f"{value}"


def noted(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[str]:
    """Yield what else differs between the runs of two sides."""
    for name in NOTED:
        sides = [_words(name, side[name].dropna()) for side in (before, after)]
        for word in sorted(sides[0].keys() & sides[1].keys()):
            if sides[0][word] != sides[1][word]:
                yield f"{word} {'/'.join(sorted(sides[0][word]))} → {'/'.join(sorted(sides[1][word]))}"


def _words(name: str, values: "pd.Series[Any]") -> dict[str, set[str]]:
    """Return what a column holds, by what to call it: the versions by their library."""
    found: dict[str, set[str]] = {}
    for value in values.unique():
        each = json.loads(value) if name == "versions" else {name: value}
        for word, said in each.items():
            found.setdefault(word, set()).add(str(said))
    return found
