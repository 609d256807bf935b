"""Parity: the same sessions measured by tpukit and by MLPerf's LoadGen, in turn.

What is measured is the median over the pairs of tpukit's number divided by LoadGen's, as its distance from 1.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tpukit.clock import Clock, SystemClock
from tpukit.inference import (
    VALID,
    Settings,
    benchmark,
    drive,
    drive_logged,
    settings,
    under_test,
)
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding

_CLOCK: Clock = SystemClock()
_PAIRS = 5
_RUN_S = 2.0
# by name and batch: a query takes 0.3 to 0.9 ms, to which LoadGen adds 3 µs, in server up to 10 µs
_MODELS = (("mobilenet_v1_025_int8", 1), ("resnet8_int8", 4), ("resnet8_float32", 4))
_GOALS = {"p50": 3.0, "p90": 3.0, "p99": 10.0, "throughput": 3.0}
# of the time the device is busy in server: little enough that a disturbance does not queue up for long
_BUSY = 0.3
# far above what is measured: parity is no matter of the verdict
_BOUND_S = 10.0
_ALONE_S = 0.2
_OVERLOAD, _OVERLOAD_S, _OVERLOAD_BOUND_S = 5.0, 5.0, 0.005

#: What a run gave: p50, p90 and p99 in seconds, throughput in samples per second.
Numbers = Mapping[str, float]
#: Makes one run of a model with these settings.
Side = Callable[[str, Settings], Numbers]


def _single_stream(effort: Effort) -> Iterator[Finding]:
    for model, batch in _MODELS:
        asked = settings("single_stream", duration_s=_RUN_S, batch=batch)
        sides = {"ours": _ours, "theirs": _theirs, "beside": _theirs}
        yield from _findings(
            _named(model, batch),
            _in_turn(model, asked, sides, effort),
            baseline="LoadGen beside itself",
            note="throughput is LoadGen's without its overhead",
        )


def _server(effort: Effort) -> Iterator[Finding]:
    for model, batch in _MODELS:
        alone = benchmark(model, duration_s=_ALONE_S, batch=batch).summary
        asked = settings(
            "server",
            duration_s=_RUN_S,
            batch=batch,
            rate_hz=round(_BUSY / alone["p50_s"].item(), 1),
            latency_bound_s=_BOUND_S,
        )
        sides = {"ours": _ours, "theirs": _theirs_on_time, "beside": _theirs}
        yield from _findings(
            f"{_named(model, batch)}, server at {asked.rate_hz:g}/s",
            _in_turn(model, asked, sides, effort),
            baseline="LoadGen as it comes, woken late for its queries",
            note="the same schedules, for which LoadGen's thread waits as tpukit's does",
        )


def _overload(effort: Effort) -> Iterator[Finding]:
    model, _ = _MODELS[0]
    alone = benchmark(model, duration_s=_ALONE_S).summary
    asked = settings(
        "server",
        duration_s=_OVERLOAD_S,
        rate_hz=round(_OVERLOAD / alone["p50_s"].item(), 1),
        latency_bound_s=_OVERLOAD_BOUND_S,
    )
    began = _CLOCK.now()
    found = benchmark(model, **asdict(asked), clock=_CLOCK)
    ours_s = _CLOCK.now() - began
    effort.keep_on()
    with under_test(model, "cpu", asked, clock=_CLOCK) as driven:
        began = _CLOCK.now()
        theirs = drive(driven, asked)
        theirs_s = _CLOCK.now() - began
    yield Finding(
        what=f"time of an overloaded server run of {_OVERLOAD_S:g} s, {model} at {asked.rate_hz:g}/s",
        value=ours_s,
        unit="s",
        goal=_OVERLOAD_S + 1,
        failed=found.verdict == VALID,
        baseline=f"LoadGen, which answers every query: {theirs.verdict}",
        baseline_value=theirs_s,
        limit="the run's own length, were it not stopped",
        limit_value=_OVERLOAD_S,
        note=f"{found.verdict}: {'; '.join(found.reasons)}",
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pairs:
    """Ratios by quantity, shapes (pairs,): ours to LoadGen's, and what is `beside` to LoadGen's."""

    ours: Mapping[str, NDArray[np.float64]]
    beside: Mapping[str, NDArray[np.float64]]


def _in_turn(model: str, asked: Settings, sides: Mapping[str, Side], effort: Effort) -> _Pairs:
    order = list(sides)
    runs: dict[str, list[Numbers]] = {name: [] for name in order}
    for pair in range(min(_PAIRS, effort.repeats)):
        for name in order:
            effort.keep_on()
            # another seed, which is another schedule, for each pair; the same within it
            runs[name].append(sides[name](model, replace(asked, seed=pair)))
        order.append(order.pop(0))  # no side always comes after another
    return _Pairs(ours=_ratios(runs["ours"], runs["theirs"]), beside=_ratios(runs["beside"], runs["theirs"]))


def _ratios(these: Sequence[Numbers], those: Sequence[Numbers]) -> dict[str, NDArray[np.float64]]:
    return {
        name: np.array([one[name] / other[name] for one, other in zip(these, those, strict=True)]) for name in _GOALS
    }


def _ours(model: str, asked: Settings) -> Numbers:
    found = benchmark(model, **asdict(asked), clock=_CLOCK).summary
    columns = {name: f"{name}_s" for name in ("p50", "p90", "p99")} | {"throughput": "throughput_per_s"}
    return {name: float(found[column].item()) for name, column in columns.items()}


def _theirs(model: str, asked: Settings) -> Numbers:
    with under_test(model, "cpu", asked, clock=_CLOCK) as driven:
        found = drive(driven, asked)
    rate = found.throughput_per_s if math.isnan(found.alone_per_s) else found.alone_per_s
    return {"p50": found.p50_s, "p90": found.p90_s, "p99": found.p99_s, "throughput": rate}


def _theirs_on_time(model: str, asked: Settings) -> Numbers:
    with under_test(model, "cpu", asked, clock=_CLOCK) as driven:
        found, log = drive_logged(driven, asked, clock=_CLOCK)
    latencies_ns = np.sort(log.latencies_ns - log.held_ns)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
    numbers = {name: float(latencies_ns[int(len(log.due_ns) * share)]) / 1e9 for name, share in shares.items()}
    return numbers | {"throughput": found.throughput_per_s}


def _findings(what: str, pairs: _Pairs, *, baseline: str, note: str) -> Iterator[Finding]:
    for name, goal in _GOALS.items():
        ratios = pairs.ours[name]
        yield Finding(
            what=f"{name} beside LoadGen's, {what}",
            value=_distance(ratios),
            unit="%",
            goal=goal,
            baseline=baseline,
            baseline_value=_distance(pairs.beside[name]),
            limit="no difference",
            limit_value=0.0,
            note=f"median of {len(ratios)} pairs, tpukit / LoadGen {np.median(ratios):.4g} "
            f"({ratios.min():.3g} to {ratios.max():.3g}); {note}",
        )


def _named(model: str, batch: int) -> str:
    return f"{model}, batch {batch}" if batch > 1 else model


def _distance(ratios: NDArray[np.float64]) -> float:
    return abs(float(np.median(ratios)) - 1) * 100


SUITE.add("loadgen/single_stream", Cell(part="loadgen", measure=_single_stream))
SUITE.add("loadgen/server", Cell(part="loadgen", measure=_server))
SUITE.add("loadgen/overload", Cell(part="loadgen", measure=_overload))
