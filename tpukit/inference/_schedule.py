"""When queries arrive: as in LoadGen, to the nanosecond. Pure: the generator of random numbers is an argument."""

import numpy as np
from numpy.typing import NDArray


def schedule_rng(seed: int) -> np.random.Generator:
    """Return the generator from which LoadGen draws a schedule with this seed, of which it takes the lower 32 bits.

    LoadGen's is std::mt19937, seeded as NumPy seeded its own before 1.17.
    """
    seeded = np.random.RandomState(seed % 2**32).get_state(legacy=False)
    bits = np.random.MT19937()
    bits.state = {"bit_generator": "MT19937", "state": seeded["state"]}
    return np.random.Generator(bits)


def poisson(rate_hz: float, rng: np.random.Generator, *, duration_ns: int, min_queries: int) -> NDArray[np.int64]:
    """Return the arrivals of a Poisson process in nanoseconds, shape (n,), ascending, the first at 0.

    There are as few as reach both bounds: the last one is due at `duration_ns` or later, and n is `min_queries` at
    least, as in LoadGen's Server scenario (Reddi et al. 2020, arXiv:1911.02549, section IV). From `schedule_rng` they
    are LoadGen's own: it draws std::exponential_distribution, as libstdc++ has it, and cuts each gap to whole
    nanoseconds (loadgen/loadgen.cc, ScheduleDistribution).

    >>> poisson(1000.0, schedule_rng(0), duration_ns=10**6, min_queries=4).tolist()
    [0, 898560, 2758164, 4709709]
    """
    parts, last = [np.zeros(1, dtype=np.int64)], 0
    while last < duration_ns or sum(map(len, parts)) < min_queries:
        # a little more than the rest takes on average; what is too much is cut below
        wanted = max((duration_ns - last) / 1e9 * rate_hz, min_queries - sum(map(len, parts)))
        parts.append(last + np.cumsum(_gaps_ns(rate_hz, rng, int(wanted * 1.1) + 16)))
        last = int(parts[-1][-1])
    due_ns = np.concatenate(parts)
    needed = max(min_queries, int(np.searchsorted(due_ns, duration_ns)) + 1)
    return due_ns[:needed]


def _gaps_ns(rate_hz: float, rng: np.random.Generator, n: int) -> NDArray[np.int64]:
    # two draws of 32 bits, the second the more significant, make a number in [0, 1)
    draws = rng.integers(0, 2**32, (n, 2), dtype=np.uint32)
    uniform = (draws[:, 0] + draws[:, 1] * 2.0**32) / 2.0**64
    return (-np.log(1 - uniform) / rate_hz * 1e9).astype(np.int64)
