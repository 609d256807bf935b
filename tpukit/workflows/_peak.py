"""`measure_peak`: the highest rate that each model holds, every run of the search stored."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from tpukit import schema
from tpukit.errors import ConfigError, TpukitError
from tpukit.history import History
from tpukit.inference import (
    SCENARIOS,
    VALID,
    BenchmarkResult,
    Cancel,
    Device,
    Model,
    PeakRate,
    Settings,
    check_tolerance,
    find_peak,
)
from tpukit.interrupts import AnyOf, interruptible
from tpukit.workflows._cells import Cell, Known, Load, shape
from tpukit.workflows._measure import check_sweep
from tpukit.workflows._sweep import Measured, Step, Sweep
from tpukit.workloads import Data

_ALONE, _SERVER = SCENARIOS["single_stream"].name, SCENARIOS["server"].name
_PASSED_ON = ("duration_s", "min_queries", "threads", "batch", "seed", "latency_bound_s", "percentile")
_QUANTILES = {0.5: "p50", 0.9: "p90", 0.99: "p99"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeasuredPeaks:
    """The outcome of searches: `peaks` is a PEAKS table with one row for each of them.

    `measured` holds their runs: the single_stream ones as its baselines, those of server as its results.
    """

    peaks: pd.DataFrame
    measured: Measured


def measure_peak(  # noqa: PLR0913 what to search, where to keep it, and who looks on
    models: Sequence[str | Path | Model],
    *,
    history: History,
    devices: Sequence[str | Device] = ("cpu",),
    load: Load | None = None,
    tolerance: float = 0.05,
    name: str | None = None,
    data: Data | None = None,
    progress: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
) -> MeasuredPeaks:
    """Search the highest rate of server that keeps its bound, for models × devices × the threads and batches of `load`.

    The search is that of `inference.find_peak`. Each of its runs is stored as soon as it ends; beside those of server
    stands the same percentile of single_stream, where that is 0.5, 0.9 or 0.99. A search that fails becomes a row with
    its reason. Ctrl-C, `cancel` or a store that fails end all, and what was found is returned.

    Raises what `measure` raises, and ConfigError for a tolerance outside 0.001 to 1 and for what of `load` has no place
    in a search: rates, repeats, samples per query, other scenarios than server and single_stream.
    """
    load = load or Load()
    _check(load, tolerance)
    server = replace(load, scenarios=(_SERVER,), rates_hz=(1.0,))  # the rate is the search's own
    read, on = check_sweep(models, devices=devices, load=server)
    history.check()
    todo = [
        _Target(model=model, device=device, settings=made)
        for model in read
        for device in on
        for made in server.settings()
    ]
    sweep, rows = Sweep(history=history), []
    with interruptible(cancel) as stop, sweep.ended_by_hand():
        for at, target in enumerate(todo):
            ahead = _Ahead(show=progress, at=at, of=len(todo), label=target.label, expected=_expected(tolerance))
            search = _Search(sweep=sweep, target=target, ahead=ahead)
            watched = {"tolerance": tolerance, "cancel": AnyOf((stop, sweep)), "name": name, "data": data}
            rows.append(search.row(tolerance) | search.run(**watched))
            sweep.cut_short |= at + 1 < len(todo) and stop.is_set()
            if sweep.cut_short or sweep.not_stored:
                break
    measured = sweep.measured(not_measured=tuple(each.label for each in todo[len(rows) :]))
    return MeasuredPeaks(peaks=schema.frame(rows, schema.PEAKS), measured=measured)


def _check(load: Load, tolerance: float) -> None:
    check_tolerance(tolerance)
    given = {
        "rate_hz": load.rates_hz,
        "repeats": load.repeats > 1,
        "samples_per_query": load.samples_per_query,
        "scenario": set(load.scenarios) - {_SERVER, _ALONE},
    }
    for name, value in given.items():
        if value:
            raise ConfigError(
                f"{name} does not go with find_peak, which runs single_stream, then server at rates of its own: "
                "leave it out"
            )


def _expected(tolerance: float) -> int:
    """Return how many runs a search takes about: single_stream, two to enclose the rate, then halvings of an octave."""
    return 3 + math.ceil(math.log2(math.log(2) / math.log1p(tolerance)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What a search is about; the rate of its settings is not yet its own."""

    model: Model
    device: Device
    settings: Settings

    @property
    def label(self) -> str:
        return f"{self.model.name} {self.device.name} peak {shape(self.settings)}"

    def cell(self, run: BenchmarkResult, baseline: Known | None) -> Cell:
        """Return what a run of the search measured; without a baseline it is single_stream."""
        if baseline:
            made = replace(self.settings, rate_hz=float(run.run["rate_hz"].item()))
        else:
            percentile = SCENARIOS[_ALONE].percentile
            made = replace(self.settings, scenario=_ALONE, rate_hz=None, latency_bound_s=None, percentile=percentile)
        return Cell(model=self.model, device=self.device, settings=made, baseline=baseline)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ahead:
    """Tells how far all searches are; how many runs one takes is not known before."""

    show: Callable[[Step], None] | None
    at: int
    of: int
    label: str
    expected: int

    def tell(self, ended: int, share: float, *, begins: bool) -> None:
        if self.show:
            done = min(ended + share, self.expected) / (self.expected + 1)
            label = f"{self.label}, run {ended + 1}"
            self.show(Step(share=(self.at + done) / self.of, label=label, begins=begins))


