"""What measuring costs: the harness beside a bare loop, and beside MLPerf's LoadGen."""

import math
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from tpukit.inference import Arrays, Model, Query, Tensor, benchmark, read_model
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding

_BLOCK = 200
_ROTATION = 64  # as many different inputs as benchmark() takes in turn
_NULL_S = 2.0


def _overhead(effort: Effort) -> Iterator[Finding]:
    ours, bare = _paired_minima("autoencoder_int8", effort.blocks)
    note = f"minimum wall per query of {effort.blocks} interleaved blocks of {_BLOCK} queries"
    yield Finding(
        what="harness overhead per query, autoencoder_int8",
        value=(ours - bare) / 1e3,
        unit="µs",
        goal=1.0,
        baseline="the query itself: a bare loop of set_tensor, invoke, get_tensor",
        baseline_value=bare / 1e3,
        limit="the bare loop costs nothing more",
        limit_value=0.0,
        note=note,
    )
    for model in ("resnet8_int8", "mobilenet_v1_025_int8"):
        ours, bare = _paired_minima(model, effort.blocks)
        yield Finding(
            what=f"time per query over a bare loop's, {model}",
            value=ours / bare,
            unit="ratio",
            goal=1.01,
            baseline=f"a bare loop of set_tensor, invoke, get_tensor: {bare / 1e6:.4f} ms",
            baseline_value=1.0,
            limit="the bare loop",
            limit_value=1.0,
            note=note,
        )


def _paired_minima(name: str, blocks: int) -> tuple[float, float]:
    """Nanoseconds per query, at best: through `benchmark`, and in a bare loop."""
    model = read_model(name)
    ours = []
    bares = []
    for _ in range(blocks):
        # a new interpreter for each block on both sides: where its memory lies matters more than the harness
        bares.append(_bare_loop(model)())
        samples = benchmark(model, duration_s=1e-9, min_queries=_BLOCK).samples
        ours.append(samples["end_s"].iloc[-1] * 1e9 / len(samples))
    return min(ours), min(bares)


def _bare_loop(model: Model) -> Callable[[], float]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model.content, num_threads=1)
    interpreter.allocate_tensors()
    (into,), (out,) = interpreter.get_input_details(), interpreter.get_output_details()
    rng = np.random.default_rng(0)
    samples = [rng.integers(-128, 128, into["shape"]).astype(np.int8) for _ in range(_ROTATION)]
    source, target = into["index"], out["index"]

    def run() -> float:
        began = perf_counter_ns()
        for index in range(_BLOCK):
            interpreter.set_tensor(source, samples[index % _ROTATION])
            interpreter.invoke()
            interpreter.get_tensor(target)
        return (perf_counter_ns() - began) / _BLOCK

    return run


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
    began = perf_counter_ns()
    result = benchmark(model, _NullDevice(), duration_s=_NULL_S)
    rate = len(result.samples) / ((perf_counter_ns() - began) / 1e9)
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
    query = _NullSession().bind([])
    began = perf_counter_ns()
    for index in range(queries):
        perf_counter_ns()
        query(index)
        perf_counter_ns()
    return queries / ((perf_counter_ns() - began) / 1e9)


def _loadgen_rate() -> tuple[float, str]:
    try:
        import mlperf_loadgen as loadgen
    except ImportError:
        return math.nan, "no LoadGen to compare with: pip install 'tpukit[peers]'"
    with tempfile.TemporaryDirectory() as folder:
        _run_loadgen(loadgen, folder)
        text = (Path(folder) / "mlperf_log_summary.txt").read_text()
    found = re.search(r"QPS w/ loadgen overhead\s*:\s*([\d.]+)", text)
    return (float(found[1]), "") if found else (math.nan, "LoadGen's summary names no rate")


def _run_loadgen(loadgen: Any, folder: str) -> None:
    def issue(queries: Any) -> None:
        loadgen.QuerySamplesComplete([loadgen.QuerySampleResponse(query.id, 0, 0) for query in queries])

    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.SingleStream
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = int(_NULL_S * 1e3)
    logs = loadgen.LogSettings()
    logs.log_output.outdir = folder
    logs.log_output.copy_summary_to_stdout = False
    logs.enable_trace = False
    system = loadgen.ConstructSUT(issue, lambda: None)
    library = loadgen.ConstructQSL(64, 64, lambda _: None, lambda _: None)
    try:
        loadgen.StartTestWithLogSettings(system, library, settings, logs)
    finally:
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(system)


SUITE.add("inference/overhead", Cell(part="inference", measure=_overhead))
SUITE.add("inference/null_device", Cell(part="inference", measure=_null_device))
