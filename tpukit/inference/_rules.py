"""Whether a run counts: the rules of MLPerf's LoadGen, and what LoadGen cannot meet. Pure.

The rules are those of loadgen/results.cc at version 5 to 6: a run lasted its duration, counted to the last query's
issue (single_stream, multi_stream), its due time (server) or the last end (offline); it had enough queries for early
stopping; in server, the percentile of latency kept the bound, and so few were over it that early stopping believes it.
Percentiles are the value at index n p of the sorted latencies, which is one rank above the nearest where n p is whole.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tpukit import stats
from tpukit.inference._scenarios import SCENARIOS, Arrival, Bounds
from tpukit.inference._settings import Settings, least_queries
from tpukit.inference._timeline import NEVER, Timeline

VALID, INVALID = "VALID", "INVALID"

_ON_TIME_SHARE, _OWN_SHARE = 0.99, 0.5
_WHOLE_HZ = 1000.0


def at_percentile(latencies: NDArray[np.int64], percentile: float) -> int:
    """Return the latency at index n p of the sorted `latencies`, shape (n,), n > 0.

    >>> at_percentile(np.arange(100), 0.9)
    90
    """
    at = min(int(len(latencies) * percentile), len(latencies) - 1)
    return int(np.partition(latencies, at)[at])


def estimate(latencies: NDArray[np.int64], percentile: float) -> int | None:
    """Return what a percentile of `latencies`, shape (n,), keeps with 99 % confidence; None where n is too small.

    >>> estimate(np.arange(64), 0.9), estimate(np.arange(63), 0.9)
    (63, None)
    """
    over = stats.allowed_over(len(latencies), percentile)
    if not over:
        return None
    at = len(latencies) - over
    return int(np.partition(latencies, at)[at])


def judge(timeline: Timeline, *, settings: Settings, bounds: Bounds) -> tuple[str, ...]:
    """Return why a run does not count; nothing where it is VALID."""
    # how brief an overloaded run was, and of how few queries, is no reason beside the overload
    amount = () if timeline.overloaded else _amount(timeline, settings, bounds)
    return (*_ended_early(timeline), *_clock(timeline), *amount, *_latency_bound(timeline, settings))


def _ended_early(timeline: Timeline) -> Iterator[str]:
    counted = _counted(timeline.queries)
    if timeline.cut_short:
        yield f"cut short after {counted}"
    if timeline.failure:
        yield f"failed after {counted}: {timeline.failure}"


def _clock(timeline: Timeline) -> Iterator[str]:
    ended = timeline.ended
    starts, ends = timeline.starts_ns, timeline.ends_ns
    if (ends[ended] < starts[ended]).any() or (np.diff(starts) < 0).any():
        yield "the clock went back during the run: its latencies mean nothing"


def _amount(timeline: Timeline, settings: Settings, bounds: Bounds) -> Iterator[str]:
    n, lasted_ns = timeline.queries, lasted(timeline, SCENARIOS[settings.scenario].arrival)
    few, brief = n < bounds.min_queries, lasted_ns < bounds.duration_ns
    if (few or brief) and n >= bounds.max_queries:
        yield "memory holds no more queries: ask for a shorter run"
    if few:
        yield f"{_counted(n)}, {bounds.min_queries} asked for"
    elif settings.percentile is not None:
        least = least_queries(SCENARIOS[settings.scenario], settings.percentile)
        if n < least:
            yield f"{_counted(n)}, early stopping needs {least} at percentile {settings.percentile:g}"
    if brief:
        yield f"lasted {lasted_ns / 1e9:.3g} s, {bounds.duration_ns / 1e9:.3g} s asked for"


def lasted(timeline: Timeline, arrival: Arrival) -> int:
    """Return how long a run counts as having lasted, in nanoseconds; 0 where nothing ended."""
    if not timeline.queries:
        return 0
    if arrival is Arrival.AT_START:
        return timeline.span_ns
    times = timeline.due_ns
    return int(times[-1] - times[0])


def _latency_bound(timeline: Timeline, settings: Settings) -> Iterator[str]:
    if settings.latency_bound_s is None or settings.percentile is None:
        return
    bound_ns, percentile = round(settings.latency_bound_s * 1e9), settings.percentile
    latencies = latencies_ns(timeline)
    if timeline.overloaded:
        yield _overload(timeline, settings)
        return
    if not_issued := _generator(timeline, settings):
        yield not_issued
    if len(latencies) == 0:
        return
    found = at_percentile(latencies, percentile)
    if found > bound_ns:
        yield f"percentile {percentile:g} of latency is {found / 1e6:.4g} ms, over the bound of {bound_ns / 1e6:.4g} ms"
        return
    over = int((latencies > bound_ns).sum())
    needed = stats.min_queries(over, percentile)
    if len(latencies) < needed and over:
        yield f"{over} of {_counted(len(latencies))} over the bound: early stopping needs {needed} with so many"


def latencies_ns(timeline: Timeline) -> NDArray[np.int64]:
    """Return the latencies of the queries that ended, from when each was due."""
    ended = timeline.ended
    return timeline.ends_ns[ended] - timeline.due_ns[ended]


def service_ns(timeline: Timeline) -> NDArray[np.int64]:
    """Return how long the queries that ended took, from when each was issued."""
    ended = timeline.ended
    return timeline.ends_ns[ended] - timeline.starts_ns[ended]


def served_per_s(timeline: Timeline) -> float:
    """Return the queries per second that ended, from the first one's start to the last one's end."""
    return timeline.queries / (timeline.span_ns / 1e9) if timeline.span_ns else 0.0


def _overload(timeline: Timeline, settings: Settings) -> str:
    after_s = (max(timeline.starts_ns[-1], timeline.ends_ns.max()) - timeline.due_ns[0]) / 1e9
    if generator := _generator(timeline, settings):
        return f"{generator}; stopped after {after_s:.3g} s"
    typical_ns = int(np.median(service_ns(timeline))) if timeline.queries else 0
    bound_ns = round((settings.latency_bound_s or 0.0) * 1e9)
    if typical_ns > bound_ns:
        return (
            f"stopped after {after_s:.3g} s: at any rate a query takes {typical_ns / 1e6:.4g} ms at p50, longer than "
            f"the bound of {bound_ns / 1e6:.4g} ms"
        )
    return (
        f"overloaded: stopped after {after_s:.3g} s, when the bound could not be kept any more; "
        f"it served {rate_text(served_per_s(timeline))} of the {rate_text(settings.rate_hz)} queries/s"
    )


def _generator(timeline: Timeline, settings: Settings) -> str | None:
    """Say where it was the generator that could not keep up: behind the schedule, and most of the time by itself."""
    starts, due = timeline.starts_ns, timeline.due_ns
    if len(starts) == 0 or starts[-1] == starts[0]:
        return None
    span_ns = starts[-1] - starts[0]
    if due[-1] - due[0] >= _ON_TIME_SHARE * span_ns or _own_ns(timeline) < _OWN_SHARE * span_ns:
        return None
    issued, asked = rate_text((len(starts) - 1) / (span_ns / 1e9)), rate_text(settings.rate_hz)
    return f"the generator can issue no more than {issued} of the {asked} queries/s: ask for less"


def _own_ns(timeline: Timeline) -> int:
    """Return how long the generator neither waited for a query to be due nor for the device to take it."""
    starts, ends = timeline.starts_ns, timeline.ends_ns[:-1]
    # a device that takes several queries is free for the next one as soon as it was given the last
    free = np.where((ends != NEVER) & (ends <= starts[1:]), ends, starts[:-1])
    return int((starts[1:] - np.maximum(timeline.due_ns[1:], free)).sum())


def rate_text(rate_hz: float | None) -> str:
    """Return a rate without an exponent.

    >>> rate_text(1868.09), rate_text(2.146)
    ('1,868', '2.146')
    """
    return f"{rate_hz:,.0f}" if rate_hz and rate_hz >= _WHOLE_HZ else f"{rate_hz or 0.0:.4g}"


def _counted(queries: int) -> str:
    return f"{queries} {'query' if queries == 1 else 'queries'}"
