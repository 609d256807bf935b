"""Two sets of runs, cell by cell: what their values are, and what stats says of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tpukit import schema, stats
from tpukit.errors import ConfigError, IncomparableRunsError
from tpukit.history import _in_turn, _lookup
from tpukit.history._cells import Cell, cells, differences, match, noted
from tpukit.schema import COMPARISON
from tpukit.stats import Array, Change

#: A machine changes by itself by this much at least between sets measured apart, whatever margin a user asks for, and
#: by more where its runs differ much: `stats.wander`. On two shared cores, 95 % of sets lay within 1.7 % of those 27 s
#: before them in a quiet minute, within 9 % of those 4.5 minutes before in a busy quarter of an hour.
MACHINE_DRIFT = 0.02

_SETTINGS = ("model", "device", "scenario", "threads", "batch", "samples_per_query", "rate_hz")
_NO_CHANGE = Change(ratio=math.nan, lo=math.nan, hi=math.nan, p=math.nan)
_MOST_RUNS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What is compared: how both sides were called, and their runs with the columns of RUNS and RESULTS."""

    base_name: str
    new_name: str
    base: pd.DataFrame
    new: pd.DataFrame


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The least change that matters, and the level of intervals and verdicts."""

    margin: float
    level: float


def sides(base: str, new: str, runs: pd.DataFrame) -> Sides:
    """Return the runs that two references mean. Raises what `find` raises, and ConfigError for a run on both sides."""
    found = [runs[runs["run_id"].isin(_lookup.find(reference, runs))] for reference in (base, new)]
    if twice := sorted(set(found[0]["run_id"]) & set(found[1]["run_id"])):
        raise ConfigError(f"{base} and {new} are both run {twice[0]}: name runs that are on one side only")
    return Sides(base_name=base, new_name=new, base=found[0], new=found[1])


def limits(*, margin: float, level: float) -> Limits:
    """Return the limits, or raise ConfigError where one is none."""
    if not margin >= 0:
        raise ConfigError(f"margin is {margin}: expected a share from 0 up, such as 0.02")
    if not 0 < level < 1:
        raise ConfigError(f"level is {level}: expected a share between 0 and 1, such as 0.95")
    return Limits(margin=margin, level=level)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tested:
    """A cell of both sides: the runs that count, what their test says, and how much of it the machine may have made."""

    base: Cell
    new: Cell
    metric: str | None
    before: pd.DataFrame
    after: pd.DataFrame
    change: Change = _NO_CHANGE
    design: str | None = None
    drift: float = 0.0

    @property
    def p(self) -> float:
        """The test's p value; NaN where so few runs can reject nothing, and there is no test to correct for."""
        return math.nan if math.isnan(self.change.lo) else self.change.p

    @property
    def by_bound(self) -> str | None:
        """The verdict where one side is over its latency bound in every run and the other in none; else None."""
        over = (len(self.base.over_bound), len(self.new.over_bound))
        valid = (len(self.base.valid), len(self.new.valid))
        if over[1] and valid[0] and not (over[0] or valid[1]):
            return stats.SLOWER
        return stats.FASTER if over[0] and valid[1] and not (over[1] or valid[0]) else None

    @property
    def fewest(self) -> int:
        """The runs that count, of the side that has fewer."""
        return min(len(self.before), len(self.after))


def compare(compared: Sides, within: Limits) -> pd.DataFrame:
    """Return COMPARISON: a row for each cell of both sides, then one for each that the other side lacks.

    The p values of the cells are corrected by Holm for being several. Raises IncomparableRunsError where no cell is
    common to both, or none has a VALID run on both and none went over its bound on one side only.
    """
    bases, news = cells(compared.base), cells(compared.new)
    named = {"base": compared.base_name, "new": compared.new_name}
    matched, alone = match(bases, news)
    if not matched:
        raise IncomparableRunsError(_nothing_common(compared, bases, news))
    tested = [_tested(base, new, within) for base, new in matched]
    corrected = stats.holm(np.array([each.p for each in tested]))
    tests = int(np.count_nonzero(~np.isnan(corrected)))
    rows = [_row(each, float(p), tests, within) for each, p in zip(tested, corrected, strict=True)]
    if not any(each.fewest or each.by_bound for each in tested):
        raise IncomparableRunsError(
            f"{compared.base_name} and {compared.new_name} cannot be compared: {rows[0]['reason']}"
        )
    rows += [_lonely(cell, "base_runs", compared.base_name, news) for cell in alone[0]]
    rows += [_lonely(cell, "new_runs", compared.new_name, bases) for cell in alone[1]]
    return schema.frame([named | row for row in rows], COMPARISON)


