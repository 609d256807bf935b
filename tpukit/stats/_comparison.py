"""Two sets of runs: how many times as long the new ones take, with an interval, and what that is called.

The unit is the run, not the query: neighbouring queries resemble each other, and runs of one model differ by more than
the spread within a run lets expect, so a rank test over queries calls almost any two runs different. Both tests here
are by ranks and exact, and the effect is a ratio, so nothing is assumed of how latencies are distributed.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from tpukit.stats._sample import Array

FASTER, SLOWER, SAME, CANNOT_TELL = "faster", "slower", "same", "cannot tell"

# runs in all; beyond, where the exact distribution would take seconds, a normal one errs by 0.003 in p
_EXACT_MAX_N = 60
# 2 of 64 is 0.03125 on either side of a level, whatever the sums' last digits
_SAME_P = 1e-12
# the quartiles of a normal distribution lie so many standard deviations apart
_IQR_OF_NORMAL = 1.349
_FARTHEST = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How many times as long the new runs take as the base: the ratio, its interval, the test's two-sided p value.

    An end that so few runs do not allow is NaN, and so is the ratio of no runs.
    """

    ratio: float
    lo: float
    hi: float
    p: float


def paired_change(base: Array, new: Array, *, level: float = 0.95) -> Change:
    """Return the change between runs measured in pairs, `base[i]` beside `new[i]`, both times of shape (n,).

    The ratio is the Hodges-Lehmann estimate of the logarithms' difference, the median of their Walsh averages, its
    interval holds those that Wilcoxon's signed-rank test does not reject, and p is that test's with zeros and ties as
    they are (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd ed., sections 3.1 to 3.3). What
    is alike in both runs of a pair cancels. What changes within a pair does so over several pairs only where the
    sides take turns in being first: the caller sees to that. Raises ValueError for shapes that differ, and for times
    that are not above 0.

    >>> base = np.array([1.0, 1.2, 1.1, 1.3, 1.0, 1.4])
    >>> change = paired_change(base, base * [1.09, 1.1, 1.11, 1.1, 1.12, 1.08])
    >>> round(change.ratio, 3), round(change.lo, 3), round(change.hi, 3), change.p
    (1.1, 1.08, 1.12, 0.03125)
    """
    if len(base) != len(new):
        raise ValueError(f"pairs need as many runs on both sides, got {len(base)} and {len(new)}")
    shifts = _log(new) - _log(base)
    rows, columns = np.triu_indices(len(shifts))
    weights = _whole_ranks(np.abs(shifts)) * (shifts != 0)
    return _change(
        (shifts[rows] + shifts[columns]) / 2,
        p=_two_sided(_signed_rank_null(weights), int(weights[shifts > 0].sum())),
        beyond=_beyond(_signed_rank_null(np.arange(1, len(shifts) + 1)), level),
    )


def unpaired_change(base: Array, new: Array, *, level: float = 0.95) -> Change:
    """Return the change between two sets of runs measured apart, times of shape (m,) and (n,).

    The ratio is the median of all ratios of a new run to one of the base (Hodges-Lehmann), its interval holds those
    that the Mann-Whitney test does not reject, and p is that test's, with ties as they are (the same book, sections 4.1
    to 4.3). Raises ValueError for times that are not above 0.

    >>> change = unpaired_change(np.array([1.0, 1.1, 1.2, 1.3]), np.array([2.0, 2.2, 2.4, 2.6]))
    >>> round(change.ratio, 3), round(change.p, 4)
    (2.0, 0.0286)
    """
    before, after = _log(base), _log(new)
    m, n = len(before), len(after)
    weights = _whole_ranks(np.concatenate([before, after]))
    untied = np.arange(1, m + n + 1)
    return _change(
        (after[:, None] - before[None, :]).ravel(),
        p=_two_sided(_rank_sum_null(weights, n), int(weights[m:].sum())),
        beyond=_beyond(_rank_sum_null(untied, n)[n * (n + 1) // 2 :], level),
    )


def holm(p: Array) -> Array:
    """Return p values, shape (m,), corrected for being m: where no cell changed, one is at most 0.05 in 5 % of cases.

    The least is taken m times, the next m - 1 times, and so on, none is less than the one before it and none above 1,
    whatever the tests have to do with each other (Holm 1979, A simple sequentially rejective multiple test procedure,
    Scandinavian Journal of Statistics 6). NaN, of a test that was not made, stays so and does not count.

    >>> holm(np.array([0.01, 0.04, np.nan, 0.03])).tolist()
    [0.03, 0.06, nan, 0.06]
    """
    corrected = np.full(len(p), np.nan)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]
    times = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * times), 1.0)
    return corrected


