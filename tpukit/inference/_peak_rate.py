"""`find_peak`: the highest rate at which a device still keeps its latency bound."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpukit.errors import ConfigError
from tpukit.inference._benchmark import BenchmarkResult, benchmark
from tpukit.inference._measure import Progress
from tpukit.inference._model import Model, read_model
from tpukit.inference._rules import VALID, rate_text
from tpukit.inference._settings import MAX_RATE_HZ
from tpukit.inference._types import Device
from tpukit.interrupts import Cancel, interruptible

_FIRST_SHARE = 0.5
# below that hardly a query meets another: where it is too much, all is
_FLOOR_SHARE = 1 / 64
_TOLERANCES = (0.001, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeakRate:
    """What a search found.

    `rate_hz` is the highest rate with a VALID run below the lowest that had none, `too_high_hz` that lowest one; NaN
    where there is none. The highest rate that the device can hold lies between the two, as far as these runs tell.
    `reason` says why the search ended before they were close enough; it is empty where they are. `capacity_hz` is the
    rate of single_stream, which no rate that is held for long exceeds on a device that takes one query at a time.
    `runs` are all runs of the search in order, the first of them single_stream.
    """

    rate_hz: float
    too_high_hz: float
    capacity_hz: float
    tolerance: float
    reason: str
    runs: tuple[BenchmarkResult, ...]


def find_peak(
    model: str | Path | Model,
    device: str | Device = "cpu",
    *,
    tolerance: float = 0.05,
    on_run: Callable[[BenchmarkResult], None] | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
    **options: Any,
) -> PeakRate:
    """Search the highest rate of the server scenario that is VALID, by bisection.

    It begins at half the rate of single_stream, doubles or halves until one rate is VALID and a higher one is not, then
    halves the interval between them by their geometric mean until they are a factor of 1 + `tolerance` apart. A rate is
    too high where it is INVALID twice: one stall of a busy machine must not decide. `options` are those
    of `benchmark` for every run; `progress` is called with the share of each run, `on_run` with each run as soon as it
    ended. Where `cancel` is set, Ctrl-C is pressed, or the device fails, what was found is returned with a `reason`.

    Raises what `benchmark` raises, and ConfigError for a tolerance outside 0.001 to 1.

    >>> found = find_peak("digits_cnn_int8", tolerance=0.5, duration_s=0.1, latency_bound_s=0.1, min_queries=459)
    >>> len(found.runs) > 2
    True
    """
    check_tolerance(tolerance)
    read = read_model(model)
    shared = {name: value for name, value in options.items() if name not in ("latency_bound_s", "percentile")}
    runs: list[BenchmarkResult] = []
    tried: dict[float, bool] = {}

    def take(run: BenchmarkResult) -> None:
        runs.append(run)
        if on_run:
            on_run(run)

    with interruptible(cancel) as stop:
        watched: dict[str, Any] = {"progress": progress, "cancel": stop}
        take(benchmark(read, device, "single_stream", **shared, **watched))
        capacity_hz = _capacity(runs[0])
        while not (ended := _ended(runs[-1])) and (rate_hz := next_rate(tried, capacity_hz, tolerance)) is not None:
            again = rate_hz in _rates(runs)
            take(benchmark(read, device, "server", rate_hz=rate_hz, **options, **watched))
            if not _ended(runs[-1]) and (again or runs[-1].verdict == VALID):
                tried[rate_hz] = runs[-1].verdict == VALID
        reason = ended or _reason(tried, capacity_hz)
    lower, upper = bracket(tried)
    return PeakRate(
        rate_hz=lower,
        too_high_hz=upper,
        capacity_hz=capacity_hz,
        tolerance=tolerance,
        reason=reason,
        runs=tuple(runs),
    )


def check_tolerance(tolerance: float) -> None:
    """Raise ConfigError for a tolerance that no search takes."""
    least, most = _TOLERANCES
    if not least <= tolerance <= most:
        raise ConfigError(f"tolerance is {tolerance!r}: expected a share from {least} to {most:g}, such as 0.05")


def bracket(tried: Mapping[float, bool]) -> tuple[float, float]:
    """Return the highest VALID rate below the lowest INVALID one, and that one; NaN where there is none.

    >>> bracket({10.0: True, 40.0: False, 20.0: True})
    (20.0, 40.0)
    """
    too_high = min((rate for rate, valid in tried.items() if not valid), default=math.inf)
    held = max((rate for rate, valid in tried.items() if valid and rate < too_high), default=math.nan)
    return held, math.nan if math.isinf(too_high) else too_high


def next_rate(tried: Mapping[float, bool], capacity_hz: float, tolerance: float) -> float | None:
    """Return the rate to try next; None where the search is done, or is not worth going on.

    >>> next_rate({}, 100.0, 0.05), next_rate({50.0: True}, 100.0, 0.05)
    (50.0, 100.0)
    >>> next_rate({50.0: True, 52.0: False}, 100.0, 0.05)
    """
    if not capacity_hz > 0:
        return None
    held, too_high = bracket(tried)
    if not tried:
        return capacity_hz * _FIRST_SHARE
    if math.isnan(too_high):
        return held * 2 if held * 2 <= MAX_RATE_HZ else None
    if math.isnan(held):
        lower = too_high / 2
        return lower if lower >= capacity_hz * _FLOOR_SHARE else None
    return None if too_high <= held * (1 + tolerance) else math.sqrt(held * too_high)


def _capacity(run: BenchmarkResult) -> float:
    return float(run.summary["throughput_per_s"].item() / run.run["samples_per_query"].item())


def _rates(runs: Sequence[BenchmarkResult]) -> list[float]:
    return [float(run.run["rate_hz"].item()) for run in runs]


def _ended(run: BenchmarkResult) -> str:
    """Return why nothing can follow a run, which then says nothing of its rate."""
    if run.cut_short:
        return "stopped before the search was done"
    failed = run.samples["error"].dropna()
    return f"the device failed: {failed.iloc[0]}" if len(failed) else ""


def _reason(tried: Mapping[float, bool], capacity_hz: float) -> str:
    if not capacity_hz > 0:
        return "single_stream measured nothing to begin from"
    held, too_high = bracket(tried)
    if math.isnan(held):
        least = capacity_hz * _FLOOR_SHARE
        return f"no rate down to {rate_text(least)} queries/s is VALID: the bound is too short for the device"
    if math.isnan(too_high):
        most = rate_text(MAX_RATE_HZ)
        return f"no rate up to {most} queries/s was seen to be too high: give longer runs, or a shorter bound"
    return ""
