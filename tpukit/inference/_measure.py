"""The closed loops: the one place where the clock is read beside a running model."""

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle, islice

from tpukit.clock import Clock
from tpukit.errors import DeviceError
from tpukit.inference._scenarios import Arrival, Bounds
from tpukit.inference._timeline import NEVER, Timeline
from tpukit.inference._types import Arrays, Query
from tpukit.interrupts import Cancel

#: Called between queries with the share of the run that is done, 0 to 1.
Progress = Callable[[float], None]

_REPORT_EVERY_NS = 250_000_000


@dataclass(slots=True, kw_only=True)
class Ticker:
    """Passes on what is called between queries, four times a second at most: it delays the next query."""

    perf_ns: Callable[[], int]
    listeners: tuple[Progress, ...]
    last_ns: int

    def __call__(self, share: float) -> None:
        """Tell the listeners the share done, unless they were told just now."""
        now = self.perf_ns()
        if self.listeners and now - self.last_ns >= _REPORT_EVERY_NS:
            self.last_ns = now
            for listener in self.listeners:
                listener(share)


def nobody(share: float) -> None:
    """Tell nobody the share done."""


def several(query: Query, times: int, samples: int) -> Query:
    """Return the query that runs `times` of the `samples` prepared ones in a row, as multi_stream has it."""
    if times == 1:
        return query
    places = range(times)

    def run(index: int) -> Arrays:
        first = index * times
        outputs: Arrays = ()
        for place in places:
            outputs = query((first + place) % samples)
        return outputs

    return run


def measure(
    query: Query,
    samples: int,
    *,
    arrival: Arrival,
    bounds: Bounds,
    clock: Clock,
    between: Progress,
    cancel: Cancel,
) -> Timeline:
    """Run queries over `samples` prepared samples in rotation until `bounds` are met, a query fails or somebody stops.

    A run's length counts to the last query's issue, with every sample due at the start to the last end: the rules of
    LoadGen. A KeyboardInterrupt ends the run as `cancel` does: what was measured is returned, marked as cut short.
    """
    stamps = _Stamps(starts=array("q"), ends=array("q"))
    at_start = arrival is Arrival.AT_START
    run = _waiting if at_start else _one_by_one
    order = cycle(range(samples))
    failure, stopped = None, False
    lasted = 0
    try:
        while bounds.share(lasted, len(stamps.ends)) < 1:
            if stopped := cancel.is_set():
                break
            run(query, islice(order, bounds.block(stamps.spent_ns, len(stamps.ends))), clock.perf_ns, stamps)
            lasted = stamps.spent_ns if at_start else stamps.issued_ns
            between(bounds.share(lasted, len(stamps.ends)))
    except DeviceError as error:
        failure = str(error) or type(error).__name__
    except KeyboardInterrupt:
        stopped = True
    ended = len(stamps.ends)
    starts = stamps.starts[: ended + bool(failure)]
    return Timeline(
        starts=starts,
        ends=stamps.ends + array("q", [NEVER] * bool(failure)),
        due=starts[:1] * len(starts) if at_start else None,
        failure=failure,
        failed=ended if failure else None,
        cut_short=stopped,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamps:
    # array("q") takes a fifth of a list's memory
    starts: "array[int]"
    ends: "array[int]"

    @property
    def spent_ns(self) -> int:
        return self.ends[-1] - self.starts[0] if self.ends else 0

    @property
    def issued_ns(self) -> int:
        return self.starts[-1] - self.starts[0] if self.ends else 0

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