def _nothing_common(sides: Sides, bases: Sequence[Cell], news: Sequence[Cell]) -> str:
    base, new = min(((b, n) for b in bases for n in news), key=lambda pair: len(pair[0].differing(pair[1])))
    return (
        f"{sides.base_name} and {sides.new_name} have no runs that can be compared: the nearest differ in "
        f"{differences(base, new)}; measure both alike"
    )


def _settings(cell: Cell) -> dict[str, Any]:
    return {name: cell.runs[name].iloc[0] for name in _SETTINGS}


def _lonely(cell: Cell, side: str, name: str, others: Sequence[Cell]) -> dict[str, Any]:
    nearest = min(others, key=lambda other: len(cell.differing(other)))
    fields = differences(cell, nearest)
    return _settings(cell) | {
        "base_runs": 0,
        "new_runs": 0,
        side: len(cell.valid),
        "verdict": stats.CANNOT_TELL,
        "reason": f"only {name} has it" + (f"; the other side's nearest differs in {fields}" if fields else ""),
    }


def _tested(base: Cell, new: Cell, limits: Limits) -> _Tested:
    metric = _metric(base, new)
    before, after = base.counted(metric), new.counted(metric)
    found = _Tested(base=base, new=new, metric=metric, before=before, after=after)
    if metric is None or before.empty or after.empty:
        return found
    first, second = _in_turn.pairs(_when(before), _when(after))
    if len(first) >= stats.min_pairs(level=limits.level):
        change = stats.paired_change(_times(before, metric)[first], _times(after, metric)[second], level=limits.level)
        return replace(found, change=change, design=f"{len(first)} pairs measured in turn")
    return replace(
        found,
        change=stats.unpaired_change(_times(before, metric), _times(after, metric), level=limits.level),
        design=f"{len(before)} and {len(after)} runs measured apart",
        drift=max(MACHINE_DRIFT, limits.margin, _wander(before, after, metric)),
    )


def _wander(before: pd.DataFrame, after: pd.DataFrame, metric: str) -> float:
    """Return by what share the machine may have moved between two sets, by the one that moved more in itself."""
    starts = [_when(side).starts for side in (before, after)]
    lag_s = abs(float(np.median(starts[1]) - np.median(starts[0])))
    moved = [
        stats.wander(_times(side, metric), at, lag=lag_s) for side, at in zip((before, after), starts, strict=True)
    ]
    return max(moved)


def _metric(base: Cell, new: Cell) -> str | None:
    # the newest run's: an older version may have judged the scenario by another column, which it has all the same
    for cell in (new, base):
        known = cell.runs["metric"].dropna()
        if len(known):
            return str(known.iloc[-1])
    return None


def _when(runs: pd.DataFrame) -> _in_turn.Times:
    epoch = pd.Timestamp(0, tz="UTC")
    starts = (runs["started"] - epoch).dt.total_seconds()
    lengths = runs["duration_s"].fillna(0.0)
    return _in_turn.Times(np.asarray(starts, dtype=np.float64), np.asarray(lengths, dtype=np.float64))


def _times(runs: pd.DataFrame, metric: str) -> Array:
    values = runs[metric].to_numpy(dtype=np.float64)
    return 1 / values if metric.endswith("_per_s") else values


