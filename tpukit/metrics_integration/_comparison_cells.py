"""Whether comparing tells a slower model from a noisy machine: runs of one model twice, and of one made 5 % slower."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

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

# who is measured: each side first in every other pair
_TURNS = (0, 1, 1, 0)
_BY_QUERIES = "Mann-Whitney over all queries of the same runs, p < 0.05"

Side: TypeAlias = Sequence[BenchmarkResult]


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What sets of runs were called, by `History.compare` and by a test over all queries, and how they differed."""

    ours: "Counter[str]" = field(default_factory=Counter)
    naive: "Counter[str]" = field(default_factory=Counter)
    ratios: list[float] = field(default_factory=list)

    def add(self, base: Side, new: Side) -> None:
        called = _compared(base, new)
        self.ours[called["verdict"]] += 1
        self.naive[_called_by_queries(base, new)] += 1
        self.ratios.append(called["ratio"])

    def spread(self) -> float:
        """Return what 95 % of the ratios differ from 1 by at most, in per cent."""
        return 100 * float(np.expm1(np.quantile(np.abs(np.log(self.ratios)), 0.95)))


def _pairs(effort: Effort) -> Iterator[Finding]:
    model = read_model(_MODEL)
    pairs = _PAIRS if effort.slow else _QUICK_PAIRS
    alike, apart, slower, clock = _Tally(), _Tally(), _Tally(), ReplayClock()
    earlier: list[Side] = []
    for number in range(pairs):
        sides = _in_turn(lambda *_: benchmark(model, duration_s=_RUN_S, min_queries=_QUERIES), effort)
        alike.add(*sides)
        slower.add(*_in_turn(_replays(model, sides, clock), effort))
        if number < pairs // 2:
            earlier.append(sides[0])
        elif number - pairs // 2 < len(earlier):
            apart.add(earlier[number - pairs // 2], sides[0])
            passed_s = _seconds_between(earlier[number - pairs // 2], sides[0])
    note = f"{pairs} pairs of 2 × {_RUNS} runs of {_RUN_S * 1e3:g} ms in turn (base, new, new, base), {_MODEL}"
    yield _false_alarms("sets of runs of one model called different", alike, note)
    note = f"{pairs // 2} sets of the same runs beside those of {passed_s:.0f} s before"
    yield _false_alarms("the same, of sets measured apart", apart, note)
    yield Finding(
        what=f"sets of runs made {_SLOWER - 1:.0%} slower called slower",
        value=_share(slower.ours, stats.SLOWER),
        unit="%",
        goal=95.0,
        better="higher",
        baseline=_BY_QUERIES,
        baseline_value=_share(slower.naive, stats.SLOWER),
        limit="all called so",
        limit_value=100.0,
        note=f"the same runs replayed by a scripted device, one side × {_SLOWER}: {_told(slower.ours)}",
    )


def _false_alarms(what: str, tally: _Tally, note: str) -> Finding:
    return Finding(
        what=what,
        value=_share(tally.ours, stats.SLOWER, stats.FASTER),
        unit="%",
        goal=5.0,
        baseline=_BY_QUERIES,
        baseline_value=_share(tally.naive, stats.SLOWER, stats.FASTER),
        limit="none called so",
        limit_value=0.0,
        note=f"{note}: {_told(tally.ours)}; 95 % of the ratios within {tally.spread():.2g} %",
    )


def _in_turn(run: Callable[[int, int], BenchmarkResult], effort: Effort) -> tuple[Side, Side]:
    """Return two sets of runs, measured one beside the other; `run` is given the side of each and its number there."""
    sides: tuple[list[BenchmarkResult], list[BenchmarkResult]] = ([], [])
    for number in range(2 * _RUNS):
        effort.keep_on()
        side = _TURNS[number % len(_TURNS)]
        sides[side].append(run(side, len(sides[side])))
    return sides


def _seconds_between(base: Side, new: Side) -> float:
    return float((new[0].run["started"].item() - base[0].run["started"].item()).total_seconds())


def _replays(model: Model, sides: tuple[Side, Side], clock: ReplayClock) -> Callable[[int, int], BenchmarkResult]:
    def run(side: int, number: int) -> BenchmarkResult:
        latencies_s = sides[side][number].samples["latency_s"].to_numpy() * (_SLOWER if side else 1.0)
        device = Replay(np.rint(latencies_s * 1e9).astype(np.int64).tolist(), clock)
        return benchmark(model, device, duration_s=_RUN_S, min_queries=_QUERIES, clock=clock)

    return run


def _compared(base: Side, new: Side) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "history.db")
        for name, side in (("base", base), ("new", new)):
            runs = schema.concat([run.run.assign(name=name).astype({"name": "str"}) for run in side], schema.RUNS)
            results = schema.concat([run.summary for run in side], schema.RESULTS)
            history.append(runs, schema.frame([], schema.SAMPLES), results)
        (row,) = history.compare("base", "new").to_dict("records")
        return {str(name): value for name, value in row.items()}


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
