"""The only place that reads time, or lets it pass, so that everything else can be told what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol

# a sleeping process is woken 50 to 100 µs late on an idle Linux machine: the rest of the way is looked at
_SPIN_NS = 300_000


class Clock(Protocol):
    """Where a shell gets its time from; `tpukit.testing.ManualClock` stands in for it in tests."""

    def perf_ns(self) -> int:
        """Nanoseconds on a monotonic clock with an arbitrary zero: for latencies."""

    def now(self) -> float:
        """Seconds on a monotonic clock with an arbitrary zero: for intervals."""

    def utc(self) -> datetime:
        """The time of day, with zone UTC: for stamps."""

    def sleep(self, seconds: float) -> None:
        """Rest for so long."""

    def wait_until_ns(self, due_ns: int) -> None:
        """Return at `due_ns` of `perf_ns`, as nearly as can be; at once where that is past."""


class SystemClock:
    """The machine's clocks."""

    # static, so that a measuring loop calls the C functions themselves
    perf_ns = staticmethod(time.perf_counter_ns)
    now = staticmethod(time.monotonic)
    sleep = staticmethod(time.sleep)

    def utc(self) -> datetime:
        """The time of day, with zone UTC."""
        return datetime.now(UTC)

    def wait_until_ns(self, due_ns: int) -> None:
        """Sleep until shortly before `due_ns`, then watch the clock."""
        perf_ns = self.perf_ns
        if (left_ns := due_ns - perf_ns()) > _SPIN_NS:
            time.sleep((left_ns - _SPIN_NS) / 1e9)
        while perf_ns() < due_ns:
            pass
