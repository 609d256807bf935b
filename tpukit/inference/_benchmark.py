"""`benchmark`: one model on one device under one scenario, from the file to the tables."""

import json
import re
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import pandas as pd

from tpukit import host, schema
from tpukit.clock import Clock, SystemClock
from tpukit.errors import ConfigError, TpukitError
from tpukit.inference import _summary
from tpukit.inference._devices import get_device
from tpukit.inference._inspect import inspect_model
from tpukit.inference._measure import Progress
from tpukit.inference._model import Model, read_model
from tpukit.inference._phases import Job, Measured, run_phases
from tpukit.inference._roofline import HasPeaks, Limit, file_batch, limit, limit_columns, work
from tpukit.inference._rules import INVALID, VALID, judge
from tpukit.inference._scenarios import Arrival
from tpukit.inference._settings import settings
from tpukit.inference._types import Device, Facts, HasSensor
from tpukit.interrupts import Cancel, interruptible
from tpukit.sensors import Recorder, Sensors, find
from tpukit.workloads import Data, read_data

# a null device's 10 million queries took 80 bytes each at the peak, their way into the history 40 more
_QUERY_BYTES, _MEMORY_SHARE = 120, 0.8
# what history.find takes for the newest runs
_RESERVED = re.compile(r"latest(~\d+)?")
_LIBRARIES = ("tpukit", "ai-edge-litert", "jax", "jaxlib", "numpy", "pandas", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BenchmarkResult:
    """One run: `run` (RUNS, one row), `samples` (SAMPLES), `summary` (RESULTS, one row).

    `verdict` is VALID or INVALID, `reasons` say why it is INVALID, `warnings` what makes its numbers unstable
    or not the device's alone.
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
    name: str | None = None,
    profile: str = "default",
    duration_s: float | None = None,
    min_queries: int | None = None,
    threads: int = 1,
    batch: int = 1,
    samples_per_query: int | None = None,
    rate_hz: float | None = None,
    latency_bound_s: float | None = None,
    percentile: float | None = None,
    seed: int = 0,
    data: Data | Path | str | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    sensors: Sensors | None = None,
    clock: Clock | None = None,
) -> BenchmarkResult:
    """Measure a model on a device.

    The model is loaded, run once, warmed up until its latency drifts no more, then run for at least `duration_s`
    seconds and `min_queries` queries. `batch` samples go to the device at once; with a batch of 1 that is the model's
    whole input as its file has it. Inputs are the data's, or random ones by `seed`; a bundled model brings its own
    data. With data, accuracy is counted in a pass of its own, after the timed one. `name` is kept with the run.

    `scenario` says how queries arrive (Reddi et al. 2020, arXiv:1911.02549, section IV):

    - single_stream: one when the last one ended;
    - multi_stream: the same, with `samples_per_query` samples in each (default 8);
    - server: `rate_hz` per second on average, at the times of a Poisson process drawn by `seed`, whether or not the
      device keeps up; latency counts from when a query was due, and `percentile` of it is held against
      `latency_bound_s` (default 0.01). The run ends early once its backlog is 10 times the bound and it cannot be
      VALID any more;
    - offline: all at the start.

    The rules of VALID are LoadGen's. Where `duration_s` is not given it is 10 s, by `profile="mlperf"` 600 s;
    `min_queries` is what LoadGen's early stopping needs for `percentile` (0.9 in single_stream, else 0.99), 100 at
    least.

    Energy and heat are read before and after the steady state and between its queries, by `sensors` (default: what the
    machine has); where there are sensors of energy, power at rest is measured for up to two seconds before the warm-up.
    The limit of a device that knows its peaks stands beside the result; they are measured once on a machine, which
    takes some seconds.

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
    wanted = settings(
        scenario,
        profile=profile,
        duration_s=duration_s,
        min_queries=min_queries,
        threads=threads,
        batch=batch,
        seed=seed,
        samples_per_query=samples_per_query,
        rate_hz=rate_hz,
        latency_bound_s=latency_bound_s,
        percentile=percentile,
    )
    read, used = read_model(model), clock or SystemClock()
    if name is not None:
        check_name(name, read.name)
    on = get_device(device)
    job = Job(
        settings=wanted,
        device=on,
        model=read,
        data=_data(data or read.data),
        clock=used,
        recorder=Recorder(sensors or _sensors(on), clock=used),
        max_queries=int(host.available_memory_bytes() * _MEMORY_SHARE / _QUERY_BYTES),
    )
    started = job.clock.utc()
    load_average = host.load_average()
    before = {
        "run_id": f"{started:%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}",
        "name": name,
        "started": started,
        "load_average_1m": load_average,
        "git_revision": host.git_revision(Path.cwd()),
    }
    with interruptible(cancel) as stop:
        measured = run_phases(job, load_average, progress, stop)
        result = _result(job, before | _run_row(job, measured), measured, stop)
        # one that came too late to cut the run short is not to be lost either
        return replace(result, cut_short=result.cut_short or stop.is_set())


def check_name(name: str, model: str) -> None:
    """Raise ConfigError for a name by which a run could not be found again."""
    if not name.strip() or not name.isprintable():
        raise ConfigError(f"name is {name!r}: expected some printable characters on one line")
    if _RESERVED.fullmatch(name) or name == model:
        raise ConfigError(f"name is {name!r}, which names other runs already: choose another")


def _sensors(device: Device) -> Sensors:
    return find(device=device.sensor) if isinstance(device, HasSensor) else find()


def _data(data: Data | Path | str | None) -> Data | None:
    return data if data is None or isinstance(data, Data) else read_data(Path(data))


def _run_row(job: Job, measured: Measured) -> dict[str, Any]:
    machine = host.describe()
    return asdict(job.settings) | {
        "steady_started": measured.steady_started,
        "model": job.model.name,
        "device": job.device.name,
        "data": job.data.name if job.data else "random",
        "model_sha256": job.model.sha256,
        "model_size_bytes": job.model.size_bytes,
        "inputs": json.dumps([tensor.as_dict() for tensor in measured.inputs]),
        "outputs": json.dumps([tensor.as_dict() for tensor in measured.outputs]),
        "runtime": measured.runtime,
        "ops": measured.facts.ops,
        "ops_on_device": measured.facts.ops_on_device,
        "host": machine.name,
        "cpu": machine.cpu,
        "cores": machine.cores,
        "memory_bytes": machine.memory_bytes,
        "governor": machine.governor,
        "os": machine.os,
        "versions": json.dumps(host.versions(_LIBRARIES)),
    }


def _result(job: Job, run: dict[str, Any], measured: Measured, cancel: Cancel) -> BenchmarkResult:
    timeline = measured.steady
    samples = _summary.samples_table(run["run_id"], timeline)
    row = _summary.summary(timeline, settings=job.settings, scenario=job.scenario)
    reasons = judge(timeline, settings=job.settings, bounds=job.bounds)
    warnings = _placement(measured.facts) + _summary.instability(timeline, row, measured.around)
    verdict = INVALID if reasons else VALID
    row |= {name: run[name] for name in schema.RESULTS.names if name in run}
    row |= _summary.accuracy_columns(measured.accuracy) | measured.recorder.columns()
    if not cancel.is_set():  # the peaks take seconds where nobody has measured them yet
        row |= _limit_columns(job, row, measured.facts)
    row |= {
        "verdict": verdict,
        "reasons": "; ".join(reasons),
        "warnings": "; ".join(warnings),
        "load_s": measured.load_s,
        "compile_s": measured.facts.compile_s,
        "first_s": measured.first_s,
        "warmup_s": measured.warm.span_ns / 1e9,
        "warmup_queries": measured.warm.queries,
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


def _placement(facts: Facts) -> tuple[str, ...]:
    """Say how much of the model the device left to the processor."""
    if facts.ops is None or facts.ops_on_device is None or facts.ops_on_device >= facts.ops:
        return ()
    return (f"{facts.ops - facts.ops_on_device} of {facts.ops} ops ran on the CPU",)


def _limit_columns(job: Job, row: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """Say what bounds the metric, where the peaks are known and there is a metric."""
    metric, made = row["metric"], job.settings
    if metric not in row or not (facts.peaks or isinstance(job.device, HasPeaks)):
        return {}
    try:
        found = _limit(job, facts)
    except TpukitError as error:
        return {"limit": f"none: {error}"}
    runs = made.samples_per_query // made.batch
    columns = limit_columns(replace(found, batch=made.batch), metric=metric, value=row[metric], runs=runs)
    if job.scenario.arrival is Arrival.BY_SCHEDULE:
        # its latency is mostly waiting: near the limit is a device that serves much of what that allows
        columns["fraction_of_peak"] = row["throughput_per_s"] * found.seconds / made.batch
    return columns


def _limit(job: Job, facts: Facts) -> Limit:
    """Return the least time of one run of the batch; raises what peaks and inspection raise."""
    threads, batch = job.settings.threads, job.settings.batch
    peaks = facts.peaks
    if peaks is None:
        peaks = cast("HasPeaks", job.device).peaks(threads)
    if facts.work is not None:
        return limit(facts.work, peaks)
    info = inspect_model(job.model)
    # a file may have this batch itself: its work is then that of the batch already
    return limit(work(info), peaks, batch=batch // file_batch(info) if batch > 1 else 1)
