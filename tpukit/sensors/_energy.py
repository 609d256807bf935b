"""Sources of energy: RAPL, hwmon, NVML; which there are, and which of them is taken."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tpukit.sensors import _files, _nvml
from tpukit.sensors._account import Energy, Reading, counted, integrated

_RAPL_UPDATE_S = 0.001
# not documented: a driver that accumulates does so at each read, or at its sensor's conversions of 0.1 to 10 ms
_HWMON_UPDATE_S = 0.01
# drivers update that counter every 20 to 100 ms
_NVML_UPDATE_S = 0.1

_MONITOR = re.compile(r"ina\d")
# what a battery or a charger shows is not what the machine takes
_SUPPLY = re.compile(r"bat\d|adp|ac\d?$|hid|ucsi|battery|charger", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergySource:
    """Something that tells energy. `name` says what, and what it does not include.

    `read` returns one reading or raises OSError; `energy(times_ns, readings)` makes joules of several.
    """

    name: str
    read: Callable[[], Reading]
    energy: Callable[[Sequence[int], Sequence[Reading]], Energy]


def find_energy(root: Path) -> tuple[EnergySource | None, str]:
    """Return the source to take, and its name or why there is none.

    A power monitor comes first, since somebody wired it to what is to be measured; then RAPL, other sensors of hwmon,
    and a graphics card. Where a better source was there but could not be read, the name says so.
    """
    refused: list[str] = []
    chips = [(folder, _files.line(folder / "name")) for folder in _files.numbered(root / "class/hwmon", "hwmon*")]
    monitors = [chip for chip in chips if _MONITOR.match(chip[1])]
    others = [chip for chip in chips if chip not in monitors and not _SUPPLY.search(chip[1])]
    source = (
        _first_hwmon(monitors, "what hangs on its shunt", refused)
        or _rapl(root, refused)
        or _first_hwmon(others, "that sensor alone", refused)
        or _graphics_cards(refused)
    )
    if source is None:
        return None, f"none: {'; '.join(refused) or 'no hwmon, powercap or NVML sensor of power'}"
    return source, "; ".join([source.name, *(f"not {reason}" for reason in refused)])


def _rapl(root: Path, refused: list[str]) -> EnergySource | None:
    """Sum the packages. `psys`, where there is one, holds them already, and core and dram are parts of a package."""
    folders = _files.numbered(root / "class/powercap", "intel-rapl:*")
    packages = {folder: name for folder in folders if (name := _files.line(folder / "name")).startswith("package")}
    before = len(refused)
    counters = _files.readable((folder / "energy_uj" for folder in packages), refused)
    ranges = _files.readable((folder / "max_energy_range_uj" for folder in packages), refused)
    if not packages or len(refused) > before:
        return None  # a part of the packages would be too little
    return EnergySource(
        name=f"rapl: {' + '.join(packages.values())} (processor alone, no accelerator on USB or PCIe)",
        read=partial(_numbers, tuple(counters)),
        energy=partial(counted, ranges_uj=[_files.number(path) for path in ranges], update_s=_RAPL_UPDATE_S),
    )


def _first_hwmon(chips: Sequence[tuple[Path, str]], scope: str, refused: list[str]) -> EnergySource | None:
    for folder, chip in chips:
        if source := _hwmon(folder, f"hwmon: {chip} {folder.name}", scope, refused):
            return source
    return None


def _hwmon(folder: Path, chip: str, scope: str, refused: list[str]) -> EnergySource | None:
    """Take a chip's counters of energy, else one sensor of power, else one of voltage and current."""
    counters = [path for path in _files.numbered(folder, "energy*_input") if _is_whole(path)]
    sockets = [path for path in counters if _label(path).startswith("Esocket")]  # AMD's, beside one for each core
    if found := _files.readable(sockets or _one(counters), refused):
        return EnergySource(
            name=f"{chip} {' + '.join(map(_sensor, found))} ({scope})",
            read=partial(_numbers, tuple(found)),
            energy=partial(counted, ranges_uj=[None] * len(found), update_s=_HWMON_UPDATE_S),
        )
    powers = _files.numbered(folder, "power*_input") or _files.numbered(folder, "power*_average")
    if found := _files.readable(_one(powers), refused):
        return _gauge(f"{chip} {_sensor(found[0])}", scope, partial(_numbers, tuple(found)))
    for voltage, current in _pairs(folder):
        if len(both := _files.readable((voltage, current), refused)) == 2:  # noqa: PLR2004 a pair
            return _gauge(f"{chip} {_sensor(both[0])} × {_sensor(both[1])}", scope, partial(_product, *both))
    return None


def _gauge(name: str, scope: str, read: Callable[[], Reading]) -> EnergySource:
    return EnergySource(name=f"{name} ({scope}; read between queries)", read=read, energy=integrated)


def _graphics_cards(refused: list[str]) -> EnergySource | None:
    cards = _nvml.find_cards(refused)
    if cards is None:
        return None
    return EnergySource(
        name=f"nvml: {' + '.join(cards.names)} (graphics card alone)",
        read=cards.read,
        energy=partial(counted, ranges_uj=[None] * len(cards.names), update_s=_NVML_UPDATE_S),
    )


def _pairs(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield voltage and current of one rail, the whole supply before its parts."""
    currents = _files.numbered(folder, "curr*_input")
    voltages = [path.with_name(path.name.replace("curr", "in", 1)) for path in currents]
    rails = [pair for pair in zip(voltages, currents, strict=True) if pair[0].exists()]
    yield from sorted(rails, key=lambda pair: not _is_supply(pair[0]))


def _one(sensors: list[Path]) -> list[Path]:
    """Return one sensor of several, the whole supply's where one is labelled so: others may be parts of it."""
    return sorted(sensors, key=lambda path: not _is_supply(path))[:1]


def _is_supply(path: Path) -> bool:
    return _label(path).upper().endswith("IN")  # VDD_IN, POM_5V_IN of a Jetson


def _is_whole(path: Path) -> bool:
    return not _label(path).startswith("Ecore")


def _sensor(path: str | Path) -> str:
    label = _label(Path(path))
    sensor = Path(path).name.rpartition("_")[0]
    return f"{sensor} {label}" if label else sensor


def _label(path: Path) -> str:
    return _files.line(path.with_name(f"{path.name.rpartition('_')[0]}_label"))


def _numbers(paths: tuple[str, ...]) -> Reading:
    return tuple(map(_files.number, paths))


def _product(voltage: str, current: str) -> Reading:
    return (_files.number(voltage) * _files.number(current),)  # millivolts by milliamperes are microwatts
