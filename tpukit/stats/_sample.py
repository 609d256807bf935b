"""Statistics of one sample: quantiles with intervals, trend, modes, summaries for figures."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, signal, special, stats

Array = NDArray[np.float64]

_TREND_BLOCKS = 20
#: Fewer samples show no drift, whatever they are.
DRIFT_MIN_N = 2 * _TREND_BLOCKS
_TREND_P = 0.01
_MODE_BINS = 64
_MODE_SMOOTHING_BINS = 2.5
_MODE_MIN_SHARE = 0.1
_MODE_MIN_N = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A value with its interval; an end that n does not allow is NaN."""

    value: float
    lo: float
    hi: float


def quantile(x: Array, q: float, *, level: float = 0.95) -> Estimate:
    """Return the nearest-rank quantile of `x`, shape (n,), with a confidence interval.

    The quantile is the ceil(q n)-th order statistic. An end of the interval lies between the two order statistics whose
    binomial probabilities (David and Nagaraja, Order Statistics, 3rd ed., section 7.1) are next to the level, weighted
    as in J. Nyblom, "Note on interpolated order statistics", Statistics & Probability Letters 14, 1992: nearer to the
    level than any pair of order statistics is, and hardly dependent on the distribution. It assumes independent
    samples. Where n is too small for an end, it is NaN. Raises ValueError for an empty `x` or `q` outside (0, 1).

    >>> found = quantile(np.arange(1.0, 101.0), 0.9)
    >>> Estimate(value=found.value, lo=round(found.lo, 1), hi=round(found.hi, 1))
    Estimate(value=90.0, lo=84.3, hi=95.9)
    """
    if not 0 < q < 1:
        raise ValueError(f"a quantile lies inside (0, 1), got {q}")
    n = len(x)
    if n == 0:
        raise ValueError("a quantile needs at least one sample, got none")
    rank, ends = nearest_rank(n, q), [_end(n, q, (1 - level) / 2), _end(n, q, (1 + level) / 2)]
    wanted = [rank, *(r + step for r, _ in ends for step in (0, 1) if 1 <= r < n)]
    ordered = np.partition(x, [i - 1 for i in wanted])

    def between(r: int, weight: float) -> float:
        if not 1 <= r < n:
            return float("nan")
        return float(min(ordered[r - 1] + weight * (ordered[r] - ordered[r - 1]), ordered[r]))

    lo, hi = (between(*end) for end in ends)
    return Estimate(value=float(ordered[rank - 1]), lo=lo, hi=hi)


def _end(n: int, q: float, probability: float) -> tuple[int, float]:
    """Return r and w: the end that exceeds the true quantile with this probability is (1 - w) x_(r) + w x_(r + 1)."""
    r = _binomial_quantile(n, q, probability)
    if not 1 <= r < n:
        return r, 0.0
    # x_(r) exceeds the quantile where at most r - 1 samples are below it
    short, over = probability - special.bdtr(r - 1, n, q), special.bdtr(r, n, q) - probability
    return r, float(1 / (1 + r * (1 - q) * over / ((n - r) * q * short))) if short > 0 else 0.0


def _binomial_quantile(n: int, q: float, probability: float) -> int:
    """Return the least k with P[Binomial(n, q) <= k] >= `probability`: 20 times as fast as scipy.stats says it."""
    k: int = math.ceil(special.bdtrik(probability, n, q))
    return k - 1 if k > 0 and special.bdtr(k - 1, n, q) >= probability else k


def nearest_rank(n: int, q: float) -> int:
    """Return ceil(q n), at least 1: the rank, counted from 1, of the q-quantile of n samples.

    >>> nearest_rank(100, 0.99), nearest_rank(10, 0.07)
    (99, 1)
    """
    # 1e-9: 0.07 * 100 is 7.000000000000001, whose ceiling would be 8
    return max(1, int(np.ceil(q * n - 1e-9)))


