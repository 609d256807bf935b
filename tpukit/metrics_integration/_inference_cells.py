"""What measuring costs: the harness beside a bare loop, and beside MLPerf's LoadGen."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tpukit.clock import Clock, SystemClock
from tpukit.errors import MissingDependencyError
from tpukit.inference import Arrays, Device, Model, Query, Tensor, UnderTest, benchmark, drive, read_model, settings
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding

_CLOCK: Clock = SystemClock()
_BLOCK = 200
_UNTIMED = 4  # benchmark()'s first inference, and the three queries that it warms up with at least
_ROTATION = 64  # as many different inputs as benchmark() takes in turn
_NULL_S = 2.0


def _overhead(effort: Effort) -> Iterator[Finding]:
    note = f"minimum wall per query of {effort.blocks} interleaved blocks of {_BLOCK} queries"
    walls = _interleaved("autoencoder_int8", effort)
    bare_ns = walls.bare.min()
    yield Finding(
        what="harness overhead per query, autoencoder_int8",
        value=(walls.ours.min() - bare_ns) / 1e3,
        unit="µs",
        goal=1.0,
        baseline="the query itself, in a bare loop of set_tensor, invoke, get_tensor",
        baseline_value=bare_ns / 1e3,
        limit="the bare loop, to which nothing is added",
        limit_value=0.0,
        note=f"{note}; then 0.5; the bare loop beside itself: {(walls.again.min() - bare_ns) / 1e3:+.2g} µs",
    )
    for model in ("resnet8_int8", "mobilenet_v1_025_int8"):
        walls = _interleaved(model, effort)
        bare_ns = walls.bare.min()
        itself, median = walls.again.min() / bare_ns, np.median(walls.ours / walls.bare)
        yield Finding(
            what=f"time per query over a bare loop's, {model}",
            value=walls.ours.min() / bare_ns,
            unit="ratio",
            goal=1.01,
            baseline=f"a bare loop of set_tensor, invoke, get_tensor: {bare_ns / 1e6:.3g} ms",
            baseline_value=1.0,
            limit="the bare loop",
            limit_value=1.0,
            note=f"{note}; the bare loop beside itself: {itself:.4g}; median of the pairs: {median:.4g}",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Walls:
    """Nanoseconds per query of each block, shape (blocks,): through `benchmark`, in a bare loop, and in it again."""

    ours: NDArray[np.float64]
    bare: NDArray[np.float64]
    again: NDArray[np.float64]


def _interleaved(name: str, effort: Effort) -> _Walls:
    model = read_model(name)
    found: dict[str, list[float]] = {"ours": [], "bare": [], "again": []}
    # the bare loop twice: what parts it from itself is the machine, and no more can be told of ours
    sides = [("ours", _through_benchmark), ("bare", _in_bare_loop), ("again", _in_bare_loop)]
    for _ in range(effort.blocks):
        effort.keep_on()
        # a new interpreter for each block on every side: where its memory lies matters more than the harness
        for side, block_ns in sides:
            found[side].append(block_ns(model))
        sides.append(sides.pop(0))  # no side always comes after another, to a warmer cache
    return _Walls(**{side: np.array(walls) for side, walls in found.items()})


def _through_benchmark(model: Model, device: str | Device = "cpu") -> float:
    samples = benchmark(model, device, duration_s=1e-9, min_queries=_BLOCK, clock=_CLOCK).samples
    return float(samples["end_s"].iloc[-1] - samples["start_s"].iloc[0]) * 1e9 / len(samples)


def _in_bare_loop(model: Model) -> float:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model.content, num_threads=1)
    interpreter.allocate_tensors()
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    rng = np.random.default_rng(0)
    samples = [rng.integers(-128, 128, into["shape"]).astype(np.int8) for _ in range(_ROTATION)]
    source, target, perf_ns = into["index"], out["index"], _CLOCK.perf_ns

    def run(queries: int) -> float:
        began = perf_ns()
        for index in range(queries):
            interpreter.set_tensor(source, samples[index % _ROTATION])
            interpreter.invoke()
            interpreter.get_tensor(target)
        return (perf_ns() - began) / queries

    run(_UNTIMED)
    return run(_BLOCK)


@dataclass(frozen=True, slots=True)
class _NullDevice:
    """Answers at once, so that what is left is the harness."""

    name: str = "null"
    about: str = "answers at once"

    def runtime(self) -> str:
        return "null"

    def load(self, model: Model, *, threads: int, batch: int) -> "_NullSession":
        return _NullSession()


class _NullSession:
    inputs: tuple[Tensor, ...] = (Tensor(name="x", shape=(1,), dtype="int8"),)
    outputs: tuple[Tensor, ...] = ()

    def bind(self, samples: Sequence[Arrays]) -> Query:
        return lambda index: ()

    def close(self) -> None:
        """Hold nothing."""


def _null_device(effort: Effort) -> Iterator[Finding]:
    model = read_model("autoencoder_int8")
    began = _CLOCK.perf_ns()
    result = benchmark(model, _NullDevice(), duration_s=_NULL_S)
    rate = len(result.samples) / ((_CLOCK.perf_ns() - began) / 1e9)
    loadgen, note = _loadgen_rate()
    yield Finding(
        what="null device through benchmark(), tables included",
        value=rate,
        unit="queries/s",
        goal=300_000.0,
        better="higher",
        baseline="LoadGen's SingleStream with a null system, its overhead included",
        baseline_value=loadgen,
        limit="a loop with two clock readings round the same call",
        limit_value=_loop_rate(),
        note=note,
    )


def _loop_rate(queries: int = 1_000_000) -> float:
    query, perf_ns = _NullSession().bind([]), _CLOCK.perf_ns
    began = perf_ns()
    for index in range(queries):
        perf_ns()
        query(index)
        perf_ns()
    return queries / ((perf_ns() - began) / 1e9)


def _loadgen_rate() -> tuple[float, str]:
    null = UnderTest(query=_NullSession().bind([]), samples=_ROTATION, expected_s=2e-6)
    try:
        result = drive(null, settings("single_stream", duration_s=_NULL_S / 4))
    except MissingDependencyError as error:
        return math.nan, f"no LoadGen to compare with: {error}"
    return result.throughput_per_s, ""


SUITE.add("inference/overhead", Cell(part="inference", measure=_overhead))
SUITE.add("inference/null_device", Cell(part="inference", measure=_null_device))
