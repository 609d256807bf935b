"""Two sets of runs, cell by cell: which belong together, what their values are, and what stats says of them."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tpukit import schema, stats
from tpukit.errors import IncomparableRunsError
from tpukit.schema import COMPARISON
from tpukit.stats import Array

#: What must agree, or two runs did not do the same. A column that an older version did not have agrees with anything.
CHECKED = (
    "model_sha256", "device", "scenario", "threads", "batch", "samples_per_query", "rate_hz", "latency_bound_s",
    "percentile", "data", "host", "cpu",
)  # fmt: skip
#: What may differ, since somebody may ask what just this changes; told where it does.
NOTED = ("runtime", "versions", "git_revision", "governor", "os", "cores", "duration_s", "seed")

_SETTINGS = ("model", "device", "scenario", "threads", "batch", "samples_per_query", "rate_hz")
_VALID = "VALID"
_SHA_SHOWN = 12
_MOST_RUNS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What is compared: how both sides were called, and their runs with the columns of RUNS and RESULTS."""

    base_name: str
    new_name: str
    base: pd.DataFrame
    new: pd.DataFrame


def compare(sides: Sides, *, margin: float, level: float) -> pd.DataFrame:
    """Return COMPARISON: a row for each cell of both sides, then one for each that the other side lacks.

    Raises IncomparableRunsError where no cell is common to both, or none has a VALID run on both.
    """
    bases, news = _cells(sides.base), _cells(sides.new)
    named = {"base": sides.base_name, "new": sides.new_name}
    matched, alone = _match(bases, news)
    if not matched:
        raise IncomparableRunsError(_nothing_common(sides, bases, news))
    rows = [_compared(base, new, margin=margin, level=level) for base, new in matched]
    if not any(row["base_runs"] and row["new_runs"] for row in rows):
        raise IncomparableRunsError(f"{sides.base_name} and {sides.new_name} cannot be compared: {rows[0]['reason']}")
    rows += [_lonely(cell, "base_runs", sides.base_name, news) for cell in alone[0]]
    rows += [_lonely(cell, "new_runs", sides.new_name, bases) for cell in alone[1]]
    return schema.frame([named | row for row in rows], COMPARISON)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cell:
    """Runs of one side that repeat each other, in order of start."""

    runs: pd.DataFrame

    @property
    def first(self) -> "pd.Series[Any]":
        return self.runs.iloc[0]

    def differing(self, other: "_Cell") -> list[str]:
        """The checked fields in which two cells are known to differ."""
        return [
            name
            for name in CHECKED
            if not pd.isna(self.first[name])
            and not pd.isna(other.first[name])
            and self.first[name] != other.first[name]
        ]


def _cells(runs: pd.DataFrame) -> list[_Cell]:
    return [_Cell(runs=part) for _, part in runs.groupby(list(CHECKED), dropna=False, sort=False)]


def _match(bases: Sequence[_Cell], news: Sequence[_Cell]) -> tuple[list[tuple[_Cell, _Cell]], tuple[list[_Cell], ...]]:
    """Return the pairs of cells that agree, and those of either side that are left."""
    pairs, left = [], list(news)
    for base in bases:
        new = next((cell for cell in left if not base.differing(cell)), None)
        if new is not None:
            pairs.append((base, new))
            left.remove(new)
    return pairs, ([base for base in bases if all(base is not pair[0] for pair in pairs)], left)


def _nothing_common(sides: Sides, bases: Sequence[_Cell], news: Sequence[_Cell]) -> str:
    base, new = min(((b, n) for b in bases for n in news), key=lambda pair: len(pair[0].differing(pair[1])))
    return (
        f"{sides.base_name} and {sides.new_name} have no runs that can be compared: the nearest differ in "
        f"{_differences(base, new)}; measure both alike"
    )


def _differences(base: _Cell, new: _Cell) -> str:
    return " and ".join(f"{name} ({_shown(base, name)}, {_shown(new, name)})" for name in base.differing(new))


def _shown(cell: _Cell, name: str) -> str:
    value = cell.first[name]
    return f"{value[:_SHA_SHOWN]}… of {cell.first['model']}" if name == "model_sha256" else f"{value}"


def _lonely(cell: _Cell, side: str, name: str, others: Sequence[_Cell]) -> dict[str, Any]:
    nearest = min(others, key=lambda other: len(cell.differing(other)))
    fields = _differences(cell, nearest)
    return {setting: cell.first[setting] for setting in _SETTINGS} | {
        "base_runs": 0,
        "new_runs": 0,
        side: int((cell.runs["verdict"] == _VALID).sum()),
        "verdict": stats.CANNOT_TELL,
        "reason": f"only {name} has it" + (f"; the other side's nearest differs in {fields}" if fields else ""),
    }


