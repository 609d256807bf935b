"""LoadGen's early stopping: how many queries a statement about a percentile needs, and what it may say of it.

MLPerf LoadGen (Reddi et al. 2020, arXiv:1911.02549; loadgen/early_stopping.cc) takes a run of n queries, t of them over
a latency, as proof that at least a share p of all queries stays under it, where t or fewer would be over it by chance
with a probability of 1 % at most: P[Binomial(n, 1 - p) <= t] <= 0.01. It counts n as h + t, h those under the latency.
"""

import math

from scipy import stats

_CONFIDENCE = 0.99
_TOO_MANY = 2**62


def min_queries(over: int, percentile: float) -> int:
    """Return the fewest queries with which `over` of them above a latency still prove that `percentile` holds.

    Raises ValueError for a percentile outside (0, 1) or a negative count.

    >>> min_queries(0, 0.99), min_queries(1, 0.99), min_queries(1, 0.9), min_queries(103, 0.99)
    (459, 662, 64, 12906)
    """
    if not 0 < percentile < 1:
        raise ValueError(f"a percentile lies inside (0, 1), got {percentile}")
    if over < 0:
        raise ValueError(f"a count of queries is 0 or more, got {over}")
    # h queries under the latency prove nothing, beyond them they do
    low, high = 0, 1
    while high < _TOO_MANY and not _proves(high, over, percentile):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _proves(middle, over, percentile) else (middle, high)
    return high + over


def _proves(under: int, over: int, percentile: float) -> bool:
    # the binomial's distribution function by way of the incomplete beta, as LoadGen has it: at 1e-9 of the threshold
    # the count may be one off otherwise
    return bool(stats.beta.cdf(percentile, under, over + 1) < 1 - _CONFIDENCE)


def discarded(n: int, percentile: float) -> int | None:
    """Return how many of the longest of `n` latencies LoadGen's estimate of a percentile leaves out; None where n is
    too small for one.

    The estimate is the longest latency of the others: with 99 % confidence the true percentile is no longer.

    >>> discarded(64, 0.9), discarded(63, 0.9), discarded(1000, 0.99)
    (0, None, 1)
    """
    if n < min_queries(1, percentile):
        return None
    # t over the estimate must be allowed: the largest t is left out but for one
    low, high = 1, 1 + math.ceil(n * (1 - percentile)) + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if min_queries(middle, percentile) <= n else (low, middle)
    return low - 1
