"""Whether intervals cover as often as they say: simulated runs whose quantiles and ratios are known."""

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats as scipy_stats

from tpukit import stats
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding
from tpukit.stats import Array

_SIMULATED, _LEVEL = 1000, 95.0
_QUANTILES, _MANY, _FEW = (0.5, 0.9, 0.99), 10_000, 1_000
_RUNS, _QUERIES, _RATIO = 12, 1000, 1.05
# of logarithms: queries of one run, runs of one model, and what drifts from pair to pair
_SPREAD, _BETWEEN_RUNS, _BETWEEN_PAIRS = 0.2, 0.01, 0.1


def _coverage(effort: Effort) -> Iterator[Finding]:
    rng = np.random.default_rng(0)
    for q in _QUANTILES:
        many, few = (_quantile_coverage(q, queries, rng, effort) for queries in (_MANY, _FEW))
        note = f"{_SIMULATED} runs of {_MANY} independent log-normal latencies: {many:.1f} %; of {_FEW}: {few:.1f} %"
        yield _covers(f"the interval of p{q * 100:g}", max(many, few, key=_off), note)
    paired, apart, pooled = _ratio_coverage(rng, effort)
    note = f"{_SIMULATED} comparisons of 2 × {_RUNS} runs of {_QUERIES} queries, true ratio {_RATIO}"
    drift = f"{note}, {_BETWEEN_PAIRS:.0%} drift from pair to pair: {paired:.1f} %"
    yield _covers("the ratio's interval, runs in pairs", paired, drift, pooled)
    yield _covers("the ratio's interval, runs apart", apart, f"{note}, no drift: {apart:.1f} %")


def _quantile_coverage(q: float, queries: int, rng: np.random.Generator, effort: Effort) -> float:
    true = float(np.exp(_SPREAD * scipy_stats.norm.ppf(q)))
    covered = 0
    for _ in range(_SIMULATED):
        effort.keep_on()
        found = stats.quantile(rng.lognormal(sigma=_SPREAD, size=queries), q)
        covered += found.lo <= true <= found.hi
    return 100 * covered / _SIMULATED


def _ratio_coverage(rng: np.random.Generator, effort: Effort) -> tuple[float, float, float]:
    """Return how often three intervals cover the ratio: of paired runs, of runs apart, and of pooled queries."""
    covered = np.zeros(3)
    for _ in range(_SIMULATED):
        effort.keep_on()
        runs = rng.lognormal(sigma=_BETWEEN_RUNS, size=(2, _RUNS, 1)) * np.array([1.0, _RATIO])[:, None, None]
        still = runs * rng.lognormal(sigma=_SPREAD, size=(2, _RUNS, _QUERIES))
        drifting = still * rng.lognormal(sigma=_BETWEEN_PAIRS, size=(1, _RUNS, 1))
        changes = (
            stats.paired_change(*np.median(drifting, axis=2)),
            stats.unpaired_change(*np.median(still, axis=2)),
            _pooled_change(*drifting.reshape(2, -1)),
        )
        covered += [change.lo <= _RATIO <= change.hi for change in changes]
    paired, apart, pooled = 100 * covered / _SIMULATED
    return float(paired), float(apart), float(pooled)


def _pooled_change(base: Array, new: Array) -> stats.Change:
    """Take every query for independent, and its logarithm for normal: what a sceptic would do in one line."""
    test = scipy_stats.ttest_ind(np.log(new), np.log(base), equal_var=False)
    interval = test.confidence_interval(_LEVEL / 100)
    ratio = float(np.exp(np.log(new).mean() - np.log(base).mean()))
    return stats.Change(ratio=ratio, lo=math.exp(interval.low), hi=math.exp(interval.high), p=float(test.pvalue))


def _off(coverage: float) -> float:
    return abs(coverage - _LEVEL)


def _covers(what: str, coverage: float, note: str, pooled: float = math.nan) -> Finding:
    named = math.isnan(pooled)
    return Finding(
        what=f"coverage of {what}, off nominal",
        value=_off(coverage),
        unit="points",
        goal=2.0,
        baseline="none" if named else "t interval of all queries' logarithms, taken for independent",
        baseline_value=math.nan if named else _off(pooled),
        limit="the nominal level",
        limit_value=0.0,
        note=note,
    )


SUITE.add("statistics/coverage", Cell(part="statistics", measure=_coverage))
