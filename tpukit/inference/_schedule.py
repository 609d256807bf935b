"""When queries arrive. Pure: the generator of random numbers is an argument."""

import numpy as np
from numpy.typing import NDArray


def poisson(rate_hz: float, rng: np.random.Generator, *, duration_ns: int, min_queries: int) -> NDArray[np.int64]:
    """Return the arrivals of a Poisson process in nanoseconds, shape (n,), ascending, the first at 0.

    There are as few as reach both bounds: the last one is due at `duration_ns` or later, and n is `min_queries` at
    least, as in LoadGen's Server scenario (Reddi et al. 2020, arXiv:1911.02549, section IV).

    >>> due_ns = poisson(1000.0, np.random.default_rng(0), duration_ns=10**9, min_queries=1)
    >>> int(due_ns[0]), bool(due_ns[-1] >= 10**9), bool(due_ns[-2] < 10**9)
    (0, True, True)
    """
    parts, last = [np.zeros(1)], 0.0
    while last < duration_ns or sum(map(len, parts)) < min_queries:
        # a little more than the rest takes on average; what is too much is cut below
        wanted = max((duration_ns - last) / 1e9 * rate_hz, min_queries - sum(map(len, parts)))
        gaps_ns = rng.exponential(1e9 / rate_hz, int(wanted * 1.1) + 16)
        parts.append(last + np.cumsum(gaps_ns))
        last = float(parts[-1][-1])
    due_ns = np.concatenate(parts)
    needed = max(min_queries, int(np.searchsorted(due_ns, duration_ns)) + 1)
    return np.rint(due_ns[:needed]).astype(np.int64)
