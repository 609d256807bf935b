"""The only place that reads time, so that everything else can be told what time it is."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a shell gets its time from; `tpukit.testing.ManualClock` stands in for it in tests."""

    def perf_ns(self) -> int:
        """Nanoseconds on a monotonic clock with an arbitrary zero: for latencies."""

    def now(self) -> float:
        """Seconds on a monotonic clock with an arbitrary zero: for intervals."""

    def utc(self) -> datetime:
        """The time of day, with zone UTC: for stamps."""


class SystemClock:
    """The machine's clocks."""

    # static, so that a measuring loop calls the C functions themselves
    perf_ns = staticmethod(time.perf_counter_ns)
    now = staticmethod(time.monotonic)

    def utc(self) -> datetime:
        """The time of day, with zone UTC."""
        return datetime.now(UTC)
