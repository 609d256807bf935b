"""`benchmark`: one model on one device under one scenario, from the file to the tables."""

import json
import secrets
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tpukit import host, schema
from tpukit.clock import Clock, SystemClock
from tpukit.errors import DeviceError
from tpukit.inference import _inputs, _summary
from tpukit.inference._devices import get_device
from tpukit.inference._measure import Progress, Timeline, measure
from tpukit.inference._model import Model, read_model
from tpukit.inference._scenarios import INVALID, SCENARIOS, VALID, Bounds, Scenario, judge, steady, warmup
from tpukit.inference._types import Arrays, Device, Query, Session, Settings, Tensor
from tpukit.interrupts import Cancel, interruptible
from tpukit.workloads import Data, read_data

# a null device's 10 million queries took 80 bytes each at the peak, their way into the history 40 more
_QUERY_BYTES, _MEMORY_SHARE = 120, 0.8
_LIBRARIES = ("tpukit", "ai-edge-litert", "numpy", "pandas", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BenchmarkResult:
    """One run: `run` (RUNS, one row), `samples` (SAMPLES), `summary` (RESULTS, one row).

    `verdict` is VALID or INVALID, `reasons` say why it is INVALID, `warnings` what makes its numbers unstable.
    `cut_short` says that somebody stopped it, be it after the last query of a VALID run.
    """

    run: pd.DataFrame
    samples: pd.DataFrame
    summary: pd.DataFrame
    verdict: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    cut_short: bool


def benchmark(  # noqa: PLR0913 the settings of a run, each named by the caller
    model: str | Path | Model,
    device: str | Device = "cpu",
    scenario: str = "single_stream",
    *,
    duration_s: float = 10.0,
    min_queries: int = 100,
    threads: int = 1,
    batch: int = 1,
    seed: int = 0,
    data: Data | Path | str | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    clock: Clock | None = None,
) -> BenchmarkResult:
    """Measure a model on a device.

    The model is loaded, run once, warmed up, then run for at least `duration_s` seconds and `min_queries` queries of
    `batch` samples each. With a batch of 1 a query is the model's whole input as its file has it. Inputs are the
    data's, or random ones by `seed`; a bundled model brings its own data. With data, accuracy is counted in a pass of
    its own, after the timed one.

    `progress` is called between queries, four times a second, with the share done; the run's time goes on meanwhile.
    Where `cancel` (a `threading.Event`, say) is set, or Ctrl-C is pressed, the run ends and what was measured is
    returned, INVALID and `cut_short`; a second Ctrl-C is a KeyboardInterrupt. The run ends too where the stamps of its
    queries would not fit into memory any more.

    Raises ConfigError, UnknownNameError, ModelLoadError or DeviceUnavailableError for what cannot be measured at all,
    and DeviceError where the first inference fails. A later query that fails ends the run, as a row of `samples` and a
    reason.

    >>> result = benchmark("digits_cnn_int8", duration_s=0.05)
    >>> result.verdict
    'VALID'
    """
    settings = Settings(
        scenario=scenario, duration_s=duration_s, min_queries=min_queries, threads=threads, batch=batch, seed=seed
    )
    read = read_model(model)
    job = _Job(
        settings=settings,
        device=get_device(device),
        model=read,
        data=_data(data or read.data),
        clock=clock or SystemClock(),
        max_queries=int(host.available_memory_bytes() * _MEMORY_SHARE / _QUERY_BYTES),
    )
    started = job.clock.utc()
    load_average = host.load_average()
    before = {
        "run_id": f"{started:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}",
        "started": started,
        "load_average_1m": load_average,
        "git_revision": host.git_revision(Path.cwd()),
    }
    with interruptible(cancel) as stop:
        measured = _measured(job, load_average, progress, stop)
        result = _result(job, before | _run_row(job, measured), measured)
        # one that came too late to cut the run short is not to be lost either
        return replace(result, cut_short=result.cut_short or stop.is_set())


def _data(data: Data | Path | str | None) -> Data | None:
    return data if data is None or isinstance(data, Data) else read_data(Path(data))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    settings: Settings
    device: Device
    model: Model
    data: Data | None
    clock: Clock
    max_queries: int

    @property
    def scenario(self) -> Scenario:
        return SCENARIOS[self.settings.scenario]

    @property
    def bounds(self) -> Bounds:
        return steady(
            duration_s=self.settings.duration_s,
            min_queries=self.settings.min_queries,
            max_queries=self.max_queries,
        )

    def load(self, batch: int) -> "closing[Session]":
        return closing(self.device.load(self.model, threads=self.settings.threads, batch=batch))

    def samples(self, session: Session) -> list[Arrays]:
        if self.data:
            return _inputs.data_samples(self.data, session.inputs)
        return _inputs.random_samples(session.inputs, np.random.default_rng(self.settings.seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    load_s: float
    first_s: float
    warm: Timeline
    steady: Timeline
    around: _summary.Surroundings
    accuracy: _inputs.Accuracy | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def _measured(job: _Job, load_average: float, progress: Progress | None, cancel: Cancel) -> _Measured:
    perf_ns = job.clock.perf_ns
    job.device.runtime()  # imports what it needs: no part of loading a model
    began = perf_ns()
    with job.load(job.settings.batch) as session:
        loaded = perf_ns()
        samples = job.samples(session)
        query = session.bind(samples)
        before_first = perf_ns()
        outputs = query(0)
        after_first = perf_ns()
        if job.data:
            _inputs.check_classes(outputs[0], job.data, batch=job.settings.batch)
        if job.settings.batch > 1:
            with job.load(1) as single:
                _inputs.check_batch(outputs, samples[0], single, cancel)
        phase = partial(measure, query, len(samples), scenario=job.scenario, clock=job.clock, cancel=cancel)
        warm = phase(bounds=warmup(duration_s=job.settings.duration_s, max_queries=job.max_queries))
        use, steady_began = host.cpu_use(), perf_ns()
        timeline = warm.nothing_more() if warm.ended_early else phase(bounds=job.bounds, progress=progress)
        around = _summary.Surroundings(
            threads=job.settings.threads,
            cores=host.cores(),
            allowed=host.allowed_processors(),
            processors=host.processors(),
            load_average=load_average,
            before=use,
            after=host.cpu_use(),
            wall_s=(perf_ns() - steady_began) / 1e9,
        )
        timeline, found = _accuracy(job.data, query, samples, timeline=timeline, cancel=cancel)
        return _Measured(
            load_s=(loaded - began) / 1e9,
            first_s=(after_first - before_first) / 1e9,
            warm=warm,
            steady=timeline,
            around=around,
            accuracy=found,
            inputs=session.inputs,
            outputs=session.outputs,
        )


def _accuracy(
    data: Data | None, query: Query, samples: list[Arrays], *, timeline: Timeline, cancel: Cancel
) -> tuple[Timeline, _inputs.Accuracy | None]:
    if data is None or timeline.ended_early:
        return timeline, None
    try:
        found = _inputs.accuracy(query, samples, data, cancel)
        return (timeline, found) if found else (replace(timeline, cut_short=True), None)
    except KeyboardInterrupt:
        # the timed part is whole and must not be lost with the rest
        return replace(timeline, cut_short=True), None
    except DeviceError as error:
        return replace(timeline, failure=f"counting accuracy: {error}"), None


def _run_row(job: _Job, measured: _Measured) -> dict[str, Any]:
    machine = host.describe()
    return asdict(job.settings) | {
        "model": job.model.name,
        "device": job.device.name,
        "data": job.data.name if job.data else "random",
        "model_sha256": job.model.sha256,
        "model_size_bytes": job.model.size_bytes,
        "inputs": json.dumps([tensor.as_dict() for tensor in measured.inputs]),
        "outputs": json.dumps([tensor.as_dict() for tensor in measured.outputs]),
        "runtime": job.device.runtime(),
        "host": machine.name,
        "cpu": machine.cpu,
        "cores": machine.cores,
        "memory_bytes": machine.memory_bytes,
        "governor": machine.governor,
        "os": machine.os,
        "versions": json.dumps(host.versions(_LIBRARIES)),
    }


def _result(job: _Job, run: dict[str, Any], measured: _Measured) -> BenchmarkResult:
    timeline = measured.steady
    samples = _summary.samples_table(run["run_id"], timeline, job.scenario)
    row = _summary.summary(samples, scenario=job.scenario, batch=job.settings.batch)
    reasons = judge(
        bounds=job.bounds,
        steady_ns=timeline.span_ns,
        queries=len(timeline.ends),
        cut_short=timeline.cut_short,
        failure=timeline.failure,
    )
    warnings = _summary.instability(samples, row, measured.around)
    verdict = INVALID if reasons else VALID
    row |= {name: run[name] for name in ("run_id", "model", "device", "scenario", "threads", "batch")}
    row |= _summary.accuracy_columns(measured.accuracy)
    row |= {
        "verdict": verdict,
        "reasons": "; ".join(reasons),
        "warnings": "; ".join(warnings),
        "load_s": measured.load_s,
        "first_s": measured.first_s,
        "warmup_s": measured.warm.span_ns / 1e9,
        "warmup_queries": len(measured.warm.ends),
    }
    return BenchmarkResult(
        run=schema.frame([run], schema.RUNS),
        samples=samples,
        summary=schema.frame([row], schema.RESULTS),
        verdict=verdict,
        reasons=reasons,
        warnings=warnings,
        cut_short=timeline.cut_short,
    )
