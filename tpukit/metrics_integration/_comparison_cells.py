"""Whether comparing tells a slower model from a noisy machine: runs of one model twice, and of one made 5 % slower."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from scipy import stats as scipy_stats

from tpukit import schema, stats
from tpukit.history import History
from tpukit.inference import BenchmarkResult, Model, benchmark, read_model
from tpukit.metrics_integration._replay import Replay, ReplayClock
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding

_MODEL, _RUN_S, _QUERIES = "autoencoder_int8", 0.01, 100
_PAIRS, _QUICK_PAIRS, _RUNS = 200, 20, 8
_SLOWER = 1.05
_LEVEL = 0.05

Side: TypeAlias = Sequence[BenchmarkResult]


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What pairs of sets of runs were called: by `History.compare`, by a test over all queries, and set apart."""

    ours: "Counter[str]" = field(default_factory=Counter)
    naive: "Counter[str]" = field(default_factory=Counter)
    apart: "Counter[str]" = field(default_factory=Counter)

    def add(self, base: Side, new: Side) -> None:
        self.ours[_called(base, new)] += 1
        self.naive[_called_by_queries(base, new)] += 1

    def add_apart(self, base: Side, new: Side) -> None:
        self.apart[_called(base, new)] += 1


def _pairs(effort: Effort) -> Iterator[Finding]:
    model = read_model(_MODEL)
    pairs = _PAIRS if effort.slow else _QUICK_PAIRS
    alike, slower, clock = _Tally(), _Tally(), ReplayClock()
    before: Side = ()
    for _ in range(pairs):
        base, new = _in_turn(lambda _: benchmark(model, duration_s=_RUN_S, min_queries=_QUERIES), effort)
        alike.add(base, new)
        slower.add(*_in_turn(_replays(model, (base, new), clock), effort))
        if before:
            alike.add_apart(before, new)
        before = base
    note = f"{pairs} pairs of 2 × {_RUNS} runs of {_RUN_S * 1e3:g} ms in turn, {_MODEL}"
    apart = _share(alike.apart, stats.SLOWER, stats.FASTER)
    yield Finding(
        what="sets of runs of one model called different",
        value=_share(alike.ours, stats.SLOWER, stats.FASTER),
        unit="%",
        goal=5.0,
        baseline="Mann-Whitney over all queries of the same runs, p < 0.05",
        baseline_value=_share(alike.naive, stats.SLOWER, stats.FASTER),
        limit="none called so",
        limit_value=0.0,
        note=f"{note}: {_told(alike.ours)}; each beside the one before, measured apart: {apart:.3g} %",
    )
    yield Finding(
        what=f"sets of runs made {_SLOWER - 1:.0%} slower called slower",
        value=_share(slower.ours, stats.SLOWER),
        unit="%",
        goal=95.0,
        better="higher",
        baseline="Mann-Whitney over all queries of the same runs, p < 0.05",
        baseline_value=_share(slower.naive, stats.SLOWER),
        limit="all called so",
        limit_value=100.0,
        note=f"the same runs replayed by a scripted device, one side × {_SLOWER}: {_told(slower.ours)}",
    )


def _in_turn(run: Callable[[int], BenchmarkResult], effort: Effort) -> tuple[Side, Side]:
    """Return two sets of runs, measured one beside the other; `run` is given the number of each."""
    runs = []
    for number in range(2 * _RUNS):
        effort.keep_on()
        runs.append(run(number))
    return runs[::2], runs[1::2]


def _replays(model: Model, sides: tuple[Side, Side], clock: ReplayClock) -> Callable[[int], BenchmarkResult]:
    def run(number: int) -> BenchmarkResult:
        side = number % 2
        latencies_s = sides[side][number // 2].samples["latency_s"].to_numpy() * (_SLOWER if side else 1.0)
        device = Replay(np.rint(latencies_s * 1e9).astype(np.int64).tolist(), clock)
        return benchmark(model, device, duration_s=_RUN_S, min_queries=_QUERIES, clock=clock)

    return run


def _called(base: Side, new: Side) -> str:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "history.db")
        for name, side in (("base", base), ("new", new)):
            runs = schema.concat([run.run.assign(name=name).astype({"name": "str"}) for run in side], schema.RUNS)
            results = schema.concat([run.summary for run in side], schema.RESULTS)
            history.append(runs, schema.frame([], schema.SAMPLES), results)
        return str(history.compare("base", "new")["verdict"].item())


def _called_by_queries(base: Side, new: Side) -> str:
    before, after = (np.concatenate([run.samples["latency_s"].to_numpy() for run in side]) for side in (base, new))
    test = scipy_stats.mannwhitneyu(after, before)
    if test.pvalue >= _LEVEL:
        return stats.CANNOT_TELL
    return stats.SLOWER if test.statistic > len(after) * len(before) / 2 else stats.FASTER


def _share(called: "Counter[str]", *verdicts: str) -> float:
    return 100 * sum(called[verdict] for verdict in verdicts) / called.total()


def _told(called: "Counter[str]") -> str:
    return ", ".join(f"{number} {verdict}" for verdict, number in called.most_common())


SUITE.add("comparison/pairs", Cell(part="comparison", measure=_pairs))