def proportion(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """Return a proportion with its Wilson score interval (Wilson 1927).

    >>> estimate = proportion(518, 540)
    >>> round(estimate.value, 3), round(estimate.lo, 3), round(estimate.hi, 3)
    (0.959, 0.939, 0.973)
    """
    interval = stats.binomtest(successes, n).proportion_ci(level, method="wilson")
    return Estimate(value=successes / n, lo=float(interval.low), hi=float(interval.high))


def drift(x: Array) -> float:
    """Return the relative change of `x`, shape (n,) in order of time, from its start to its end; NaN without a trend.

    The medians of 20 consecutive blocks stand for the series, which removes most of the autocorrelation of
    neighbouring queries. A trend is a Kendall rank correlation of these medians with time at p < 0.01 (Mann 1945). That
    assumes independent blocks: a series that wanders from block to block, as of a processor that changes its clock, is
    taken for a trend more often. Its size is the Theil-Sen slope over the whole length, as a share of the first fitted
    value. NaN also where n < 40.

    >>> round(drift(np.linspace(1.0, 1.5, 1000)), 2)
    0.47
    >>> drift(np.ones(1000))
    nan
    """
    if len(x) < DRIFT_MIN_N:
        return float("nan")
    medians = np.array([np.median(block) for block in np.array_split(x, _TREND_BLOCKS)])
    if np.ptp(medians) == 0:
        return float("nan")
    time = np.arange(_TREND_BLOCKS, dtype=np.float64)
    if not stats.kendalltau(time, medians).pvalue < _TREND_P:
        return float("nan")
    slope, intercept, _, _ = stats.theilslopes(medians, time)
    return float(slope * (_TREND_BLOCKS - 1) / intercept) if intercept > 0 else float("nan")


def modes(x: Array) -> list[float]:
    """Return where the samples of `x`, shape (n,), positive, gather: one place, or more with a valley between.

    A mode is a peak of the smoothed histogram of log x that stands out from its valleys by half its own height, and
    whose surroundings hold at least a tenth of the samples. The histogram spans what lies between the 5 % and 95 %
    quantiles, where every such mode has a part, and a quarter more at both ends: a tail of rare stalls must not
    stretch its bins. Fewer than 200 samples show none.

    >>> [round(mode, 1) for mode in modes(np.repeat([1.0, 4.0], 500))]
    [1.0, 4.0]
    """
    if len(x) < _MODE_MIN_N or np.min(x) <= 0:
        return []
    log = np.log(x)
    lo, hi = np.quantile(log, [0.05, 0.95])
    margin = (hi - lo) / 4
    # a spread under 5 % is no matter to anybody, and would show the clock's own steps as modes
    if hi - lo < np.log(1.05):
        return [float(np.median(x))]
    counts, edges = np.histogram(log, bins=_MODE_BINS, range=(lo - margin, hi + margin))
    smooth = ndimage.gaussian_filter1d(counts.astype(np.float64), _MODE_SMOOTHING_BINS, mode="constant")
    peaks, _ = signal.find_peaks(smooth)
    peaks = peaks[signal.peak_prominences(smooth, peaks)[0] >= 0.5 * smooth[peaks]]
    valleys = [int(a + np.argmin(smooth[a:b])) for a, b in pairwise(peaks)]
    shares = [part.sum() / len(x) for part in np.split(counts, valleys)]
    centres = (edges[:-1] + edges[1:]) / 2
    return [float(np.exp(centres[p])) for p, share in zip(peaks, shares, strict=False) if share >= _MODE_MIN_SHARE]


def windows(time: Array, x: Array, *, n: int) -> tuple[Array, Array, Array]:
    """Return (centre, median, maximum) of `x` over `n` equal windows of `time`, each of shape (m,), m <= n.

    `time` and `x` have shape (k,), `time` ascends; an empty window is left out.

    >>> windows(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0, 9.0]), n=2)[1]
    array([2., 7.])
    """
    edges = np.linspace(time[0], time[-1], n + 1)
    cuts = np.searchsorted(time, edges[1:-1], side="left")
    parts = [(t, part) for t, part in zip(np.split(time, cuts), np.split(x, cuts), strict=True) if len(part)]
    return (
        np.array([(t[0] + t[-1]) / 2 for t, _ in parts]),
        np.array([np.median(part) for _, part in parts]),
        np.array([part.max() for _, part in parts]),
    )


def order_statistics(x: Array, *, n: int) -> tuple[Array, Array]:
    """Return (share, value): at most `n` points of the empirical distribution of `x`, minimum and maximum included.

    >>> order_statistics(np.array([3.0, 1.0, 2.0]), n=10)[1]
    array([1., 2., 3.])
    """
    ordered = np.sort(x)
    ranks = np.unique(np.linspace(1, len(x), min(n, len(x))).round().astype(np.int64))
    return ranks / len(x), ordered[ranks - 1]
