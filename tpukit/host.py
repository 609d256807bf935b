"""The machine that a run happens on: what it is, and how busy it is."""

import math
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
# inside a container its own group is mounted here
_CGROUP = Path("/sys/fs/cgroup")
_CPUINFO = Path("/proc/cpuinfo")
_GIT_TIMEOUT_S = 5.0
# guest time is counted in user time already
_NOT_USED = frozenset({"idle", "iowait", "guest", "guest_nice"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What does not change while a process runs; `governor` is None where the system shows none."""

    name: str
    cpu: str
    cores: int
    memory_bytes: int
    governor: str | None
    os: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuUse:
    """CPU seconds since some fixed time: of the processors that this process may use together, and of this process."""

    all_s: float
    own_s: float


def describe() -> Host:
    """Return this machine.

    >>> describe().cores >= 1
    True
    """
    return Host(
        name=socket.gethostname(),
        cpu=_cpu_model(),
        cores=cores(),
        memory_bytes=psutil.virtual_memory().total,
        governor=_read_line(_GOVERNOR),
        os=f"{platform.system()} {platform.release()}",
    )


def cores() -> int:
    """Return how many logical processors this process may use: by its affinity, and by its container's quota."""
    quota = cpu_quota(_CGROUP)
    return allowed_processors() if quota is None else max(1, min(allowed_processors(), math.ceil(quota)))


def allowed_processors() -> int:
    """Return on how many logical processors this process may run, however little of them it is granted."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota(group: Path) -> float | None:
    """Return the processors that a control group grants, version 2 or 1; None where it grants all or there is none."""
    first, *rest = (_read_line(group / "cpu.max") or "").split() or ["max"]
    if rest and first != "max":
        return int(first) / int(rest[0])
    quota, period = (_read_line(group / f"cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
    return int(quota) / int(period) if quota and period and int(quota) > 0 else None


def processors() -> int:
    """Return how many logical processors the machine has: what its load average is to be compared with."""
    return os.cpu_count() or 1


def thread_counts() -> list[int]:
    """Return the thread counts worth comparing here: powers of two up to the processors there are, and all of them.

    >>> thread_counts()[0]
    1
    """
    most = cores()
    return sorted({2**power for power in range(most.bit_length()) if 2**power <= most} | {most})


def available_memory_bytes() -> int:
    """Return how much memory a process may still take without pushing others out."""
    return int(psutil.virtual_memory().available)


def load_average() -> float:
    """Return the load average of the last minute."""
    return psutil.getloadavg()[0]


def cpu_use() -> CpuUse:
    """Return the CPU time used so far on the processors that this process may use.

    The difference of two gives what others used in between.
    """
    every = psutil.cpu_times(percpu=True)
    mine = [every[index] for index in sorted(os.sched_getaffinity(0))] if hasattr(os, "sched_getaffinity") else every
    own = os.times()
    # a sum of what was used only grows; the total less what was not goes back by its rounding
    busy_s = sum(used for times in mine for kind, used in times._asdict().items() if kind not in _NOT_USED)
    return CpuUse(all_s=busy_s, own_s=own.user + own.system)


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Return the version of Python and of each library that is installed."""
    found = {"python": platform.python_version()}
    for library in libraries:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def git_revision(folder: Path) -> str | None:
    """Return the revision of the repository around `folder`, with + where it has changes; None without one.

    A ? instead of the + says that git did not answer in time whether there are any.
    """
    git = shutil.which("git")
    if git is None:
        return None

    def ask(*arguments: str) -> str | None:
        try:
            answer = subprocess.run(  # noqa: S603 the program is git as found, the arguments are ours
                [git, "--no-optional-locks", "-C", str(folder), *arguments],
                capture_output=True,
                text=True,
                timeout=_GIT_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    revision = ask("rev-parse", "HEAD")
    if not revision:
        return None
    changes = ask("status", "--porcelain")
    return revision + ("?" if changes is None else "+" if changes else "")


@cache
def _cpu_model() -> str:
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text(errors="replace").splitlines():
            field, _, value = line.partition(":")
            if field.strip() in ("model name", "Model", "cpu model"):
                return value.strip()
    return platform.processor() or platform.machine() or sys.platform


def _read_line(path: Path) -> str | None:
    try:
        return path.read_text().strip()
    except OSError:
        return None
