"""Sources of energy: RAPL, hwmon, NVML; which there are, and which of them tell what the measured device takes."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from tpukit.sensors import _files, _nvml
from tpukit.sensors._account import Energy, Reading, counted, integrated

_RAPL_UPDATE_S = 0.001
# not documented: a driver that accumulates does so at each read, or at its sensor's conversions of 0.1 to 10 ms
_HWMON_UPDATE_S = 0.01
# drivers update that counter every 20 to 100 ms
_NVML_UPDATE_S = 0.1

_MONITOR = re.compile(r"ina\d")
# the chips of hwmon that tell what this device takes: any other one tells what something else does
_CHIPS = {"cpu": ("amd_energy", "fam15h_power", "zenergy"), "gpu": ("amdgpu",)}
_SCOPES = {"cpu": "processor alone, no accelerator on USB or PCIe", "gpu": "graphics card alone"}
_POWER_FILES = ("energy*_input", "power*_input", "power*_average", "curr*_input")

# which of a chip's sensors is taken: that of the lowest rank
_Rank: TypeAlias = Callable[[Path], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergySource:
    """Something that tells energy. `name` says what, and what it does not include.

    `read` returns one reading or raises OSError; `energy(times_ns, readings)` makes joules of several.
    """

    name: str
    read: Callable[[], Reading]
    energy: Callable[[Sequence[int], Sequence[Reading]], Energy]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chip:
    folder: Path
    name: str

    def __str__(self) -> str:
        return f"{self.name} {self.folder.name}"

    @property
    def is_monitor(self) -> bool:
        return bool(_MONITOR.match(self.name))

    @property
    def tells_power(self) -> bool:
        return any(_files.numbered(self.folder, pattern) for pattern in _POWER_FILES)


def find_energy(root: Path, device: str) -> tuple[EnergySource | None, str]:
    """Return the source of what `device` takes (cpu, gpu, apex_0 …), and its name or why there is none.

    A power monitor comes first, since somebody wired it to what is to be measured; then the device's own counters. What
    feeds something else (a battery, a power supply, another card) is named and not taken. Where a better source was
    there but could not be read, the name says so.
    """
    refused: list[str] = []
    chips = _chips(root)
    monitors = [chip for chip in chips if chip.is_monitor]
    own = [chip for chip in chips if chip.name in _CHIPS.get(device, ())]
    source = (
        _first_hwmon(monitors, device, "what hangs on its shunt", refused)
        or _counters(root, device, refused)
        or _first_hwmon(own, device, _SCOPES.get(device, ""), refused)
    )
    if source is None:
        others = [str(chip) for chip in chips if chip not in monitors + own and chip.tells_power]
        return None, _none(device, refused, others)
    return source, "; ".join([source.name, *(f"not {reason}" for reason in refused)])


def _chips(root: Path) -> list[_Chip]:
    folders = _files.numbered(root / "class/hwmon", "hwmon*")
    return [_Chip(folder=folder, name=_files.line(folder / "name")) for folder in folders]


def _none(device: str, refused: Sequence[str], others: Sequence[str]) -> str:
    reasons = list(refused) or [f"no power monitor, and no sensor of what the {device} takes"]
    if others:
        reasons.append(f"seen and not taken, for it is not the {device} that they measure: {', '.join(others)}")
    return f"none: {'; '.join(reasons)}"


def _counters(root: Path, device: str, refused: list[str]) -> EnergySource | None:
    if device == "cpu":
        return _rapl(root, refused)
    return _graphics_cards(refused) if device == "gpu" else None


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
        name=f"rapl: {' + '.join(packages.values())} ({_SCOPES['cpu']})",
        read=partial(_numbers, tuple(counters)),
        energy=partial(counted, ranges_uj=[_files.number(path) for path in ranges], update_s=_RAPL_UPDATE_S),
    )


def _graphics_cards(refused: list[str]) -> EnergySource | None:
    cards = _nvml.find_cards(refused)
    if cards is None:
        return None
    return EnergySource(
        name=f"nvml: {' + '.join(cards.names)} ({_SCOPES['gpu']})",
        read=cards.read,
        energy=partial(counted, ranges_uj=[None] * len(cards.names), update_s=_NVML_UPDATE_S),
    )


def _first_hwmon(chips: Sequence[_Chip], device: str, scope: str, refused: list[str]) -> EnergySource | None:
    for chip in chips:
        if source := _hwmon(chip, partial(_rank, device), scope, refused):
            return source
    return None


def _hwmon(chip: _Chip, rank: _Rank, scope: str, refused: list[str]) -> EnergySource | None:
    """Take a chip's counters of energy, else one sensor of power, else one of voltage and current."""
    counters = [path for path in _files.numbered(chip.folder, "energy*_input") if _is_whole(path)]
    sockets = [path for path in counters if _label(path).startswith("Esocket")]  # AMD's, beside one for each core
    if found := _files.readable(sockets or _one(counters, rank), refused):
        return EnergySource(
            name=f"hwmon: {chip} {' + '.join(map(_sensor, found))} ({scope})",
            read=partial(_numbers, tuple(found)),
            energy=partial(counted, ranges_uj=[None] * len(found), update_s=_HWMON_UPDATE_S),
        )
    powers = _files.numbered(chip.folder, "power*_input") or _files.numbered(chip.folder, "power*_average")
    if found := _files.readable(_one(powers, rank), refused):
        return _gauge(f"hwmon: {chip} {_sensor(found[0])}", scope, partial(_numbers, tuple(found)))
    for voltage, current in _pairs(chip.folder, rank):
        if len(both := _files.readable((voltage, current), refused)) == 2:  # noqa: PLR2004 a pair
            name = f"hwmon: {chip} {_sensor(both[0])} × {_sensor(both[1])}"
            return _gauge(name, scope, partial(_product, *both))
    return None


def _gauge(name: str, scope: str, read: Callable[[], Reading]) -> EnergySource:
    return EnergySource(name=f"{name} ({scope}; read between queries)", read=read, energy=integrated)


def _pairs(folder: Path, rank: _Rank) -> Iterator[tuple[Path, Path]]:
    """Yield voltage and current of one rail, by their rank."""
    currents = _files.numbered(folder, "curr*_input")
    voltages = [path.with_name(path.name.replace("curr", "in", 1)) for path in currents]
    rails = [pair for pair in zip(voltages, currents, strict=True) if pair[0].exists()]
    yield from sorted(rails, key=lambda pair: rank(pair[0]))


def _one(sensors: list[Path], rank: _Rank) -> list[Path]:
    """Return one sensor of several, the first by its rank: others may be parts of it."""
    return sorted(sensors, key=rank)[:1]


def _rank(device: str, path: Path) -> int:
    """Put the whole supply (a Jetson's VDD_IN, POM_5V_IN) before the device's own rail, and that before other rails."""
    label = _label(path).upper()
    return 0 if label.endswith("IN") else 1 if device.upper() in label else 2


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