@dataclass(slots=True, kw_only=True)
class _Search:
    """One search while it runs."""

    sweep: Sweep
    target: _Target
    ahead: _Ahead
    runs: int = 0
    baseline: Known | None = None

    def row(self, tolerance: float) -> dict[str, Any]:
        """Return what was asked for."""
        made = self.target.settings
        row = {name: getattr(made, name) for name in ("threads", "batch", "latency_bound_s", "percentile")}
        return row | {"model": self.target.model.name, "device": self.target.device.name, "tolerance": tolerance}

    def run(self, **watched: Any) -> dict[str, Any]:
        """Return what was found, or why nothing."""
        self.ahead.tell(0, 0.0, begins=True)
        options = {name: getattr(self.target.settings, name) for name in _PASSED_ON}
        try:
            found = find_peak(
                self.target.model, self.target.device, progress=self.tick, on_run=self.take, **options, **watched
            )
        except TpukitError as error:
            return {"runs": self.runs, "reason": str(error)}
        return _found(found)

    def tick(self, share: float) -> None:
        self.ahead.tell(self.runs, share, begins=False)

    def take(self, run: BenchmarkResult) -> None:
        """Store a run; the first one is the baseline of the others."""
        self.sweep.add(self.target.cell(run, self.baseline), run)
        self.baseline = self.baseline or _alone(run, self.target.settings.percentile)
        self.runs += 1
        self.ahead.tell(self.runs, 0.0, begins=True)


def _found(found: PeakRate) -> dict[str, Any]:
    names = ("rate_hz", "too_high_hz", "capacity_hz")
    row = {name: getattr(found, name) for name in names}
    return row | {"runs": len(found.runs), "reason": found.reason or None}


def _alone(run: BenchmarkResult, percentile: float | None) -> Known:
    """Return the latency without load at the percentile that the bound is about."""
    name, row = _QUANTILES.get(percentile or math.nan), run.summary.iloc[0]
    if name is None:
        return Known(text=f"none: single_stream's percentile {percentile:g} is in no table", value=math.nan)
    if run.verdict != VALID:
        return Known(text="none: single_stream was INVALID", value=math.nan)
    return Known(
        text=f"single_stream {name} of the same search",
        value=row[f"{name}_s"],
        lo=row[f"{name}_lo_s"],
        hi=row[f"{name}_hi_s"],
    )
