"""The phases of a run: loading, the first inference, warm-up, steady state, accuracy."""

import math
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from tpukit import host, stats
from tpukit.clock import Clock
from tpukit.errors import ConfigError, DeviceError
from tpukit.inference import _inputs, _summary
from tpukit.inference._measure import Progress, Ticker, measure, several
from tpukit.inference._model import Model
from tpukit.inference._rules import service_ns
from tpukit.inference._scenarios import SCENARIOS, WARMUP_PARTS, Arrival, Bounds, Scenario, steady, warmup
from tpukit.inference._schedule import poisson, schedule_rng
from tpukit.inference._serve import Issuing, blocking, desk, load, serve
from tpukit.inference._settings import Settings
from tpukit.inference._timeline import Timeline
from tpukit.inference._types import Arrays, Device, Query, Session, Tensor
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

    def samples(self, session: Session) -> list[Arrays]:
        """Return what goes into the model."""
        if self.data:
            return _inputs.data_samples(self.data, session.inputs)
        return _inputs.random_samples(session.inputs, np.random.default_rng(self.settings.seed))


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """The warm-up: its length and queries, the drift of its last part (NaN without one), whether it ended early."""

    span_ns: int
    queries: int
    drift: float
    last: Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the phases of a run gave."""

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


def run_phases(job: Job, load_average: float, progress: Progress | None, cancel: Cancel) -> Measured:
    """Load, run once, warm up, measure, count accuracy."""
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
        job.recorder.rest(min(_REST_S, job.settings.duration_s))
        warm = _warm_up(job, query, len(samples), cancel)
        use, steady_began, steady_started = host.cpu_use(), perf_ns(), job.clock.utc()
        timeline = (
            warm.last.nothing_more()
            if warm.last.ended_early
            else _steady(job, session, samples, query=query, progress=progress, cancel=cancel)
        )
        around = _summary.Surroundings(
            threads=job.settings.threads,
            cores=host.cores(),
            allowed=host.allowed_processors(),
            processors=host.processors(),
            load_average=load_average,
            before=use,
            after=host.cpu_use(),
            wall_s=(perf_ns() - steady_began) / 1e9,
            day_s=(job.clock.utc() - steady_started).total_seconds(),
            warm_drift=warm.drift,
        )
        timeline, found = _accuracy(job.data, query, samples, timeline=timeline, cancel=cancel)
        return Measured(
            load_s=(loaded - began) / 1e9,
            first_s=(after_first - before_first) / 1e9,
            warm=warm,
            steady=timeline,
            steady_started=steady_started,
            recorder=job.recorder,
            around=around,
            accuracy=found,
            inputs=session.inputs,
            outputs=session.outputs,
        )


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
            between=_nobody,
            cancel=cancel,
        )
        parts, span_ns, queries = parts + 1, span_ns + part.span_ns, queries + part.queries
        drift = stats.drift(service_ns(part) / 1e9)
        if part.ended_early or math.isnan(drift) or parts == WARMUP_PARTS:
            return Warm(span_ns=span_ns, queries=queries, drift=drift, last=part)


def _nobody(share: float) -> None:
    """Tell nobody the share done."""


def _steady(
    job: Job,
    session: Session,
    samples: list[Arrays],
    *,
    query: Query,
    progress: Progress | None,
    cancel: Cancel,
) -> Timeline:

    def observe(share: float) -> None:
        job.recorder.observe()

    listeners = (observe, progress) if progress else (observe,)
    job.recorder.before()
    tick = Ticker(perf_ns=job.clock.perf_ns, listeners=listeners, last_ns=job.clock.perf_ns())
    if job.scenario.arrival is Arrival.BY_SCHEDULE:
        timeline = _served(job, session, samples, query=query, between=tick, cancel=cancel)
    else:
        timeline = measure(
            several(query, job.settings.samples_per_query // job.settings.batch, len(samples)),
            len(samples),
            arrival=job.scenario.arrival,
            bounds=job.bounds,
            clock=job.clock,
            between=tick,
            cancel=cancel,
        )
    job.recorder.after()
    if progress and not timeline.ended_early:
        progress(1.0)
    return timeline


def _served(
    job: Job, session: Session, samples: list[Arrays], *, query: Query, between: Progress, cancel: Cancel
) -> Timeline:
    bounds, rate_hz = job.bounds, job.settings.rate_hz or 0.0
    if rate_hz * job.settings.duration_s > job.max_queries:
        raise ConfigError(
            f"{rate_hz:g} queries/s for {job.settings.duration_s:g} s: memory holds {job.max_queries} of them; "
            "ask for a shorter run or a lower rate"
        )
    # the schedule has a generator of its own: the inputs must not depend on how long it is
    rng = schedule_rng(job.settings.seed)
    due_ns = poisson(rate_hz, rng, duration_ns=bounds.duration_ns, min_queries=bounds.min_queries)
    wanted = load(due_ns, job.settings)
    at = desk(job.clock, wanted)
    issue = session.bind_issue(samples, at.complete) if isinstance(session, Issuing) else blocking(query, at.complete)
    return serve(issue, at, wanted, samples=len(samples), clock=job.clock, between=between, cancel=cancel)


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
