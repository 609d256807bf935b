"""A meter's log as arrays, and the energy in a stretch of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np

from tpukit.errors import ConfigError
from tpukit.sensors._account import Energy, Integers, Numbers, faults, trapezoid, unknown

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HALF_HOUR_NS = 1_800_000_000_000
# zones lie 14 hours apart from UTC at most
_SHIFTS = sorted(range(-28, 29), key=abs)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Meter:
    """Power by time: `time_ns` of shape (n,) in nanoseconds since 1970 in UTC, `power_w` of shape (n,) in watts.

    Rows are in the file's order. Times that go back, missing and negative power are allowed here, and refused by
    `energy` in the stretch that it is asked for. Raises ConfigError for fewer than two rows or unequal shapes.
    """

    name: str
    time_ns: Integers
    power_w: Numbers

    def __post_init__(self) -> None:
        if self.time_ns.shape != self.power_w.shape or self.time_ns.ndim != 1 or len(self.time_ns) < 2:  # noqa: PLR2004
            raise ConfigError(
                f"meter {self.name} has times of shape {self.time_ns.shape} and power of {self.power_w.shape}: "
                "expected two rows or more of both"
            )

    @property
    def span_ns(self) -> tuple[int, int]:
        """The earliest and the latest time."""
        return int(self.time_ns.min()), int(self.time_ns.max())

    @property
    def interval_ns(self) -> int:
        """The median time between two rows."""
        return int(np.median(np.abs(np.diff(self.time_ns))))

    def energy(self, start_ns: int, end_ns: int) -> Energy:
        """Return the energy from `start_ns` to `end_ns`: by the trapezoid rule, power at both ends interpolated.

        It is not known, with a reason, where the stretch is outside of the meter's span, has fewer than 10 readings
        in and around it, a gap of more than 5 median intervals, a missing or negative power, or where the meter's clock
        went back and two parts of its log are about the same time.

        >>> meter = Meter(name="m", time_ns=np.arange(100) * 10**8, power_w=np.full(100, 2.5))
        >>> meter.energy(1_050_000_000, 3_050_000_000)
        Energy(joules=5.0, seconds=2.0, reason='')
        >>> meter.energy(10**10, 2 * 10**10).reason
        'the meter covers 1970-01-01 00:00:00 to 00:00:09 UTC, not 00:00:10 to 00:00:20'
        """
        parts = [part for part in self._ascending() if self._overlaps(part, start_ns, end_ns)]
        if not parts:
            return unknown(self._outside(start_ns, end_ns))
        if len(parts) > 1:
            at = parts[0].stop
            back_s = (self.time_ns[at - 1] - self.time_ns[at]) / 1e9
            how = f"goes back by {back_s:.3g} s" if back_s else "stands still"
            return unknown(f"the meter's clock {how} at {_stamp(self.time_ns[at - 1])}")
        times, watts = self.time_ns[parts[0]], self.power_w[parts[0]]
        if start_ns < times[0] or end_ns > times[-1]:
            return unknown(self._outside(start_ns, end_ns))
        return _between(times, watts, start_ns, end_ns)

    def _hours_off(self, start_ns: int, end_ns: int) -> float | None:
        """Return by how many hours the meter's times would have to move to cover a stretch; None where none do."""
        first, last = self.span_ns
        for halves in _SHIFTS:
            moved = halves * _HALF_HOUR_NS
            if first + moved <= start_ns and end_ns <= last + moved:
                return halves / 2
        return None

    def _ascending(self) -> Iterator[slice]:
        """Yield the stretches of rows whose times ascend."""
        breaks = np.flatnonzero(np.diff(self.time_ns) <= 0) + 1
        edges = [0, *breaks.tolist(), len(self.time_ns)]
        return (slice(first, after) for first, after in pairwise(edges))

    def _overlaps(self, part: slice, start_ns: int, end_ns: int) -> bool:
        return bool(self.time_ns[part.start] <= end_ns and self.time_ns[part.stop - 1] >= start_ns)

    def _outside(self, start_ns: int, end_ns: int) -> str:
        first, last = self.span_ns
        said = f"the meter covers {_span(first, last)} UTC, not {_span(start_ns, end_ns, beside=first)}"
        hours = self._hours_off(start_ns, end_ns)
        return f"{said}; moved by {hours:+g} h it would cover it: is its time zone right?" if hours else said


def _between(times: Integers, watts: Numbers, start_ns: int, end_ns: int) -> Energy:
    # the readings around the stretch belong to it: their intervals may be the gap
    inside = slice(int(times.searchsorted(start_ns, "right")) - 1, int(times.searchsorted(end_ns, "left")) + 1)
    times, watts = times[inside], watts[inside]
    if reason := faults(times, watts, lambda at_ns: f"at {_stamp(at_ns)}"):
        return unknown(reason)
    ends = np.array([start_ns, end_ns])
    # from the stretch's start: a float has no place for nanoseconds since 1970
    at_ends = np.interp(ends - start_ns, times - start_ns, watts)
    within = slice(int(times.searchsorted(start_ns, "right")), int(times.searchsorted(end_ns, "left")))
    joules = trapezoid(
        np.concatenate([ends[:1], times[within], ends[1:]]), np.concatenate([at_ends[:1], watts[within], at_ends[1:]])
    )
    return Energy(joules=joules, seconds=(end_ns - start_ns) / 1e9)


def _moment(at_ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(at_ns) // 1000)


def _stamp(at_ns: int) -> str:
    return f"{_moment(at_ns):%Y-%m-%d %H:%M:%S} UTC"


def _span(first_ns: int, last_ns: int, *, beside: int | None = None) -> str:
    """Return a span, its days said where they are not those already said."""
    first, last = _moment(first_ns), _moment(last_ns)
    day = None if beside is None else _moment(beside).date()
    return " to ".join(
        f"{moment:%H:%M:%S}" if moment.date() == said else f"{moment:%Y-%m-%d %H:%M:%S}"
        for said, moment in ((day, first), (first.date(), last))
    )
