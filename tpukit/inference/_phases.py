"""The phases of a run: loading, the first inference, warm-up, steady state, accuracy."""

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from tpukit import host, stats
from tpukit.clock import Clock
from tpukit.errors import ConfigError, DeviceError
from tpukit.inference import _inputs, _summary
from tpukit.inference._measure import Progress, Ticker, measure, nobody, several
from tpukit.inference._model import Model
from tpukit.inference._rules import service_ns
from tpukit.inference._scenarios import SCENARIOS, WARMUP_PARTS, Arrival, Bounds, Scenario, steady, warmup
from tpukit.inference._schedule import poisson, schedule_rng
from tpukit.inference._serve import OpenLoop, demand
from tpukit.inference._settings import Settings
from tpukit.inference._timeline import Timeline
from tpukit.inference._types import Arrays, Device, Facts, HasFacts, Query, Session, SharesBatch, Tensor
from tpukit.interrupts import Cancel
from tpukit.sensors import Recorder
from tpukit.workloads import Data

_REST_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a run is made of; `max_queries` is what there is memory for."""

    settings: Settings
    device: Device
    model: Model
    data: Data | None
    clock: Clock
    recorder: Recorder
    max_queries: int

    @property
    def scenario(self) -> Scenario:
        """How queries arrive."""
        return SCENARIOS[self.settings.scenario]

    @property
    def bounds(self) -> Bounds:
        """How long the steady state is."""
        return steady(
            duration_s=self.settings.duration_s,
            min_queries=self.settings.min_queries,
            max_queries=self.max_queries,
        )

    def load(self, batch: int) -> "closing[Session]":
        """Load the model."""
        return closing(self.device.load(self.model, threads=self.settings.threads, batch=batch))

    def load_alone(self) -> "closing[Session]":
        """Load the model for one sample, on one chip where the device has several."""
        one = self.device.alone() if isinstance(self.device, SharesBatch) else self.device
        return closing(one.load(self.model, threads=self.settings.threads, batch=1))

    def samples(self, session: Session) -> list[Arrays]:
        """Return what goes into the model."""
        if self.data:
            return _inputs.data_samples(self.data, session.inputs)
        return _inputs.random_samples(session.inputs, np.random.default_rng(self.settings.seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """The warm-up: its length, its queries, its last part, and that one's drift, NaN without one."""

    span_ns: int
    queries: int
    drift: float
    last: Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the phases of a run gave; `runtime` is what executed the model."""

    runtime: str
    load_s: float
    first_s: float
    warm: Warm
    steady: Timeline
    steady_started: datetime
    recorder: Recorder
    around: _summary.Surroundings
    accuracy: _inputs.Accuracy | None
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    facts: Facts


def run_phases(job: Job, load_average: float, progress: Progress | None, cancel: Cancel) -> Measured:
    """Load, run once, warm up, measure, count accuracy."""
    # imports what it needs, which is no part of loading a model; a device taken away meanwhile would not tell any more
    runtime = job.device.runtime()
    began = job.clock.perf_ns()
    with job.load(job.settings.batch) as session:
        load_s = (job.clock.perf_ns() - began) / 1e9
        samples = job.samples(session)
        query = session.bind(samples)
        first_s = _first(job, query, samples, cancel)
        job.recorder.rest(min(_REST_S, job.settings.duration_s))
        warm = _warm_up(job, query, len(samples), cancel)
        course = _course(job, session, query, samples) if not warm.last.ended_early else None
        timeline, started, around = _steady(job, warm, course, load_average, progress=progress, cancel=cancel)
        timeline, found = _accuracy(job.data, query, samples, timeline=timeline, cancel=cancel)
        return Measured(
            runtime=runtime,
            load_s=load_s,
            first_s=first_s,
            warm=warm,
            steady=timeline,
            steady_started=started,
            recorder=job.recorder,
            around=around,
            accuracy=found,
            inputs=session.inputs,
            outputs=session.outputs,
            facts=session.facts if isinstance(session, HasFacts) else Facts(),
        )


def _first(job: Job, query: Query, samples: list[Arrays], cancel: Cancel) -> float:
    """Run the first inference, check what comes out of it, and return how long it took."""
    began = job.clock.perf_ns()
    outputs = query(0)
    first_s = (job.clock.perf_ns() - began) / 1e9
    if job.data:
        _inputs.check_classes(outputs[0], job.data, batch=job.settings.batch)
    if job.settings.batch > 1:
        with job.load_alone() as single:
            _inputs.check_batch(outputs, samples[0], single, cancel)
    return first_s


def _warm_up(job: Job, query: Query, samples: int, cancel: Cancel) -> Warm:
    """Run until a rank test sees no more drift, or as many parts as a warm-up may have."""
    bounds = warmup(duration_s=job.settings.duration_s, max_queries=job.max_queries)
    span_ns = queries = parts = 0
    while True:
        part = measure(
            query,
            samples,
            arrival=Arrival.AT_START,
            bounds=bounds,
            clock=job.clock,
            between=nobody,
            cancel=cancel,
        )
        parts, span_ns, queries = parts + 1, span_ns + part.span_ns, queries + part.queries
        drift = stats.drift(service_ns(part) / 1e9)
        if part.ended_early or math.isnan(drift) or parts == WARMUP_PARTS:
            return Warm(span_ns=span_ns, queries=queries, drift=drift, last=part)


#: Measures the steady state; all that takes time before its first query is done.
_Course = Callable[[Progress, Cancel], Timeline]


def _course(job: Job, session: Session, query: Query, samples: list[Arrays]) -> _Course:
    if job.scenario.arrival is Arrival.BY_SCHEDULE:
        loop = OpenLoop(session, query, samples, demand(_schedule(job), job.settings), job.clock)
        return lambda between, cancel: loop.run(between=between, cancel=cancel)
    repeated = several(query, job.settings.samples_per_query // job.settings.batch, len(samples))
    return lambda between, cancel: measure(
        repeated,
        len(samples),
        arrival=job.scenario.arrival,
        bounds=job.bounds,
        clock=job.clock,
        between=between,
        cancel=cancel,
    )


def _schedule(job: Job) -> NDArray[np.int64]:
    bounds, rate_hz = job.bounds, job.settings.rate_hz or 0.0
    queries = max(rate_hz * job.settings.duration_s, bounds.min_queries)
    if queries > job.max_queries:
        raise ConfigError(
            f"a schedule of {queries:,.0f} queries: memory holds {job.max_queries:,} of them; "
            "ask for fewer queries, a shorter run or a lower rate"
        )
    # the schedule has a generator of its own: the inputs must not depend on how long it is
    rng = schedule_rng(job.settings.seed)
    return poisson(rate_hz, rng, duration_ns=bounds.duration_ns, min_queries=bounds.min_queries)


def _steady(
    job: Job,
    warm: Warm,
    course: _Course | None,
    load_average: float,
    *,
    progress: Progress | None,
    cancel: Cancel,
) -> tuple[Timeline, datetime, _summary.Surroundings]:
    """Measure, and note what the machine did meanwhile; without a course nothing more is measured."""
    job.recorder.before()
    use, began, started = host.cpu_use(), job.clock.perf_ns(), job.clock.utc()
    timeline = course(_ticker(job, progress), cancel) if course else warm.last.nothing_more()
    around = _summary.Surroundings(
        threads=job.settings.threads,
        cores=host.cores(),
        allowed=host.allowed_processors(),
        processors=host.processors(),
        load_average=load_average,
        before=use,
        after=host.cpu_use(),
        wall_s=(job.clock.perf_ns() - began) / 1e9,
        day_s=(job.clock.utc() - started).total_seconds(),
        warm_drift=warm.drift,
    )
    job.recorder.after()
    if progress and course and not timeline.ended_early:
        progress(1.0)
    return timeline, started, around


def _ticker(job: Job, progress: Progress | None) -> Ticker:
    def observe(share: float) -> None:
        job.recorder.observe()

    listeners = (observe, progress) if progress else (observe,)
    return Ticker(perf_ns=job.clock.perf_ns, listeners=listeners, last_ns=job.clock.perf_ns())


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
