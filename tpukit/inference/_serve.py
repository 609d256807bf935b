"""The open loop: queries are issued when they are due, whether or not the device keeps up."""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tpukit import stats
from tpukit.clock import Clock
from tpukit.errors import DeviceError
from tpukit.inference._settings import Settings
from tpukit.inference._timeline import NEVER, Timeline
from tpukit.inference._types import Arrays, Query, Session
from tpukit.interrupts import Cancel

#: `complete(ticket)`, or `complete(ticket, "why it failed")`: called once for each ticket, from any thread.
Complete = Callable[..., None]
#: `issue(ticket, index)` begins the query of this ticket on the prepared sample with this index.
Issue = Callable[[int, int], None]

# a run that cannot be VALID any more ends when its oldest query is so many times the bound old
_BACKLOG_LIMIT = 10
# of so many, most over the bound are no chance
_ENOUGH_QUERIES = 20
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A schedule in nanoseconds from the start, shape (n,), the latency bound, and how many queries may be over it."""

    due_ns: NDArray[np.int64]
    bound_ns: int
    allowed_over: int

    @property
    def backlog_ns(self) -> int:
        """The age of the oldest query at which a run ends that cannot be VALID any more."""
        return _BACKLOG_LIMIT * self.bound_ns


def demand(due_ns: NDArray[np.int64], settings: Settings) -> Demand:
    """Return what a server run's settings ask for with this schedule."""
    bound_s, percentile = settings.latency_bound_s or 0.0, settings.percentile or 0.0
    return Demand(
        due_ns=due_ns,
        bound_ns=round(bound_s * 1e9),
        # a run too short to be VALID ends by its backlog
        allowed_over=stats.allowed_over(len(due_ns), percentile) or 0,
    )


class OpenLoop:
    """A run of the server scenario on one session, prepared before its time begins: call `run` once.

    A session that takes one query at a time is a queue with one server: queries that become due meanwhile wait as they
    would before the device, and their latency counts from when they were due. No second thread is needed for that, and
    the wait for the next query may watch the clock. One that takes several is left the interpreter while nothing is
    due: its queries are issued as late as the operating system wakes a sleeper.
    """

    def __init__(self, session: Session, query: Query, samples: Sequence[Arrays], demand: Demand, clock: Clock) -> None:  # noqa: PLR0917
        self._demand, self._clock, self._samples = demand, clock, len(samples)
        self._desk = _Desk(clock.perf_ns, len(demand.due_ns), demand.bound_ns)
        if isinstance(session, Issuing):
            self._issue = session.bind_issue(samples, self._desk.complete)
            self._wait_until_ns: Callable[[int], None] = self._sleep_until_ns
        else:
            self._issue = _blocking(query, self._desk.complete)
            self._wait_until_ns = clock.wait_until_ns
        self._starts = array("q")
        self._stopped = self._overloaded = False

    def run(self, *, between: Callable[[float], None], cancel: Cancel) -> Timeline:
        """Issue each query when it is due, over the prepared samples in rotation.

        `between` is called with the share done while there is time before the next query. The run ends early where
        `cancel` is set, a query fails, or too many queries are over the bound and the backlog is at its limit.
        """
        desk = self._desk
        desk.due = array("q", (self._demand.due_ns + self._clock.perf_ns()).tobytes())
        try:
            self._issue_all(between, cancel)
            self._drain(cancel)
        except KeyboardInterrupt:
            self._stopped = True
        issued = len(self._starts)
        return Timeline(
            starts=self._starts,
            ends=desk.ends[:issued],
            due=desk.due[:issued],
            failure=desk.failure,
            failed=desk.failed,
            cut_short=self._stopped,
            overloaded=self._overloaded,
        )

    def _issue_all(self, between: Callable[[float], None], cancel: Cancel) -> None:
        perf_ns, desk, starts, issue = self._clock.perf_ns, self._desk, self._starts, self._issue
        for ticket, due in enumerate(desk.due):
            if perf_ns() < due:
                self._wait(due, ticket, between, cancel)
            if cancel.is_set():
                self._stopped = True
                return
            starts.append(perf_ns())
            issue(ticket, ticket % self._samples)
            desk.settle(ticket + 1)
            if desk.failure is not None or self._is_overloaded():
                return

    def _drain(self, cancel: Cancel) -> None:
        """Wait for the queries that are under way, unless the run ended early."""
        issued, desk = len(self._starts), self._desk
        while not (self._stopped or self._overloaded or desk.failure is not None):
            desk.settle(issued)
            if desk.oldest >= issued:
                return
            if cancel.is_set():
                self._stopped = True
            elif desk.age_ns() > max(self._demand.backlog_ns, _PATIENCE_NS):
                desk.complete(desk.oldest, f"no answer for {desk.age_ns() / 1e9:.3g} s")
            else:
                self._clock.sleep(_POLL_S)

    def _is_overloaded(self) -> bool:
        """Tell whether the bound is lost for good, and most queries are over it, or the backlog at its limit."""
        desk, wanted = self._desk, self._demand
        late_ns = self._clock.perf_ns() - desk.due[-1]
        hopeless = desk.oldest >= _ENOUGH_QUERIES and desk.over * 2 > desk.oldest
        if hopeless or desk.age_ns() > wanted.backlog_ns or late_ns > wanted.bound_ns:
            self._overloaded = desk.over + desk.overdue() > wanted.allowed_over
        return self._overloaded

    def _wait(self, due_ns: int, ticket: int, between: Callable[[float], None], cancel: Cancel) -> None:
        """Wait for the next query; look up from time to time where there is time for it."""
        perf_ns = self._clock.perf_ns
        while (left_ns := due_ns - perf_ns()) > 0 and not cancel.is_set():
            if left_ns > _ENOUGH_TIME_NS:
                between(ticket / len(self._desk.due))
            self._wait_until_ns(min(due_ns, perf_ns() + _LOOK_UP_NS))

    def _sleep_until_ns(self, due_ns: int) -> None:
        if (left_ns := due_ns - self._clock.perf_ns()) > 0:
            self._clock.sleep(left_ns / 1e9)


