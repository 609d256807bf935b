"""Sources of temperature, and how often the processor throttled for heat."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from tpukit.sensors import _files

# the package's own sensor before the zones of whatever else bears the word
_ZONES = (re.compile("x86_pkg_temp"), re.compile("cpu|soc|package", re.IGNORECASE))
_CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
# coretemp's and k10temp's for the whole package; Tctl is Tdie plus an offset on some Ryzen
_PACKAGE_LABELS = (re.compile("Package id"), re.compile("Tdie"), re.compile("Tctl"))

#: How often each processor of each package has noted that its package throttled.
Counts: TypeAlias = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureSource:
    """Something that tells temperature. `read` returns °C, the highest of its sensors, or raises OSError."""

    name: str
    read: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleCounter:
    """Counts how often the processor throttled; `read` raises OSError."""

    read: Callable[[], Counts]


def find_temperature(root: Path, device: str) -> tuple[TemperatureSource | None, str]:
    """Return the source of a device's temperature (cpu, gpu, apex_0 …), and its name or why there is none."""
    if device == "gpu":
        return None, "none: the temperature of graphics cards is not read"
    refused: list[str] = []
    source = _zones(root, refused) or _chips(root, refused) if device == "cpu" else _apex(root, device, refused)
    if source is None:
        return None, f"none: {'; '.join(refused) or 'no thermal zone or hwmon sensor of a processor'}"
    return source, source.name


def find_throttle(root: Path) -> ThrottleCounter | None:
    """Return the counter of package throttling: Intel has one for each logical processor."""
    by_package = groupby(
        sorted((_files.line(cpu / "topology/physical_package_id"), str(cpu)) for cpu in _counting(root)),
        key=lambda pair: pair[0],
    )
    packages = tuple(
        tuple(f"{cpu}/thermal_throttle/package_throttle_count" for _, cpu in group) for _, group in by_package
    )
    return ThrottleCounter(read=partial(_counts, packages)) if packages else None


def throttled(before: Counts, after: Counts) -> int | None:
    """Return how often packages throttled between two readings; None where a counter went back.

    Each processor of a package counts the package's interrupts for itself (Linux, therm_throt.c), so that their sum
    would count one event as often as there are processors: the most that one of them saw is taken.

    >>> throttled(((5, 5), (0, 0)), ((7, 6), (1, 1)))
    3
    """
    seen = [[b - a for a, b in zip(*pair, strict=True)] for pair in zip(before, after, strict=True)]
    if any(count < 0 for counts in seen for count in counts):
        return None
    return sum(map(max, seen))


def _apex(root: Path, name: str, refused: list[str]) -> TemperatureSource | None:
    return _source(f"apex: {name}", _files.readable([root / "class/apex" / name / "temp"], refused))


def _zones(root: Path, refused: list[str]) -> TemperatureSource | None:
    zones = [(zone, _files.line(zone / "type")) for zone in _files.numbered(root / "class/thermal", "thermal_zone*")]
    for kind in _ZONES:
        wanted = {str(zone / "temp"): name for zone, name in zones if kind.search(name)}
        found = _files.readable(map(Path, wanted), refused)
        if source := _source(f"thermal zone: {_joined(wanted[path] for path in found)}", found):
            return source
    return None


def _chips(root: Path, refused: list[str]) -> TemperatureSource | None:
    for folder in _files.numbered(root / "class/hwmon", "hwmon*"):
        chip = _files.line(folder / "name")
        if chip in _CHIPS:
            found = _files.readable(_package_sensors(_files.numbered(folder, "temp*_input")), refused)
            if source := _source(f"hwmon: {chip} {_joined(Path(path).name[:-6] for path in found)}", found):
                return source
    return None


def _package_sensors(sensors: list[Path]) -> list[Path]:
    labels = {path: _files.line(path.with_name(path.name.replace("_input", "_label"))) for path in sensors}
    for wanted in _PACKAGE_LABELS:
        if found := [path for path in sensors if wanted.match(labels[path])]:
            return found
    return sensors


def _source(name: str, paths: Sequence[str]) -> TemperatureSource | None:
    if not paths:
        return None
    highest = ", the highest" if len(paths) > 1 else ""
    return TemperatureSource(name=name + highest, read=partial(_highest, tuple(paths)))


def _joined(names: Iterable[str]) -> str:
    return " + ".join(dict.fromkeys(names))


def _highest(paths: tuple[str, ...]) -> float:
    return max(map(_files.number, paths)) / 1000


def _counting(root: Path) -> list[Path]:
    cpus = _files.numbered(root / "devices/system/cpu", "cpu[0-9]*")
    return [cpu for cpu in cpus if _files.readable([cpu / "thermal_throttle/package_throttle_count"], [])]


def _counts(packages: tuple[tuple[str, ...], ...]) -> Counts:
    return tuple(tuple(map(_files.number, counters)) for counters in packages)
