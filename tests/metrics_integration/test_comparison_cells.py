"""The cells that judge comparing: they find out a comparison that sees differences everywhere, or nowhere."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest

from tpukit import stats
from tpukit.inference import BenchmarkResult, Model, benchmark
from tpukit.metrics_integration import SUITE, Effort, _comparison_cells, _coverage_cells
from tpukit.metrics_integration._replay import Replay, ReplayClock

TINY = Effort(blocks=2, repeats=1, slow=False)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, toy: Model, quiet: None) -> Callable[..., None]:
    """Return a function that lets every run of the cell be scripted: 100 queries, each run's own multiple of 1 ms."""

    def script(multiples: Iterator[float], *, pairs: int = 2, runs: int = 6) -> None:
        clock = ReplayClock()

        def scripted_run(model: Model, device: object = None, **options: object) -> BenchmarkResult:
            if device is None:
                latency_ns = round(1e6 * next(multiples))
                device, options = Replay([latency_ns, latency_ns + 10_000], clock), {"clock": clock}
            return benchmark(toy, device, duration_s=1e-9, min_queries=100, clock=options["clock"])

        monkeypatch.setattr(_comparison_cells, "benchmark", scripted_run)
        monkeypatch.setattr(_comparison_cells, "_QUICK_PAIRS", pairs)
        monkeypatch.setattr(_comparison_cells, "_RUNS", runs)

    return script


def noise() -> Iterator[float]:
    rng = np.random.default_rng(0)
    return (1 + 0.002 * float(rng.standard_normal()) for _ in count())


def test_runs_of_one_model_are_the_same_and_slower_ones_slower(scripted: Callable[..., None]) -> None:
    scripted(noise())
    alike, apart, slower = SUITE["comparison/pairs"].measure(TINY)
    assert (alike.value, alike.verdict) == (0.0, "holds")
    assert (apart.value, apart.verdict) == (0.0, "holds")
    assert (slower.value, slower.baseline_value, slower.verdict) == (100.0, 100.0, "holds")
    assert alike.note.startswith(
        "2 pairs of 2 × 6 runs of 10 ms in turn (base, new, new, base), autoencoder_int8: 2 same; 95 % of the ratios "
    )
    assert apart.note.startswith("1 sets of the same runs beside those of ")
    assert slower.note == "the same runs replayed by a scripted device, one side × 1.05: 2 slower"


def test_a_difference_between_the_sides_is_found_out(scripted: Callable[..., None]) -> None:
    """The second side is always slower by 10 %: the same model is called different, which does not hold."""
    scripted(each * (1.1 if at % 4 in {1, 2} else 1.0) for at, each in enumerate(noise()))
    alike, apart, _ = SUITE["comparison/pairs"].measure(TINY)
    assert (alike.value, alike.baseline_value, alike.verdict) == (100.0, 100.0, "does not hold")
    assert apart.value == 0.0


def test_a_machine_that_becomes_slower_with_every_run_is_not_called_different(scripted: Callable[..., None]) -> None:
    """By 3 % each run: with the base first in every pair it would be."""
    scripted(each * 1.03**at for at, each in enumerate(noise()))
    alike, _, _ = SUITE["comparison/pairs"].measure(TINY)
    assert (alike.value, alike.verdict) == (0.0, "holds")


def test_a_comparison_that_sees_nothing_is_found_out(
    scripted: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(noise())
    monkeypatch.setattr(stats, "verdict", lambda change, **limits: stats.SAME)
    _, _, slower = SUITE["comparison/pairs"].measure(TINY)
    assert (slower.value, slower.verdict) == (0.0, "does not hold")


def test_sets_of_runs_at_different_times_are_compared_apart(scripted: Callable[..., None]) -> None:
    """The machine is half as fast for every second pair: alike within each pair, not from one to the next."""
    scripted((2.0 if at // 12 % 2 else 1.0) * each for at, each in enumerate(noise()))
    alike, apart, _ = SUITE["comparison/pairs"].measure(TINY)
    assert (alike.value, alike.verdict) == (0.0, "holds")
    assert (apart.value, apart.baseline_value, apart.verdict) == (100.0, 100.0, "does not hold")
    assert apart.note.endswith(": 1 slower; 95 % of the ratios within 1e+02 %")


@pytest.mark.parametrize(("slow", "pairs"), [(False, 2), (True, 4)])
def test_the_full_suite_takes_more_pairs_than_the_quick_one(
    scripted: Callable[..., None], monkeypatch: pytest.MonkeyPatch, slow: bool, pairs: int
) -> None:
    scripted(noise())
    monkeypatch.setattr(_comparison_cells, "_PAIRS", 4)
    alike, _, _ = SUITE["comparison/pairs"].measure(replace(TINY, slow=slow))
    assert alike.note.startswith(f"{pairs} pairs ")


def test_a_replay_takes_as_long_as_was_recorded(toy: Model, quiet: None) -> None:
    clock = ReplayClock()
    recorded = [1_000_000, 3_000_000, 2_000_000]
    result = benchmark(toy, Replay(recorded, clock), duration_s=0.012, min_queries=1, clock=clock)
    found = np.rint(result.samples["latency_s"] * 1e9).astype(int).tolist()
    following = dict(zip(recorded, recorded[1:] + recorded[:1], strict=True))
    assert len(found) >= 6
    assert all(later == following[earlier] for earlier, later in pairwise(found))


def test_a_replays_clock_moves_forward_only() -> None:
    clock = ReplayClock()
    clock.sleep(1.5)
    for due_ns in (2_000_000_000, 5):
        clock.wait_until_ns(due_ns)
    assert (clock.perf_ns(), clock.now()) == (2_000_000_000, 2.0)
    assert clock.utc().second == 2


def test_a_stop_is_heard_between_two_runs(scripted: Callable[..., None]) -> None:
    class Pressed:
        def is_set(self) -> bool:
            return True

    scripted(iter([]))
    with pytest.raises(KeyboardInterrupt):
        list(SUITE["comparison/pairs"].measure(Effort(blocks=1, repeats=1, slow=False, cancel=Pressed())))


def test_intervals_cover_what_they_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_coverage_cells, "_SIMULATED", 100)
    found = list(SUITE["statistics/coverage"].measure(TINY))
    assert len(found) == 5
    assert all(each.value <= 5.0 for each in found)


def test_an_interval_that_is_too_narrow_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_coverage_cells, "_SIMULATED", 100)
    quantile, paired = stats.quantile, stats.paired_change
    monkeypatch.setattr(stats, "quantile", lambda x, q: quantile(x, q, level=0.5))
    monkeypatch.setattr(stats, "paired_change", lambda base, new: paired(base, new, level=0.5))
    found = list(SUITE["statistics/coverage"].measure(TINY))
    assert [each.verdict for each in found[:4]] == ["does not hold"] * 4
