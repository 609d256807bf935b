"""The peaks of this machine's processor: measured once for each number of threads, and kept in a file."""

import json
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tpukit import host, paths
from tpukit.clock import Clock, SystemClock
from tpukit.errors import ConfigError, StorageError
from tpukit.inference._kernels import Kernel, Kernels, LiteRTKernels, Of
from tpukit.inference._roofline import Peaks

_LOG = logging.getLogger(__name__)
_FILE = "peaks.json"
_LIBRARIES = ("tpukit", "ai-edge-litert", "numpy")
# the best of many short bursts: others on the machine slow some of them, and nothing makes one too fast
_BURST_S, _BUDGET_S = 0.02, 1.2
_LEAST_RUNS = 2


# what reading a file of something else meets; JSON nested too deeply and infinite sizes among it
_DAMAGE = (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError)
# so many more processors asked for than there are, and bursts that nobody disturbed become rare
_TOO_MANY_CORES = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """One entry of the file: what was measured, and on which machine."""

    machine: dict[str, Any]
    threads: int
    measured: datetime
    busy: bool
    peaks: Peaks


def cpu_peaks(
    threads: int, *, clock: Clock | None = None, home: Path | None = None, kernels: Kernels | None = None
) -> Peaks:
    """Return the peaks of this machine's processor with this number of threads, or with all its cores if that is more.

    They are measured on the first call, which takes about 3 s, and kept in `peaks.json` of `home` (default:
    `tpukit.paths.home()`) with the machine that they are of: its processor, cores, memory, governor, system and the
    versions of tpukit and what computes. Where other processes needed the cores meanwhile, this is logged, the next
    process measures again, and the best of all counts. Delete the file to have everything measured anew. Where it
    cannot be written, this is logged and the peaks are returned all the same; one that holds something else is
    replaced.

    Raises ConfigError for fewer than one thread, DeviceUnavailableError where LiteRT cannot be imported.
    """
    if threads < 1:
        raise ConfigError(f"threads is {threads}: expected a whole number from 1")
    clock, kernels = clock or SystemClock(), kernels or LiteRTKernels()
    path = (home or paths.home()) / _FILE
    threads, machine = min(threads, host.cores()), _machine()
    known = _here(_read(path), machine)
    before = known.get(threads)
    if before is None or before.busy:
        found = _measured(machine, threads, clock=clock, kernels=kernels)
        known[threads] = replace(found, peaks=found.peaks.raised_to([before.peaks] if before else []))
        _keep(path, known[threads])
    # what fewer threads reached, more can reach
    return known[threads].peaks.raised_to([kept.peaks for fewer, kept in known.items() if fewer < threads])


def kept_peaks(home: Path | None = None) -> Peaks | None:
    """Return this machine's peaks with the most threads that were measured already; None where nothing is kept.

    Nothing is measured. `home` is the folder that holds `peaks.json`, by default `tpukit.paths.home()`.
    """
    known = _here(_read((home or paths.home()) / _FILE), _machine())
    if not known:
        return None
    return known[max(known)].peaks.raised_to([kept.peaks for kept in known.values()])


def _measured(machine: dict[str, Any], threads: int, *, clock: Clock, kernels: Kernels) -> _Kept:
    _LOG.info("measuring the peaks of the processor with %d of its cores", threads)
    use, began, measured = host.cpu_use(), clock.now(), clock.utc()
    ops_per_s = _best_rates(kernels.arithmetic(threads), clock)
    bytes_per_s = _best_rates(kernels.streams(threads), clock)
    others = _others_cores(use, host.cpu_use(), clock.now() - began)
    busy = others + threads > host.allowed_processors() + _TOO_MANY_CORES
    if busy:
        _LOG.info("other processes kept %.1f cores busy while peaks of %d were measured", others, threads)
    peaks = Peaks(ops_per_s=ops_per_s, bytes_per_s=bytes_per_s, source=_source(threads, measured, busy=busy))
    return _Kept(machine=machine, threads=threads, measured=measured, busy=busy, peaks=peaks)


def _source(threads: int, measured: datetime, *, busy: bool) -> str:
    noun = "thread" if threads == 1 else "threads"
    return f"{threads} {noun} (measured {measured:%Y-%m-%d}{' on a busy machine' if busy else ''})"


def _others_cores(before: host.CpuUse, after: host.CpuUse, wall_s: float) -> float:
    others_s = (after.all_s - before.all_s) - (after.own_s - before.own_s)
    return max(0.0, others_s) / wall_s if wall_s > 0 else 0.0


def _best_rates(kernels: Sequence[Kernel[Of]], clock: Clock) -> dict[Of, float]:
    best: dict[Of, float] = {}
    began = clock.now()
    while not best or clock.now() - began < _BUDGET_S:
        # in turn, so that a second in which the machine is busy is no kernel's only one
        for kernel in kernels:
            rate = kernel.amount / _fastest_s(kernel.run, clock)
            best[kernel.of] = max(rate, best.get(kernel.of, 0.0))
    return best


def _fastest_s(run: Callable[[], object], clock: Clock) -> float:
    perf_ns, fastest, runs = clock.perf_ns, math.inf, 0
    began = perf_ns()
    while runs < _LEAST_RUNS or perf_ns() - began < _BURST_S * 1e9:
        before = perf_ns()
        run()
        fastest = min(fastest, max(1, perf_ns() - before))
        runs += 1
    return fastest / 1e9


def _machine() -> dict[str, Any]:
    described = asdict(host.describe())
    del described["name"]  # containers of one machine have a new one each
    return described | host.versions(_LIBRARIES)


def _here(kept: Sequence[_Kept], machine: dict[str, Any]) -> dict[int, _Kept]:
    return {each.threads: each for each in kept if each.machine == machine}


def _read(path: Path) -> list[_Kept]:
    try:
        return [_from_record(record) for record in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except OSError as error:
        _LOG.warning("cannot read %s: %s; the peaks are measured again", path, paths.reason(error))
    except _DAMAGE as error:
        _LOG.warning("%s is no file of peaks: %s; they are measured again", path, error)
    return []


def _keep(path: Path, new: _Kept) -> None:
    # read again: another process may have measured meanwhile
    others = [each for each in _read(path) if (each.machine, each.threads) != (new.machine, new.threads)]
    try:
        paths.make_private_folder(path.parent)
        with paths.replacing(path) as file:
            file.write(json.dumps([_to_record(each) for each in [*others, new]], indent=1).encode())
    except StorageError as error:
        _LOG.warning("%s; the peaks will be measured again by the next process", error)


def _to_record(kept: _Kept) -> dict[str, Any]:
    peaks = kept.peaks
    return {
        "machine": kept.machine,
        "threads": kept.threads,
        "measured": kept.measured.isoformat(),
        "ops_per_s": dict(peaks.ops_per_s),
        # JSON's keys are text
        "bytes_per_s": [[size, rate] for size, rate in peaks.bytes_per_s.items()],
        "busy": kept.busy,
    }


def _from_record(record: dict[str, Any]) -> _Kept:
    if not isinstance(record["machine"], dict):
        raise TypeError(f"machine is {record['machine']!r}")
    threads, measured = int(record["threads"]), datetime.fromisoformat(record["measured"])
    busy = bool(record["busy"])
    peaks = Peaks(
        ops_per_s={str(dtype): float(rate) for dtype, rate in record["ops_per_s"].items()},
        bytes_per_s={int(size): float(rate) for size, rate in record["bytes_per_s"]},
        source=_source(threads, measured, busy=busy),
    )
    return _Kept(machine=record["machine"], threads=threads, measured=measured, busy=busy, peaks=peaks)
