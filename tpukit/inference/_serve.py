"""The open loop: queries are issued when they are due, whether or not the device keeps up."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tpukit import stats
from tpukit.clock import Clock
from tpukit.errors import DeviceError
from tpukit.inference._rules import BACKLOG_LIMIT
from tpukit.inference._settings import Settings
from tpukit.inference._timeline import NEVER, Timeline
from tpukit.inference._types import Arrays, Query
from tpukit.interrupts import Cancel

#: `complete(ticket)`, or `complete(ticket, "why it failed")`: called once for each ticket, from any thread.
Complete = Callable[..., None]
#: `issue(ticket, index)` begins the query of this ticket on the prepared sample with this index.
Issue = Callable[[int, int], None]

_LOOK_UP_NS = 50_000_000
_ENOUGH_TIME_NS = 3_000_000
_POLL_S = 0.0005
# the last queries of a device that answers late are waited for so long, whatever the bound is
_PATIENCE_NS = 1_000_000_000


@runtime_checkable
class Issuing(Protocol):
    """A session that can have several queries in flight, as a service that batches has."""

    def bind_issue(self, samples: Sequence[Arrays], complete: Complete) -> Issue:
        """Prepare `samples` and return what begins a query on one of them; `complete` is called when it ended."""


def blocking(query: Query, complete: Complete) -> Issue:
    """Return what issues on a device that takes one query at a time: it ends before the next one can be issued.

    No thread beside it is needed: queries that become due meanwhile wait, as they would before the device, and their
    latency counts from when they were due.
    """

    def issue(ticket: int, index: int) -> None:
        try:
            query(index)
        except DeviceError as error:
            complete(ticket, str(error) or type(error).__name__)
        else:
            complete(ticket)

    return issue


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A schedule, shape (n,) in nanoseconds from the start, and when it is given up."""

    due_ns: NDArray[np.int64]
    bound_ns: int
    allowed_over: int

    @property
    def backlog_ns(self) -> int:
        """The age of the oldest query at which the run ends, once it cannot be VALID any more."""
        return BACKLOG_LIMIT * self.bound_ns


def load(due_ns: NDArray[np.int64], settings: Settings) -> Load:
    """Return the load that a server run's settings ask for."""
    bound_s, percentile = settings.latency_bound_s or 0.0, settings.percentile or 0.0
    return Load(
        due_ns=due_ns,
        bound_ns=round(bound_s * 1e9),
        # a run too short to be VALID ends by its backlog
        allowed_over=stats.allowed_over(len(due_ns), percentile) or 0,
    )


@dataclass(slots=True, kw_only=True)
class Desk:
    """Takes completions, and knows the oldest query that is not complete."""

    perf_ns: Callable[[], int]
    ends: "array[int]"
    failure: str | None = None
    failed: int | None = None
    oldest: int = 0
    over: int = 0
    due: "array[int]" = field(default_factory=lambda: array("q"))

    def complete(self, ticket: int, error: str | None = None) -> None:
        """Note that a query ended."""
        if error is None:
            self.ends[ticket] = self.perf_ns()
        elif self.failure is None:
            self.failed, self.failure = ticket, error

    def settle(self, issued: int, bound_ns: int) -> None:
        """Pass over the queries that are complete, and count those over the bound."""
        while self.oldest < issued and self.ends[self.oldest] != NEVER:
            self.over += self.ends[self.oldest] - self.due[self.oldest] > bound_ns
            self.oldest += 1

    def overdue(self, bound_ns: int) -> int:
        """Return how many queries are over the bound already without being complete."""
        return bisect_right(self.due, self.perf_ns() - bound_ns, lo=self.oldest) - self.oldest

    def age_ns(self) -> int:
        """Return how long the oldest query that is not complete has been due; negative where it is not due yet."""
        return self.perf_ns() - self.due[self.oldest] if self.oldest < len(self.due) else 0


def desk(clock: Clock, load: Load) -> Desk:
    """Return the desk of a run."""
    return Desk(perf_ns=clock.perf_ns, ends=array("q", [NEVER]) * len(load.due_ns))


def serve(
    issue: Issue,
    at: Desk,
    load: Load,
    *,
    samples: int,
    clock: Clock,
    between: Callable[[float], None],
    cancel: Cancel,
) -> Timeline:
    """Issue each query of the load when it is due, over `samples` prepared samples in rotation.

    `between` is called with the share done while there is time before the next query. The run ends early where
    `cancel` is set, a query fails, or the backlog passes its limit when too many queries are over the bound already.
    """
    zero = clock.perf_ns()
    at.due = array("q", (load.due_ns + zero).tobytes())
    run = _Run(load=load, desk=at, clock=clock, between=between, cancel=cancel)
    try:
        run.issue_all(issue, samples)
        run.drain()
    except KeyboardInterrupt:
        run.stopped = True
    issued = len(run.starts)
    return Timeline(
        starts=run.starts,
        ends=at.ends[:issued],
        due=at.due[:issued],
        failure=at.failure,
        failed=at.failed,
        cut_short=run.stopped,
        overloaded=run.overloaded,
    )


@dataclass(slots=True, kw_only=True)
class _Run:
    load: Load
    desk: Desk
    clock: Clock
    between: Callable[[float], None]
    cancel: Cancel
    starts: "array[int]" = field(default_factory=lambda: array("q"))
    stopped: bool = False
    overloaded: bool = False

    def issue_all(self, issue: Issue, samples: int) -> None:
        perf_ns, desk, starts, bound_ns = self.clock.perf_ns, self.desk, self.starts, self.load.bound_ns
        for ticket, due in enumerate(desk.due):
            if perf_ns() < due:
                self._wait(due, ticket)
            if self.cancel.is_set():
                self.stopped = True
                return
            starts.append(perf_ns())
            issue(ticket, ticket % samples)
            desk.settle(ticket + 1, bound_ns)
            if desk.failure is not None or self._is_overloaded():
                return

    def drain(self) -> None:
        """Wait for the queries that are under way, unless the run ended early."""
        issued = len(self.starts)
        while not (self.stopped or self.overloaded or self.desk.failure):
            self.desk.settle(issued, self.load.bound_ns)
            if self.desk.oldest >= issued:
                return
            if self.cancel.is_set():
                self.stopped = True
            elif self.desk.age_ns() > max(self.load.backlog_ns, _PATIENCE_NS):
                self.desk.complete(self.desk.oldest, f"no answer for {self.desk.age_ns() / 1e9:.3g} s")
            else:
                self.clock.sleep(_POLL_S)

    def _is_overloaded(self) -> bool:
        """Tell whether the backlog is at its limit, or the schedule's end past, and the bound lost for good."""
        desk, load = self.desk, self.load
        late_ns = desk.perf_ns() - desk.due[-1]
        if desk.age_ns() > load.backlog_ns or late_ns > load.bound_ns:
            self.overloaded = desk.over + desk.overdue(load.bound_ns) > load.allowed_over
        return self.overloaded

    def _wait(self, due_ns: int, ticket: int) -> None:
        """Wait for the next query; look up from time to time where there is time for it."""
        clock = self.clock
        while (left_ns := due_ns - clock.perf_ns()) > 0 and not self.cancel.is_set():
            if left_ns > _ENOUGH_TIME_NS:
                self.between(ticket / len(self.load.due_ns))
            clock.wait_until_ns(min(due_ns, clock.perf_ns() + _LOOK_UP_NS))
