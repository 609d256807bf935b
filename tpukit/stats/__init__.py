"""Statistics of one sample or two: arrays in, numbers out.

Latencies are neither normal nor independent, so everything here is by ranks: quantiles are order statistics, their
intervals come from the binomial distribution, trends from Kendall's rank correlation over block medians.

| name | what |
|---|---|
| `quantile(x, q)`, `proportion(k, n)` | an `Estimate`: value and interval |
| `nearest_rank(n, q)`, `order_statistics(x, n=…)` | places in a sorted sample |
| `drift(x)`, `modes(x)`, `windows(time, x, n=…)` | trend, gathering places, and a series in windows |
| `paired_change(base, new)`, `unpaired_change(base, new)` | a `Change` between two sets of runs, by rank tests |
| `verdict(change, margin=…)`, `min_pairs()` | what a change is called, and how many pairs that takes |
| `wander(times, starts, lag=…)` | how far the machine may have moved by itself between two sets |
| `holm(p)` | p values of several tests, corrected for being several |
| `min_queries(over, percentile)`, `allowed_over(n, percentile)` | LoadGen's early stopping |
"""

from tpukit.stats._comparison import (
    CANNOT_TELL,
    FASTER,
    SAME,
    SLOWER,
    Change,
    holm,
    min_pairs,
    paired_change,
    unpaired_change,
    verdict,
    wander,
)
from tpukit.stats._early_stopping import allowed_over, min_queries
from tpukit.stats._sample import (
    DRIFT_MIN_N,
    Array,
    Estimate,
    drift,
    modes,
    nearest_rank,
    order_statistics,
    proportion,
    quantile,
    windows,
)

__all__ = [
    "CANNOT_TELL",
    "DRIFT_MIN_N",
    "FASTER",
    "SAME",
    "SLOWER",
    "Array",
    "Change",
    "Estimate",
    "allowed_over",
    "drift",
    "holm",
    "min_pairs",
    "min_queries",
    "modes",
    "nearest_rank",
    "order_statistics",
    "paired_change",
    "proportion",
    "quantile",
    "unpaired_change",
    "verdict",
    "wander",
    "windows",
]
