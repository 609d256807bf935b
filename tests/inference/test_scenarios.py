"""The decisions of a run, as pure functions."""

from hypothesis import example, given
from hypothesis import strategies as st

from tpukit.inference._scenarios import (
    MULTI_STREAM,
    OFFLINE,
    SCENARIOS,
    SERVER,
    SINGLE_STREAM,
    Arrival,
    Bounds,
    steady,
    warmup,
)

BOUNDS = st.builds(
    Bounds,
    duration_ns=st.integers(1, 10**11),
    min_queries=st.integers(1, 10**6),
    max_queries=st.one_of(st.integers(1, 10**6), st.just(10**12)),
)
BLOCK_NS = 20_000_000


def test_scenarios_know_what_judges_them() -> None:
    found = {
        name: (kind.arrival, kind.metric, kind.percentile, kind.samples, kind.lower_is_better)
        for name, kind in SCENARIOS.items()
    }
    assert found == {
        "single_stream": (Arrival.AFTER_THE_LAST, "p50_s", 0.9, 1, True),
        "multi_stream": (Arrival.AFTER_THE_LAST, "p50_s", 0.99, 8, True),
        "server": (Arrival.BY_SCHEDULE, "percentile_s", 0.99, 1, True),
        "offline": (Arrival.AT_START, "throughput_per_s", None, 1, False),
    }
    assert list(SCENARIOS.values()) == [SINGLE_STREAM, MULTI_STREAM, SERVER, OFFLINE]


@given(BOUNDS, st.integers(0, 10**12), st.integers(0, 10**7))
def test_a_phase_is_done_when_both_bounds_are_met_or_memory_is_full(
    bounds: Bounds, elapsed_ns: int, queries: int
) -> None:
    share = bounds.share(elapsed_ns, queries)
    assert 0 <= share <= 1
    met = elapsed_ns >= bounds.duration_ns and queries >= bounds.min_queries
    assert (share == 1) == (met or queries >= bounds.max_queries)


@given(BOUNDS, st.integers(0, 10**12), st.integers(0, 10**7))
def test_a_block_is_at_least_one_query_and_at_most_what_is_left_or_20_ms(
    bounds: Bounds, elapsed_ns: int, queries: int
) -> None:
    block = bounds.block(elapsed_ns, queries)
    assert block >= 1
    if block > 1:
        mean_ns = max(1, elapsed_ns // queries)
        assert queries + block <= bounds.max_queries
        assert block * mean_ns <= BLOCK_NS
        assert block <= bounds.min_queries - queries or block * mean_ns <= bounds.duration_ns - elapsed_ns


@given(st.integers(1, 10**9), st.integers(1, 500), st.lists(st.integers(10**5, 5 * 10**7), min_size=1, max_size=20))
@example(10**9, 100, [10**7])
def test_a_run_by_blocks_overshoots_by_one_block_at_most(
    duration_ns: int, min_queries: int, latencies_ns: list[int]
) -> None:
    bounds = Bounds(duration_ns=duration_ns, min_queries=min_queries, max_queries=10**12)
    elapsed = queries = block = 0
    before = (0, 0)
    while bounds.share(elapsed, queries) < 1:
        before = (elapsed, queries)
        block = bounds.block(elapsed, queries)
        for _ in range(block):
            elapsed += latencies_ns[queries % len(latencies_ns)]
            queries += 1
    assert bounds.share(*before) < 1
    assert queries - before[1] == block
    # when the latencies are all the same, not a single query too many
    if len(set(latencies_ns)) == 1:
        assert queries == max(min_queries, -(-duration_ns // latencies_ns[0]))


def test_bounds_come_from_settings() -> None:
    expected = Bounds(duration_ns=1_500_000_000, min_queries=7, max_queries=99)
    assert steady(duration_s=1.5, min_queries=7, max_queries=99) == expected
    assert steady(duration_s=1e-12, min_queries=1, max_queries=99).duration_ns == 1
    expected = Bounds(duration_ns=200_000_000, min_queries=3, max_queries=99)
    assert warmup(duration_s=2.0, max_queries=99) == expected
    assert warmup(duration_s=3600.0, max_queries=99).duration_ns == 1_000_000_000
    assert warmup(duration_s=1e-12, max_queries=99).duration_ns == 1
