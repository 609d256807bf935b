"""What Linux shows of a machine in /proc and /sys below any root; what is not there is None."""

import platform
import re
from pathlib import Path

from tpukit import host
from tpukit.doctor._facts import Driver, Machine
from tpukit.doctor._files import line, lines

# jax-ml/jax, jax/_src/hardware_utils.py
_CLOUD_VENDOR = "0x1ae0"
_CLOUD_TPUS = frozenset({"0x0027", "0x0056", "0x005e", "0x0062", "0x0063", "0x006f", "0x0076"})
# control groups of version 2, and 1
_MEMORY_OF_GROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


def seen_machine(root: Path) -> Machine:
    """Return what makes numbers noisy here; affinity and the number of processors are this process's own."""
    total, available = _memory(root)
    return Machine(
        processors=host.processors(),
        allowed=host.allowed_processors(),
        quota=host.cpu_quota(root / "sys/fs/cgroup"),
        throttled=_throttled(root),
        governors=_governors(root),
        load_1m=_first(line(root / "proc/loadavg")),
        memory_bytes=total,
        memory_available_bytes=available,
        memory_stalled=_stalled(root),
        stolen=_stolen(root),
        cloud_tpus=_cloud_tpus(root),
        nvidia=any((root / name).exists() for name in ("dev/nvidia0", "dev/dxg", "proc/driver/nvidia/version")),
    )


def seen_driver(root: Path) -> Driver:
    """Return whether the kernel that runs has the apex module, and has loaded it."""
    kernel = line(root / "proc/sys/kernel/osrelease") or platform.release()
    built = any((root / "lib/modules" / kernel).rglob("apex.ko*"))
    return Driver(kernel=kernel, loaded=(root / "sys/module/apex").exists(), built=built)


def _governors(root: Path) -> tuple[str, ...]:
    found = (root / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return tuple(sorted({line(path) for path in found} - {""}))


def _throttled(root: Path) -> float | None:
    for folder in ("", "cpu/"):  # control groups of version 2, and 1
        counts = _named(root / f"sys/fs/cgroup/{folder}cpu.stat")
        if counts.get("nr_periods"):
            return counts.get("nr_throttled", 0) / counts["nr_periods"]
    return None


def _memory(root: Path) -> tuple[int | None, int | None]:
    """Return total and available bytes: the machine's, or those of the container where it has less."""
    machine = _named(root / "proc/meminfo")
    if "MemTotal" not in machine or "MemAvailable" not in machine:
        return None, None
    total, available = machine["MemTotal"] * 1024, machine["MemAvailable"] * 1024
    for most, used in _MEMORY_OF_GROUPS:
        group = (root / "sys/fs/cgroup" / most).parent
        limit, taken = line(root / "sys/fs/cgroup" / most), line(root / "sys/fs/cgroup" / used)
        if limit.isdecimal() and taken.isdecimal() and int(limit) < total:
            counts = _named(group / "memory.stat")
            # pages of files that nobody used of late are given up first
            cached = counts.get("total_inactive_file", counts.get("inactive_file", 0))
            return int(limit), max(0, min(available, int(limit) - int(taken) + cached))
    return total, available


def _stalled(root: Path) -> float | None:
    for name in ("sys/fs/cgroup/memory.pressure", "proc/pressure/memory"):
        if match := re.search(r"^some .*avg60=([\d.]+)", "\n".join(lines(root / name)), re.MULTILINE):
            return float(match[1]) / 100
    return None


def _stolen(root: Path) -> float | None:
    first = (lines(root / "proc/stat") or [""])[0]
    # user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user and nice (proc(5))
    match = re.match(r"cpu" + r"\s+(\d+)" * 8, first)
    counts = [int(count) for count in match.groups()] if match else []
    return counts[-1] / sum(counts) if any(counts) else None


def _cloud_tpus(root: Path) -> int:
    devices = (root / "sys/bus/pci/devices").glob("*")
    googles = [each for each in devices if line(each / "vendor") == _CLOUD_VENDOR]
    return len([each for each in googles if line(each / "device") in _CLOUD_TPUS])


def _named(path: Path) -> dict[str, int]:
    """Return the numbers of a file of names and numbers: `nr_periods 12`, `MemTotal:  24684 kB`."""
    found = (re.match(r"(\w+):?\s+(\d+)", each) for each in lines(path))
    return {match[1]: int(match[2]) for match in found if match}


def _first(text: str) -> float | None:
    match = re.match(r"\d+(\.\d+)?", text)
    return float(match[0]) if match else None