def _row(tested: _Tested, p_holm: float, tests: int, limits: Limits) -> dict[str, Any]:
    change, metric = tested.change, tested.metric
    corrected = replace(change, p=p_holm)
    verdict = tested.by_bound or stats.verdict(corrected, margin=limits.margin, drift=tested.drift, level=limits.level)
    reasons = [*_over(tested), *_uncounted("base", tested.base, tested), *_uncounted("new side", tested.new, tested)]
    if verdict == stats.CANNOT_TELL:
        reasons += _doubts(tested, p_holm, tests, limits)
    elif verdict != stats.SAME and tested.drift:
        reasons.append("measured apart: what the machine changed by itself in between counts as a difference")
    return _settings(tested.new) | {
        "metric": metric,
        "base_runs": len(tested.before),
        "new_runs": len(tested.after),
        "base_value": tested.before[metric].median() if metric else math.nan,
        "new_value": tested.after[metric].median() if metric else math.nan,
        "ratio": change.ratio,
        "ratio_lo": change.lo,
        "ratio_hi": change.hi,
        "p": change.p,
        "p_holm": p_holm,
        "design": tested.design and tested.design + (f", p for one of {tests} cells" if tests > 1 else ""),
        "verdict": verdict,
        "differs": "; ".join(noted(tested.base.runs, tested.new.runs)) or None,
        "reason": "; ".join(reasons) or None,
    }


def _over(tested: _Tested) -> Iterator[str]:
    """Say which side is over its bound, where that decides."""
    if verdict := tested.by_bound:
        said = {stats.SLOWER: ("new side", tested.new, tested.base), stats.FASTER: ("base", tested.base, tested.new)}
        side, cell, other = said[verdict]
        over = cell.over_bound
        yield (
            f"every run of the {side} ({len(over)}) is INVALID, over the latency bound that the other's "
            f"({len(other.valid)}) keep: {over['reasons'].iloc[-1]}"
        )


def _uncounted(side: str, cell: Cell, tested: _Tested) -> Iterator[str]:
    told = len(cell.over_bound) if tested.by_bound else 0
    invalid = len(cell.runs) - len(cell.valid) - told
    without = len(cell.valid) - len(cell.counted(tested.metric))
    for number, why in ((invalid, "INVALID"), (without, f"without {tested.metric or 'a metric'}")):
        if number:
            yield f"of {len(cell.runs)} runs of the {side}, {number} left out: {why}"


def _doubts(tested: _Tested, p_holm: float, tests: int, limits: Limits) -> Iterator[str]:
    """Why it cannot be told, and what would do."""
    change, alpha = tested.change, 1 - limits.level
    pairs = stats.min_pairs(level=1 - alpha / max(tests, 1))
    in_turn = f"{pairs} runs of each side, measured in turn (base, new, new, base, …), would do"
    if not tested.fewest:
        return
    if math.isnan(change.lo):
        yield f"{len(tested.before)} and {len(tested.after)} runs allow no interval: {in_turn}"
    elif change.p <= alpha < p_holm:
        yield f"of {tests} cells one may differ so by chance, p is {p_holm:.2g} by Holm's correction: {in_turn}"
    elif change.p <= alpha and tested.drift:
        yield f"the machine itself may have changed by {tested.drift:.2g} between sets measured apart: {in_turn}"
    else:
        yield f"the interval is too wide{_more_runs(change, tested.fewest, margin=limits.margin)}"


def _more_runs(change: Change, runs: int, *, margin: float) -> str:
    """Say how many runs would decide it, if the ratio stayed: the interval's width goes with the root of their number.

    It must fit between the ratio and the margin; where they meet, no number of runs would do.
    """
    half = math.log(change.hi / change.lo) / 2
    room = abs(abs(math.log(change.ratio)) - math.log1p(margin))
    needed = runs * (half / room) ** 2 if room else math.inf
    if needed > _MOST_RUNS:
        return f": even {_MOST_RUNS} runs of each side may not do"
    return f": about {max(runs + 1, math.ceil(needed))} runs of each side would do"
