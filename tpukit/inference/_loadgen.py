"""A session under MLPerf's LoadGen: the same queries, issued, timed and judged by mlcommons-loadgen.

LoadGen runs in this thread and calls back for each query, which is run in place: both harnesses so drive a device that
takes one query at a time, alike. What cannot be made equal: LoadGen's latency holds the call from C++ into Python and
back (about 1 µs); it draws samples at random, with replacement; and in server it sleeps until a query is due, so that
the query begins when the operating system wakes it.
"""

import logging
import math
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from tpukit.clock import Clock
from tpukit.errors import MissingDependencyError
from tpukit.inference._loadgen_logs import LoadGenResult, QueryLog, read_detail, read_trace
from tpukit.inference._scenarios import MULTI_STREAM, OFFLINE, SERVER, SINGLE_STREAM
from tpukit.inference._schedule import poisson, schedule_rng
from tpukit.inference._settings import Settings
from tpukit.inference._types import Query
from tpukit.interrupts import Cancel, interruptible

_LOG = logging.getLogger(__name__)
# LoadGen keeps its loggers and its threads in globals
_ONE_AT_A_TIME = threading.Lock()
_NAMES = {
    SINGLE_STREAM.name: "SingleStream",
    MULTI_STREAM.name: "MultiStream",
    SERVER.name: "Server",
    OFFLINE.name: "Offline",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderTest:
    """What LoadGen drives: `query`, bound to so many prepared `samples` and warm, since LoadGen does not warm up.

    LoadGen prepares its queries before it begins: for the time asked for twice over where a query takes `expected_s`,
    `max_queries` at most, and ends INVALID where they run out. `expected_s` should so be half of what a query takes;
    in offline what one call of `query` takes, since it prepares samples for 1.1 times the time.
    """

    query: Query
    samples: int
    expected_s: float
    max_queries: int | None = None


def loadgen_version() -> str:
    """Return the version of mlcommons-loadgen; raises MissingDependencyError where it is not installed."""
    _loadgen()
    return metadata.version("mlcommons-loadgen")


def drive(under_test: UnderTest, settings: Settings, *, cancel: Cancel | None = None) -> LoadGenResult:
    """Run LoadGen and return what it says. With a batch, what LoadGen calls a sample is one batch.

    What the query raises ends the run and is raised here, as is KeyboardInterrupt once `cancel` is set or Ctrl-C is
    pressed. Raises MissingDependencyError where mlcommons-loadgen is not installed.
    """
    with _Logs(trace=False) as logs:
        _run(_System(query=under_test.query), under_test, settings, logs=logs, cancel=cancel)
        return logs.result(settings)


def drive_logged(
    under_test: UnderTest,
    settings: Settings,
    *,
    cancel: Cancel | None = None,
    clock: Clock | None = None,
) -> tuple[LoadGenResult, QueryLog]:
    """Do as `drive`, and return the stamps of every query too; they take 650 bytes a query on the disk meanwhile.

    With `clock`, the callback of a server query does not return before the next one is due, for which it waits as
    `benchmark` does: LoadGen never sleeps, and is not woken late. The schedule so kept begins with the first callback,
    some microseconds after LoadGen's own: `QueryLog.held_ns` says how many.
    """
    system = _System(query=under_test.query, hold=_hold(settings, clock) if clock else None)
    with _Logs(trace=True) as logs:
        _run(system, under_test, settings, logs=logs, cancel=cancel)
        return logs.result(settings), logs.queries(settings)


@dataclass(slots=True, kw_only=True)
class _Hold:
    """Keeps LoadGen's thread in the callback until the next query of its schedule is due."""

    clock: Clock
    due_ns: Sequence[int]
    zero_ns: int = 0
    issued: int = 0

    def begin(self) -> None:
        if self.issued == 0:
            self.zero_ns = self.clock.perf_ns()
        self.issued += 1

    def until_next(self) -> None:
        if self.issued < len(self.due_ns):
            self.clock.wait_until_ns(self.zero_ns + self.due_ns[self.issued])


def _hold(settings: Settings, clock: Clock) -> _Hold | None:
    if settings.rate_hz is None:
        return None
    due_ns = poisson(
        settings.rate_hz,
        schedule_rng(settings.seed),
        duration_ns=math.ceil(settings.duration_s * 1e3) * 10**6,
        min_queries=settings.min_queries,
    )
    return _Hold(clock=clock, due_ns=due_ns.tolist())


@dataclass(slots=True, kw_only=True)
class _System:
    """What LoadGen calls the system under test.

    Nothing may be raised through LoadGen's frames: its threads would end the process at the next run. After a failure
    the rest is answered unrun, which takes little time where each query waits for the last one. In server it is left
    unanswered until LoadGen, which allows one such query, has ended the schedule early.
    """

    query: Query
    hold: _Hold | None = None
    failure: BaseException | None = None
    left: list[int] = field(default_factory=list)

    def issuer(self, answer: Callable[[int], None], stop: Cancel, *, leave: bool) -> Callable[[Any], None]:
        query = self.query

        def issue(queries: Any) -> None:
            for each in queries:
                try:
                    if self.failure is None:
                        query(each.index)
                except BaseException as error:  # noqa: BLE001 raised again when LoadGen has ended
                    self.failure = error
                if leave and self.failure is not None:
                    self.left.append(each.id)
                else:
                    answer(each.id)
            if stop.is_set() and self.failure is None:
                self.failure = KeyboardInterrupt()

        return self._held(issue, self.hold) if self.hold else issue

    def _held(self, issue: Callable[[Any], None], hold: _Hold) -> Callable[[Any], None]:
        def issue_and_hold(queries: Any) -> None:
            hold.begin()
            issue(queries)
            if self.failure is None:
                hold.until_next()

        return issue_and_hold

    def flush(self, answer: Callable[[int], None]) -> None:
        for identity in self.left:
            answer(identity)
        self.left.clear()


def _run(system: _System, under_test: UnderTest, settings: Settings, *, logs: "_Logs", cancel: Cancel | None) -> None:
    loadgen = _loadgen()
    # one response for all: a new one takes 0.2 us, which LoadGen counts as latency
    complete, response = loadgen.QuerySamplesComplete, loadgen.QuerySampleResponse(0, 0, 0)
    responses = [response]

    def answer(identity: int) -> None:
        response.id = identity
        complete(responses)

    with _ONE_AT_A_TIME, interruptible(cancel) as stop, _silent():
        issue = system.issuer(answer, stop, leave=settings.scenario == SERVER.name)
        sut = loadgen.ConstructSUT(issue, lambda: system.flush(answer))
        library = loadgen.ConstructQSL(under_test.samples, under_test.samples, lambda _: None, lambda _: None)
        try:
            loadgen.StartTestWithLogSettings(
                sut, library, _test_settings(loadgen, settings, under_test), *logs.settings(loadgen)
            )
        finally:
            loadgen.DestroyQSL(library)
            loadgen.DestroySUT(sut)
    if system.failure is not None:
        raise system.failure


def _loadgen() -> Any:
    try:
        import mlperf_loadgen
    except ImportError as error:
        raise MissingDependencyError("mlcommons-loadgen", "loadgen") from error
    return mlperf_loadgen


def _test_settings(loadgen: Any, settings: Settings, under_test: UnderTest) -> Any:
    asked = loadgen.TestSettings()
    asked.scenario = getattr(loadgen.TestScenario, _NAMES[settings.scenario])
    asked.mode = loadgen.TestMode.PerformanceOnly
    asked.min_duration_ms = math.ceil(settings.duration_s * 1e3)
    asked.min_query_count = settings.min_queries
    asked.max_query_count = under_test.max_queries or 0
    asked.qsl_rng_seed = asked.sample_index_rng_seed = asked.schedule_rng_seed = settings.seed
    expected_ns = max(1, round(under_test.expected_s * 1e9))
    if settings.scenario == SINGLE_STREAM.name:
        asked.single_stream_expected_latency_ns = expected_ns
        asked.single_stream_target_latency_percentile = settings.percentile
    elif settings.scenario == MULTI_STREAM.name:
        asked.multi_stream_expected_latency_ns = expected_ns
        asked.multi_stream_target_latency_percentile = settings.percentile
        asked.multi_stream_samples_per_query = settings.samples_per_query // settings.batch
    elif settings.scenario == SERVER.name:
        asked.server_target_qps = settings.rate_hz
        asked.server_target_latency_ns = round((settings.latency_bound_s or 0.0) * 1e9)
        asked.server_target_latency_percentile = settings.percentile
        asked.server_max_async_queries = 1
    else:
        asked.offline_expected_qps = 1e9 / expected_ns
    return asked


class _Logs:
    """LoadGen's logs, in a folder of their own that goes when they were read."""

    def __init__(self, *, trace: bool) -> None:
        self._trace = trace
        self._folder = tempfile.TemporaryDirectory(prefix="tpukit-")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._folder.cleanup()

    def settings(self, loadgen: Any) -> tuple[Any, str]:
        """Return the log settings, and the path of an audit's configuration that does not exist."""
        logs = loadgen.LogSettings()
        logs.log_output.outdir = self._folder.name
        logs.log_output.copy_summary_to_stdout = False
        logs.enable_trace = self._trace
        return logs, str(Path(self._folder.name) / "no_audit.config")

    def result(self, settings: Settings) -> LoadGenResult:
        return read_detail(self._text("detail.txt"), settings)

    def queries(self, settings: Settings) -> QueryLog:
        return read_trace(self._text("trace.json"), settings)

    def _text(self, name: str) -> str:
        return (Path(self._folder.name) / f"mlperf_log_{name}").read_text(encoding="utf-8", errors="replace")


@contextmanager
def _silent() -> Iterator[None]:
    """Keep what native code writes on file descriptors 1 and 2 from the user, and log it at DEBUG."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with tempfile.TemporaryFile() as said:
        saved = [(number, os.dup(number)) for number in (1, 2) if _is_open(number)]
        for number, _ in saved:
            os.dup2(said.fileno(), number)
        try:
            yield
        finally:
            for number, copy in saved:
                os.dup2(copy, number)
                os.close(copy)
            said.seek(0)
            for line in said.read().decode(errors="replace").splitlines():
                _LOG.debug("LoadGen: %s", line)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
