"""`Recorder`: the sensors of one run, read before it, between its queries and after it."""

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tpukit.clock import Clock
from tpukit.sensors import _files
from tpukit.sensors._account import Energy, Reading, clocks_part, unknown
from tpukit.sensors._energy import EnergySource
from tpukit.sensors._heat import Counts, throttled
from tpukit.sensors._sensors import Sensors

_REST_STEP_S = 0.1

Value = TypeVar("Value")


class Recorder:
    """Reads the sensors of one run: call `rest`, `before`, `observe` between queries, `after`; then ask `columns`.

    Nothing runs beside the queries: a sensor is read when one of these is called, and where there is none they return
    at once. A sensor that fails in the run costs its numbers, not the run.

    >>> from pathlib import Path
    >>> from tpukit.sensors import find
    >>> from tpukit.testing import ManualClock
    >>> recorder = Recorder(find(Path("/nowhere")), clock=ManualClock())
    >>> recorder.before(); recorder.observe(); recorder.after()
    >>> recorder.columns()["temperature_source"]
    'none: no thermal zone or hwmon sensor of a processor'
    """

    def __init__(self, sensors: Sensors, *, clock: Clock) -> None:
        self._sensors, self._clock = sensors, clock
        self._idle = unknown("it was not measured")
        self._energy = _Log(sensors.energy.read if sensors.energy else None, clock)
        self._heat = _Log(sensors.temperature.read if sensors.temperature else None, clock)
        self._throttle: _Log[Counts] = _Log(sensors.throttle.read if sensors.throttle else None, clock)
        self._utc: list[float] = []

    def rest(self, seconds: float) -> None:
        """Measure power at rest for so long, just before the run; returns at once where nothing tells energy."""
        source = self._sensors.energy
        if source is None:
            return
        log = _Log(source.read, self._clock)
        log.take()
        for _ in range(max(1, round(seconds / _REST_STEP_S))):
            self._clock.sleep(_REST_STEP_S)
            log.take()
        self._idle = _energy(source, log)

    def before(self) -> None:
        """Read everything, energy last: the next query is to be the first."""
        self._throttle.take()
        self._heat.take()
        self._utc.append(self._clock.utc().timestamp())
        self._energy.take()

    def observe(self) -> None:
        """Read energy and temperature between two queries: four times a second is often enough."""
        self._energy.take()
        self._heat.take()

    def after(self) -> None:
        """Read everything, energy first: the last query has just ended."""
        self._energy.take()
        self._utc.append(self._clock.utc().timestamp())
        self._heat.take()
        self._throttle.take()

    def columns(self) -> dict[str, Any]:
        """Return the columns of RESULTS that are about energy and heat; what was not measured is missing.

        `energy_j` is that between `before` and `after`, and `net_energy_j` is less what the same time takes at rest.
        """
        return self._energy_columns() | self._heat_columns() | {"throttled": self._throttled()}

    def _energy_columns(self) -> dict[str, Any]:
        source, said = self._sensors.energy, self._sensors.energy_source
        if source is None:
            return _energies(said, unknown(said), unknown(said))
        energy = self._steady(source)
        if energy.reason:
            return _energies(f"none: {energy.reason} ({said})", energy, self._idle)
        if self._idle.reason:
            said += f"; power at rest is not known: {self._idle.reason}"
        elif self._idle.watts > energy.watts:
            said += "; it took more at rest than in the run: it was not at rest"
        return _energies(said, energy, self._idle)

    def _steady(self, source: EnergySource) -> Energy:
        if len(self._utc) < 2:  # noqa: PLR2004 before and after
            return unknown("it was not read before and after the run")
        energy = _energy(source, self._energy)
        if energy.reason:
            return energy
        reason = clocks_part(energy.seconds, self._utc[-1] - self._utc[0])
        return unknown(reason) if reason else energy

    def _heat_columns(self) -> dict[str, Any]:
        said, failure, seen = self._sensors.temperature_source, self._heat.failure, self._heat.readings
        return {
            "temperature_source": f"none: {failure} ({said})" if failure else said,
            "temperature_before_c": seen[0] if seen else math.nan,
            "temperature_after_c": seen[-1] if seen and not failure else math.nan,
            "temperature_max_c": max(seen) if seen and not failure else math.nan,
        }

    def _throttled(self) -> int | None:
        seen = self._throttle.readings
        return throttled(seen[0], seen[-1]) if len(seen) > 1 else None


class _Log(Generic[Value]):
    """The readings of one sensor with their times, until it fails."""

    def __init__(self, read: Callable[[], Value] | None, clock: Clock) -> None:
        self._read, self._perf_ns = read, clock.perf_ns
        self.times_ns: list[int] = []
        self.readings: list[Value] = []
        self.failure = ""

    def take(self) -> None:
        """Read the sensor once; nothing where there is none or it has failed."""
        if self._read is None:
            return
        try:
            self.readings.append(self._read())
        except OSError as error:
            self._read, self.failure = None, f"it failed in the run: {_files.refusal(error)}"
            return
        self.times_ns.append(self._perf_ns())


def _energy(source: EnergySource, log: _Log[Reading]) -> Energy:
    return unknown(log.failure) if log.failure else source.energy(log.times_ns, log.readings)


def _energies(said: str, energy: Energy, idle: Energy) -> dict[str, Any]:
    return {
        "energy_source": said,
        "energy_j": energy.joules,
        "idle_power_w": idle.watts,
        "net_energy_j": energy.joules - idle.watts * energy.seconds,
    }
