"""What a run decides: how queries follow each other, when there are enough, and whether the run counts. Pure.

The scenarios are MLPerf's (Reddi et al. 2020, arXiv:1911.02549, section IV): *single_stream* issues one query when
the last one ended and is judged by latency; *offline* has every sample at hand from the start and is judged by
throughput, so the latency of one of its samples is mostly waiting and says nothing.
"""

from dataclasses import dataclass

VALID, INVALID = "VALID", "INVALID"

_BLOCK_NS = 20_000_000
_WARMUP_SHARE, _WARMUP_MAX_NS, _WARMUP_MIN_QUERIES = 0.1, 1_000_000_000, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A way to issue queries. `due_at_start`: all are due when the run begins, else each when it is issued."""

    name: str
    metric: str
    due_at_start: bool

    @property
    def lower_is_better(self) -> bool:
        """Whether less of the metric is better: it is for a latency, not for a throughput."""
        return self.metric == "p50_s"


SINGLE_STREAM = Scenario(name="single_stream", metric="p50_s", due_at_start=False)
OFFLINE = Scenario(name="offline", metric="throughput_per_s", due_at_start=True)
SCENARIOS = {scenario.name: scenario for scenario in (SINGLE_STREAM, OFFLINE)}


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
    """Return the bounds of the warm-up: a tenth of the run, a second at most, and three queries at least."""
    share_ns = round(duration_s * 1e9 * _WARMUP_SHARE)
    return Bounds(
        duration_ns=max(1, min(share_ns, _WARMUP_MAX_NS)), min_queries=_WARMUP_MIN_QUERIES, max_queries=max_queries
    )


def judge(*, bounds: Bounds, steady_ns: int, queries: int, cut_short: bool, failure: str | None) -> tuple[str, ...]:
    """Return why a run does not count; nothing where it is VALID."""
    reasons = []
    counted = f"{queries} {'query' if queries == 1 else 'queries'}"
    if cut_short:
        reasons.append(f"cut short after {counted}")
    if failure:
        reasons.append(f"failed after {counted}: {failure}")
    few, brief = queries < bounds.min_queries, steady_ns < bounds.duration_ns
    if (few or brief) and queries >= bounds.max_queries:
        reasons.append("memory holds no more queries: ask for a shorter run")
    if few:
        reasons.append(f"{counted}, {bounds.min_queries} asked for")
    if brief:
        reasons.append(f"lasted {steady_ns / 1e9:.3g} s, {bounds.duration_ns / 1e9:.3g} s asked for")
    return tuple(reasons)
