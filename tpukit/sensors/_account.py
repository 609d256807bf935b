"""From readings to joules: pure functions of times and readings.

A counter tells joules since some zero and wraps; a gauge tells watts, integrated by the trapezoid rule. What cannot be
said for sure has no number, but a reason.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Integers: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[np.float64]

#: What a source shows at one time: one whole number for each of its parts, in microjoules or microwatts.
Reading: TypeAlias = tuple[int, ...]

#: Fewest readings of a power sensor that are taken for an energy: the two ends are a tenth of the span each at most.
MIN_READINGS = 10

# a counter's two ends are off by one update each: by a tenth of the span at most
_MIN_UPDATES = 20
# a pause of five times the usual interval is no jitter any more
_GAP = 5.0
# no processor package takes as much: the largest of 2025 are specified for 500 W
_MOST_W = 1000.0
# Linux slews a clock by 0.05 % at most
_SLEW, _STEP_S = 0.001, 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Energy in `seconds`; where it is not known `joules` is NaN and `reason` says why.

    >>> Energy(joules=6.0, seconds=2.0).watts
    3.0
    """

    joules: float
    seconds: float
    reason: str = ""

    @property
    def watts(self) -> float:
        """The mean power."""
        return self.joules / self.seconds


def unknown(reason: str) -> Energy:
    """Return an energy that could not be measured."""
    return Energy(joules=math.nan, seconds=math.nan, reason=reason)


def counted(
    times_ns: Sequence[int], readings: Sequence[Reading], *, ranges_uj: Sequence[int | None], update_s: float
) -> Energy:
    """Return the energy between the first and the last reading of counters in microjoules, their parts summed.

    `ranges_uj` says where each part wraps, None where it does not: it then must not go down. A part that wraps must be
    read before 1000 W could fill its range, for two wraps look like one: a package of 2**32 units of 61 µJ, 262 kJ,
    every 262 s. The span must be 20 of the counter's updates, `update_s` apart (RAPL's are 1 ms apart: Khan et al.,
    RAPL in Action, ACM ToMPECS 3(2), 2018).

    >>> counted([0, 5 * 10**8], [(900_000,), (100_000,)], ranges_uj=[10**9], update_s=0.001).reason
    'the counter jumped by 999 J in 0.50 s: was it reset?'
    >>> round(counted([0, 10**8], [(999_000_000,), (1_000_000,)], ranges_uj=[10**9], update_s=0.001).joules, 6)
    2.0
    """
    times = np.asarray(times_ns, dtype=np.int64)
    if reason := _disorder(times):
        return unknown(reason)
    steps_s = np.diff(times) / 1e9
    span_s = float((times[-1] - times[0]) / 1e9)
    if span_s < _MIN_UPDATES * update_s:
        return unknown(f"{span_s:.3g} s is too short for a counter updated every {update_s:g} s: run longer")
    parts = np.asarray(readings, dtype=np.int64).T
    total_uj = 0
    for part, range_uj in zip(parts, ranges_uj, strict=True):
        moved_uj = np.diff(part) if range_uj is None else _unwrapped(np.diff(part), range_uj)
        if reason := _implausible(moved_uj, steps_s, range_uj, update_s):
            return unknown(reason)
        total_uj += int(moved_uj.sum())
    if total_uj == 0:
        return unknown(f"the counter did not move in {span_s:.3g} s")
    return Energy(joules=total_uj / 1e6, seconds=span_s)


def integrated(times_ns: Sequence[int], readings: Sequence[Reading]) -> Energy:
    """Return the energy between the first and the last reading of power sensors in microwatts, their parts summed.

    >>> integrated([i * 10**8 for i in range(11)], [(2_000_000,)] * 11)
    Energy(joules=2.0, seconds=1.0, reason='')
    """
    times = np.asarray(times_ns, dtype=np.int64)
    watts = np.asarray(readings, dtype=np.int64).sum(axis=1) / 1e6 if len(readings) else np.empty(0)
    if reason := faults(times, watts, lambda at_ns: f"{(at_ns - times[0]) / 1e9:.3g} s after the first reading"):
        return unknown(reason)
    return Energy(joules=trapezoid(times, watts), seconds=float((times[-1] - times[0]) / 1e9))