def verdict(change: Change, *, margin: float, drift: float = 0.0, level: float = 0.95) -> str:
    """Return what a change is called.

    `margin` is the least that matters, as 0.02: the change is *same* where the whole interval lies within a factor of
    1 + margin to either side, be there a difference or not, since 0.3 % beyond doubt is no regression. Else it is
    *slower* or *faster* where p, which may be corrected by `holm`, is at most 1 - level, the ratio is beyond that
    factor, and its interval wholly beyond a factor of 1 + `drift`, which is what the machine may have changed by itself
    between the two sets. What is neither shown to matter nor shown not to is *cannot tell*. Raises ValueError where
    margin or drift is negative.

    >>> [verdict(Change(ratio=1.05, lo=1.01, hi=1.09, p=p), margin=0.02) for p in (0.04, 0.08)]
    ['slower', 'cannot tell']
    >>> verdict(Change(ratio=1.003, lo=1.002, hi=1.004, p=0.01), margin=0.02)
    'same'
    """
    if not (margin >= 0 and drift >= 0):
        raise ValueError(f"margin and drift are 0 or more, got {margin} and {drift}")
    if 1 / (1 + margin) <= change.lo and change.hi <= 1 + margin:
        return SAME
    if not change.p <= 1 - level + _SAME_P:
        return CANNOT_TELL
    if change.lo > 1 + drift and change.ratio > 1 + margin:
        return SLOWER
    return FASTER if change.hi < 1 / (1 + drift) and change.ratio < 1 / (1 + margin) else CANNOT_TELL


def wander(times: Array, starts: Array, *, lag: float) -> float:
    """Return by what share the level of repeated runs may have moved by itself in `lag` seconds.

    `times` and `starts`, shape (n,), are what the runs of one set took and when they began, in seconds. Their spread,
    by the quartiles of the logarithms, is what moved them within the set, and a level that walks at random goes farther
    with the root of the time, which is taken for at most a hundred times the set's own. Of 4,000 runs of 10 ms
    on a busy machine, sets of 8 were called different with this allowance in 0 to 3 % of cases, with a fixed one of 2 %
    in up to 27 %. Fewer than two runs show nothing: 0.

    >>> round(wander(np.array([1.0, 1.01, 1.02, 1.03]), np.array([0.0, 10.0, 20.0, 30.0]), lag=120.0), 4)
    0.0222
    """
    if len(times) <= 1:
        return 0.0
    lower, upper = np.quantile(_log(times), [0.25, 0.75])
    span = float(np.ptp(starts))
    farther = min(_FARTHEST, max(1.0, lag / span)) if span > 0 else _FARTHEST
    return math.expm1(float(upper - lower) / _IQR_OF_NORMAL * math.sqrt(farther))


def min_pairs(*, level: float = 0.95) -> int:
    """Return the fewest pairs whose signed-rank test can reject, and whose interval therefore has ends.

    >>> min_pairs(), min_pairs(level=0.99)
    (6, 8)
    """
    return math.ceil(1 - math.log2(1 - level))


def _log(times: Array) -> Array:
    if not (times > 0).all():
        raise ValueError(f"times are above 0, got {times.min()}")
    return np.log(times)


def _change(shifts: Array, *, p: float, beyond: int) -> Change:
    """Return the change of these shifts: their median, and what is left of them without `beyond` - 1 at either end."""
    if len(shifts) == 0:
        return Change(ratio=math.nan, lo=math.nan, hi=math.nan, p=math.nan)
    ordered = np.exp(np.sort(shifts))
    lo, hi = (ordered[beyond - 1], ordered[-beyond]) if beyond else (math.nan, math.nan)
    return Change(ratio=float(np.exp(np.median(shifts))), lo=float(lo), hi=float(hi), p=p)


def _whole_ranks(x: Array) -> NDArray[np.int64]:
    """Ranks from 1, those of ties their mean, all of them doubled where that is no whole number."""
    doubled = np.asarray(2 * stats.rankdata(x)).round().astype(np.int64)
    return doubled if (doubled % 2).any() else doubled // 2


def _signed_rank_null(weights: NDArray[np.int64]) -> Array:
    """Probability of each sum, from 0, of the weights whose sign is plus, where every sign is as likely as its
    opposite."""
    if len(weights) > _EXACT_MAX_N:
        return _normal_null(int(weights.sum()) + 1, mean=weights.sum() / 2, variance=(weights**2).sum() / 4)
    null = np.zeros(int(weights.sum()) + 1)
    null[0] = 1.0
    for weight in weights:
        shifted = np.concatenate([np.zeros(weight), null[: len(null) - weight]])
        null = (null + shifted) / 2
    return null


def _rank_sum_null(weights: NDArray[np.int64], n: int) -> Array:
    """Probability of each sum, from 0, of `n` of these weights, where every choice is as likely as another."""
    most = int(np.sort(weights)[len(weights) - n :].sum())
    if len(weights) > _EXACT_MAX_N:
        variance = n * (1 - n / len(weights)) * weights.var(ddof=1)
        return _normal_null(most + 1, mean=n * weights.mean(), variance=variance)
    chosen = np.zeros((n + 1, most + 1))
    chosen[0, 0] = 1.0
    for weight in weights:
        # downwards, so that no weight is chosen twice
        chosen[1:, weight:] += chosen[:-1, : chosen.shape[1] - weight].copy()
    return np.asarray(chosen[n] / chosen[n].sum())


def _normal_null(length: int, *, mean: float, variance: float) -> Array:
    density = np.exp(-((np.arange(length) - mean) ** 2) / (2 * variance))
    return np.asarray(density / density.sum())


def _two_sided(null: Array, found: int) -> float:
    return float(min(1.0, 2 * min(null[: found + 1].sum(), null[found:].sum())))


def _beyond(null: Array, level: float) -> int:
    """Return how many of the least values of a symmetric statistic, 0 upwards, the test rejects on one side."""
    return int(np.searchsorted(np.cumsum(null), (1 - level) / 2 + _SAME_P, side="right"))
