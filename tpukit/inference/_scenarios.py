"""How queries follow each other, and when there are enough of them. Pure.

The scenarios are MLPerf's (Reddi et al. 2020, arXiv:1911.02549, section IV). *single_stream* issues one query of one
sample when the last one ended, *multi_stream* one of several samples; both are judged by latency. *server* issues
queries at random times whether or not the device keeps up, so that a query's latency counts from when it was due.
*offline* has every sample at hand from the start and is judged by throughput: the latency of one of its samples is
mostly waiting and says nothing.
"""

from dataclasses import dataclass
from enum import Enum

#: A warm-up goes on for as many parts at most while the latency drifts.
WARMUP_PARTS = 5
_BLOCK_NS = 20_000_000
_WARMUP_SHARE, _WARMUP_MAX_NS, _WARMUP_MIN_QUERIES = 0.1, 1_000_000_000, 3


class Arrival(Enum):
    """When a query is due: when the last one ended, at a time of a schedule, or when the run begins."""

    AFTER_THE_LAST = "after the last"
    BY_SCHEDULE = "by schedule"
    AT_START = "at start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A way to issue queries, and what judges it.

    `metric` is a column of RESULTS, `percentile` LoadGen's share of queries that the verdict is about, `samples` how
    many there are in a query.
    """

    name: str
    arrival: Arrival
    metric: str
    percentile: float | None
    samples: int

    @property
    def lower_is_better(self) -> bool:
        """Whether less of the metric is better: it is for a latency, not for a throughput."""
        return self.metric != "throughput_per_s"


# the percentiles, and the 8 samples, are those of LoadGen's mlperf.conf
SINGLE_STREAM = Scenario(
    name="single_stream", arrival=Arrival.AFTER_THE_LAST, metric="p50_s", percentile=0.9, samples=1
)
MULTI_STREAM = Scenario(name="multi_stream", arrival=Arrival.AFTER_THE_LAST, metric="p50_s", percentile=0.99, samples=8)
SERVER = Scenario(name="server", arrival=Arrival.BY_SCHEDULE, metric="percentile_s", percentile=0.99, samples=1)
OFFLINE = Scenario(name="offline", arrival=Arrival.AT_START, metric="throughput_per_s", percentile=None, samples=1)
SCENARIOS = {scenario.name: scenario for scenario in (SINGLE_STREAM, MULTI_STREAM, SERVER, OFFLINE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A phase of a run lasts at least `duration_ns` and at least `min_queries`, but ends at `max_queries`."""

    duration_ns: int
    min_queries: int
    max_queries: int

    def share(self, elapsed_ns: int, queries: int) -> float:
        """Return how much of the phase is done, 1 when it may end."""
        if queries >= self.max_queries:
            return 1.0
        return min(1.0, elapsed_ns / self.duration_ns, queries / self.min_queries)

    def block(self, elapsed_ns: int, queries: int) -> int:
        """Return how many queries to run before looking up again: about 20 ms of them, fewer near the end."""
        if queries == 0:
            return 1
        query_ns = max(1, elapsed_ns // queries)
        left = max((self.duration_ns - elapsed_ns) // query_ns, self.min_queries - queries)
        return int(max(1, min(_BLOCK_NS // query_ns, left, self.max_queries - queries)))


def steady(*, duration_s: float, min_queries: int, max_queries: int) -> Bounds:
    """Return the bounds of the measured phase; `max_queries` is what there is memory for."""
    return Bounds(duration_ns=max(1, round(duration_s * 1e9)), min_queries=min_queries, max_queries=max_queries)


def warmup(*, duration_s: float, max_queries: int) -> Bounds:
    """Return the bounds of one part of the warm-up: a tenth of the run, a second at most, three queries at least."""
    share_ns = round(duration_s * 1e9 * _WARMUP_SHARE)
    return Bounds(
        duration_ns=max(1, min(share_ns, _WARMUP_MAX_NS)), min_queries=_WARMUP_MIN_QUERIES, max_queries=max_queries
    )
