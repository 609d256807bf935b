"""The measuring loop: the one place where the clock is read beside a running model."""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle, islice

from tpukit.clock import Clock
from tpukit.errors import DeviceError
from tpukit.inference._scenarios import Bounds, Scenario
from tpukit.inference._types import Query
from tpukit.interrupts import Cancel

#: Called between queries with the share of the run that is done, 0 to 1.
Progress = Callable[[float], None]

_REPORT_EVERY_NS = 250_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When each query started and ended, in nanoseconds of the clock; a query that failed has no end.

    `failure` says what the last query ended with, `cut_short` that somebody stopped the run.
    """

    starts: "array[int]"
    ends: "array[int]"
    failure: str | None
    cut_short: bool

    @property
    def span_ns(self) -> int:
        """From the first query's start to the last one's end."""
        return self.ends[-1] - self.starts[0] if self.ends else 0

    @property
    def ended_early(self) -> bool:
        """Whether it failed or was stopped."""
        return self.cut_short or self.failure is not None

    def nothing_more(self) -> "Timeline":
        """Return the timeline of a phase that never began because this one ended early."""
        return replace(self, starts=array("q"), ends=array("q"))


def measure(
    query: Query,
    samples: int,
    *,
    scenario: Scenario,
    bounds: Bounds,
    clock: Clock,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Timeline:
    """Run queries over `samples` prepared samples in rotation until `bounds` are met, a query fails or somebody stops.

    A KeyboardInterrupt ends the run as `cancel` does: what was measured is returned, marked as cut short.
    """
    stamps = _Stamps(starts=array("q"), ends=array("q"))
    run = _waiting if scenario.due_at_start else _one_by_one
    order = cycle(range(samples))
    failure, stopped = None, False
    elapsed = reported = 0
    try:
        while bounds.share(elapsed, len(stamps.ends)) < 1:
            if stopped := bool(cancel and cancel.is_set()):
                break
            run(query, islice(order, bounds.block(elapsed, len(stamps.ends))), clock.perf_ns, stamps)
            elapsed = stamps.elapsed_ns
            if progress and elapsed - reported >= _REPORT_EVERY_NS:
                reported = elapsed
                progress(bounds.share(elapsed, len(stamps.ends)))
        if progress:
            progress(bounds.share(elapsed, len(stamps.ends)))
    except DeviceError as error:
        failure = str(error) or type(error).__name__
    except KeyboardInterrupt:
        stopped = True
    whole = len(stamps.ends) + bool(failure)
    return Timeline(starts=stamps.starts[:whole], ends=stamps.ends, failure=failure, cut_short=stopped)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamps:
    # array("q") takes a fifth of a list's memory
    starts: "array[int]"
    ends: "array[int]"

    @property
    def elapsed_ns(self) -> int:
        return self.ends[-1] - self.starts[0] if self.ends else 0

    def extend(self, starts: list[int], ends: list[int]) -> None:
        self.starts.extend(array("q", starts))
        self.ends.extend(array("q", ends))


def _one_by_one(query: Query, indices: Iterator[int], perf_ns: Callable[[], int], stamps: _Stamps) -> None:
    order = list(indices)
    # by place into a list, not by append to the arrays: a model has thrown out of the cache whatever a stamp touches,
    # and this touches least (a quarter less per query on a 4.5 us model)
    block = [0] * (2 * len(order))
    at = began = failed = 0
    try:
        for index in order:
            began = perf_ns()
            query(index)
            block[at + 1] = perf_ns()
            block[at] = began
            at += 2
    except DeviceError:
        block[at], failed = began, 1
        raise
    finally:
        stamps.extend(block[: at + failed : 2], block[1:at:2])


def _waiting(query: Query, indices: Iterator[int], perf_ns: Callable[[], int], stamps: _Stamps) -> None:
    order = list(indices)
    ends = [0] * len(order)
    at = failed = 0
    # every sample waits for the device, so one query starts when the last one ends: one stamp for both
    began = perf_ns()
    try:
        for index in order:
            query(index)
            ends[at] = perf_ns()
            at += 1
    except DeviceError:
        failed = 1
        raise
    finally:
        stamps.extend([began, *ends[:at]][: at + failed], ends[:at])