class _Desk:
    """Takes completions, and knows the oldest query that is not complete."""

    def __init__(self, perf_ns: Callable[[], int], queries: int, bound_ns: int) -> None:
        self._perf_ns, self._bound_ns = perf_ns, bound_ns
        self.due = array("q")
        self.ends = array("q", [NEVER]) * queries
        self.failure: str | None = None
        self.failed: int | None = None
        self.oldest = self.over = 0

    def complete(self, ticket: int, error: str | None = None) -> None:
        """Note that a query ended."""
        if error is None:
            self.ends[ticket] = self._perf_ns()
        elif self.failure is None:
            self.failed, self.failure = ticket, error or "no reason given"

    def settle(self, issued: int) -> None:
        """Pass over the queries that are complete, and count those over the bound."""
        while self.oldest < issued and self.ends[self.oldest] != NEVER:
            self.over += self.ends[self.oldest] - self.due[self.oldest] > self._bound_ns
            self.oldest += 1

    def overdue(self) -> int:
        """Return how many queries from the oldest on are over the bound, complete or not."""
        first, last = self.oldest, bisect_right(self.due, self._perf_ns() - self._bound_ns, lo=self.oldest)
        ends, due = np.array(self.ends[first:last]), np.array(self.due[first:last])
        return int(((ends == NEVER) | (ends - due > self._bound_ns)).sum())

    def age_ns(self) -> int:
        """Return how long the oldest query that is not complete has been due; negative where it is not due yet."""
        return self._perf_ns() - self.due[self.oldest] if self.oldest < len(self.due) else 0


def _blocking(query: Query, complete: Complete) -> Issue:
    def issue(ticket: int, index: int) -> None:
        try:
            query(index)
        except DeviceError as error:
            complete(ticket, str(error) or type(error).__name__)
        else:
            complete(ticket)

    return issue