def faults(times_ns: Integers, watts: Numbers, place: Callable[[int], str]) -> str:
    """Return why readings of power cannot be integrated, or nothing; `place` says for people when a reading was."""
    if reason := _disorder(times_ns):
        return reason
    if len(times_ns) < MIN_READINGS:
        return f"{len(times_ns)} readings of power are too few, {MIN_READINGS} are needed: run longer, or read faster"
    bad = np.flatnonzero(~(np.isfinite(watts) & (watts >= 0)))
    if len(bad):
        what = f"is {watts[bad[0]]:.3g} W: is the sensor's polarity reversed?"
        return f"power {place(int(times_ns[bad[0]]))} {what if watts[bad[0]] < 0 else 'is missing'}"
    steps_s = np.diff(times_ns) / 1e9
    widest, median_s = int(steps_s.argmax()), float(np.median(steps_s))
    if steps_s[widest] > _GAP * median_s:
        at = place(int(times_ns[widest]))
        return f"no reading for {steps_s[widest]:.3g} s {at} (the median interval is {median_s:.3g} s)"
    return ""


def trapezoid(times_ns: Integers, watts: Numbers) -> float:
    """Return the energy in joules of power that changes linearly between readings."""
    return float(((watts[1:] + watts[:-1]) / 2 * (np.diff(times_ns) / 1e9)).sum())


def clocks_part(monotonic_s: float, wall_s: float) -> str:
    """Return why two clocks' spans of one run do not agree, or nothing: a monotonic clock and that of the day.

    >>> clocks_part(10.0, 10.2), clocks_part(10.0, 310.0)
    ('', 'the time of day moved by 310 s in 10 s: it was set, or the machine was suspended')
    """
    if abs(wall_s - monotonic_s) <= _STEP_S + _SLEW * monotonic_s:
        return ""
    return f"the time of day moved by {wall_s:.3g} s in {monotonic_s:.3g} s: it was set, or the machine was suspended"


def _disorder(times_ns: Integers) -> str:
    if len(times_ns) < 2:  # noqa: PLR2004 a span has two ends
        return f"{len(times_ns)} readings are too few"
    least_ns = int(np.diff(times_ns).min())
    if least_ns < 0:
        return f"the clock went back by {-least_ns / 1e9:.3g} s between two readings"
    return "" if times_ns[-1] > times_ns[0] else "the clock stood still"


def _unwrapped(moved_uj: Any, range_uj: int) -> Any:
    return np.where(moved_uj < 0, moved_uj + range_uj, moved_uj)


def _implausible(moved_uj: Integers, steps_s: Numbers, range_uj: int | None, update_s: float) -> str:
    if range_uj is None:
        return "the counter went back: was it reset?" if (moved_uj < 0).any() else ""
    full_s = range_uj / 1e6 / _MOST_W
    longest_s = float(steps_s.max())
    if longest_s > full_s:
        return f"{longest_s:.3g} s between two readings: in {full_s:.3g} s {_MOST_W:.0f} W could wrap the counter twice"
    # a reading holds up to two updates that belong beside its step
    most_uj = _MOST_W * (steps_s + 2 * update_s) * 1e6
    beyond = np.flatnonzero(moved_uj > most_uj)
    if len(beyond):
        joules, seconds = moved_uj[beyond[0]] / 1e6, steps_s[beyond[0]]
        return f"the counter jumped by {joules:.3g} J in {seconds:.2f} s: was it reset?"
    return "the counter went back by more than its range: was it reset?" if (moved_uj < 0).any() else ""