def _compared(base: _Cell, new: _Cell, *, margin: float, level: float) -> dict[str, Any]:
    metric = _metric(base, new)
    before, after = _counted(base, metric), _counted(new, metric)
    change, design, drift = _change(before, after, metric, margin=margin, level=level)
    verdict = stats.verdict(change, margin=margin, drift=drift)
    reasons = [*_uncounted("base", base, before, metric), *_uncounted("new side", new, after, metric)]
    if verdict == stats.CANNOT_TELL:
        reasons += _doubts(change, len(before), len(after), margin=margin, drift=drift, level=level)
    elif verdict != stats.SAME and drift:
        reasons.append("measured apart: what the machine changed by itself in between counts as a difference")
    return {setting: new.first[setting] for setting in _SETTINGS} | {
        "metric": metric,
        "base_runs": len(before),
        "new_runs": len(after),
        "base_value": before[metric].median() if metric else math.nan,
        "new_value": after[metric].median() if metric else math.nan,
        "ratio": change.ratio,
        "ratio_lo": change.lo,
        "ratio_hi": change.hi,
        "p": change.p,
        "design": design,
        "verdict": verdict,
        "differs": "; ".join(_noted(before, after)) or None,
        "reason": "; ".join(reasons) or None,
    }


def _metric(base: _Cell, new: _Cell) -> str | None:
    # the newest run's: an older version may have judged the scenario by another column, which it has all the same
    for cell in (new, base):
        known = cell.runs["metric"].dropna()
        if len(known):
            return str(known.iloc[-1])
    return None


def _counted(cell: _Cell, metric: str | None) -> pd.DataFrame:
    """Return the runs that are VALID and have the metric."""
    if metric is None:
        return cell.runs.iloc[:0]
    return cell.runs[(cell.runs["verdict"] == _VALID) & (cell.runs[metric] > 0)]


def _uncounted(side: str, cell: _Cell, counted: pd.DataFrame, metric: str | None) -> Iterator[str]:
    invalid = int((cell.runs["verdict"] != _VALID).sum())
    without = len(cell.runs) - len(counted) - invalid
    for number, why in ((invalid, "INVALID"), (without, f"without {metric or 'a metric'}")):
        if number:
            yield f"of {len(cell.runs)} runs of the {side}, {number} left out: {why}"


def _change(
    before: pd.DataFrame, after: pd.DataFrame, metric: str | None, *, margin: float, level: float
) -> tuple[stats.Change, str | None, float]:
    """Return the change, how it was found, and how much of it the machine may have made by itself."""
    if metric is None or before.empty or after.empty:
        return stats.Change(ratio=math.nan, lo=math.nan, hi=math.nan, p=math.nan), None, 0.0
    first, second = _pairs(before["started"], after["started"])
    if len(first) >= stats.min_pairs(level=level):
        times = _times(before, metric)[first], _times(after, metric)[second]
        return stats.paired_change(*times, level=level), f"{len(first)} pairs measured in turn", 0.0
    change = stats.unpaired_change(_times(before, metric), _times(after, metric), level=level)
    return change, f"{len(before)} and {len(after)} runs measured apart", margin


def _times(runs: pd.DataFrame, metric: str) -> Array:
    values = runs[metric].to_numpy(dtype=np.float64)
    return 1 / values if metric.endswith("_per_s") else values


def _pairs(before: "pd.Series[Any]", after: "pd.Series[Any]") -> tuple[list[int], list[int]]:
    """Return the places, on both sides, of runs next to each other in time; none is in two pairs."""
    stamps = sorted((at, side, place) for side, runs in enumerate((before, after)) for place, at in enumerate(runs))
    pairs: tuple[list[int], list[int]] = ([], [])
    waiting: tuple[int, int] | None = None
    for _, side, place in stamps:
        if waiting is None or waiting[0] == side:
            waiting = side, place
            continue
        pairs[side].append(place)
        pairs[1 - side].append(waiting[1])
        waiting = None
    return pairs


def _doubts(
    change: stats.Change, base_runs: int, new_runs: int, *, margin: float, drift: float, level: float
) -> Iterator[str]:
    """Why it cannot be told, and what would do."""
    in_turn = f"{stats.min_pairs(level=level)} runs of each side, measured in turn, would do"
    if not base_runs or not new_runs:
        return
    if math.isnan(change.lo):
        yield f"{base_runs} and {new_runs} runs allow no interval: {in_turn}"
    elif drift and not change.lo <= 1 <= change.hi:
        yield f"the machine itself may have changed by {drift:.2g} between sets measured apart: {in_turn}"
    else:
        yield f"the interval is too wide{_more_runs(change, min(base_runs, new_runs), margin=margin)}"


def _more_runs(change: stats.Change, runs: int, *, margin: float) -> str:
    """Say how many runs would decide it, if the ratio stayed: the interval's width goes with the root of their number.

    It must fit between the ratio and the margin; where they meet, no number of runs would do.
    """
    half = math.log(change.hi / change.lo) / 2
    room = abs(abs(math.log(change.ratio)) - math.log1p(margin))
    needed = runs * (half / room) ** 2 if room else math.inf
    if needed > _MOST_RUNS:
        return f": even {_MOST_RUNS} runs of each side may not do"
    return f": about {max(runs + 1, math.ceil(needed))} runs of each side would do"


def _noted(before: pd.DataFrame, after: pd.DataFrame) -> Iterator[str]:
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
