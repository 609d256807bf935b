"""LoadGen's early stopping: how many queries a statement about a percentile needs, and what it may say of it.

MLPerf LoadGen (Reddi et al. 2020, arXiv:1911.02549; loadgen/early_stopping.cc) takes a run of n queries, t of them over
a latency, as proof that at least a share p of all queries stays under it, where t or fewer would be over it by chance
with a probability of 1 % at most: P[Binomial(n, 1 - p) <= t] <= 0.01. It counts n as h + t, h those under the latency.
"""

import math

from scipy import stats

_CONFIDENCE = 0.99


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
    too_few, enough = 0, 1  # of those under the latency
    while not _proves(enough, over, percentile):
        too_few, enough = enough, enough * 2
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        too_few, enough = (too_few, middle) if _proves(middle, over, percentile) else (middle, enough)
    return enough + over


def _proves(under: int, over: int, percentile: float) -> bool:
    # P[Binomial(under + over, 1 - p) <= over] by way of the incomplete beta function, as LoadGen computes it
    return bool(stats.beta.cdf(percentile, under, over + 1) < 1 - _CONFIDENCE)


def allowed_over(n: int, percentile: float) -> int | None:
    """Return how many of `n` queries may be above a latency and still prove `percentile`; None where n is too small.

    >>> allowed_over(458, 0.99), allowed_over(459, 0.99), allowed_over(662, 0.99), allowed_over(12906, 0.99)
    (None, 0, 1, 103)
    """
    if n < min_queries(0, percentile):
        return None
    # more than the expected number proves nothing, and one more is beyond it for sure
    allowed, too_many = 0, math.ceil(n * (1 - percentile)) + 1
    while too_many - allowed > 1:
        middle = (allowed + too_many) // 2
        allowed, too_many = (middle, too_many) if min_queries(middle, percentile) <= n else (allowed, middle)
    return allowed
