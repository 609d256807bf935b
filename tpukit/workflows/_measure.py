"""A sweep: every model on every device under every scenario, each run stored before the next begins."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from tpukit import paths, schema
from tpukit.errors import ConfigError, StorageError, TpukitError
from tpukit.history import History
from tpukit.inference import (
    INVALID,
    SCENARIOS,
    BenchmarkResult,
    Cancel,
    Device,
    Model,
    Settings,
    benchmark,
    get_device,
    read_models,
)
from tpukit.interrupts import interruptible
from tpukit.workloads import Data

_BASELINE_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Where a sweep is: the share done by time, the cell it is in, and whether that cell begins just now."""

    share: float
    label: str
    begins: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Measured:
    """A sweep's outcome.

    `results` is a RESULTS table with one row for each cell asked for, `baselines` one with those of the baseline runs.
    A cell that could not be measured is a row without a run_id, INVALID, with its reason. `cut_short` says that
    somebody stopped the sweep, `not_stored` why history lacks its last run and where that was put instead,
    `not_measured` names the cells that were left out for either.
    """

    results: pd.DataFrame
    baselines: pd.DataFrame
    cut_short: bool
    not_stored: str | None
    not_measured: tuple[str, ...]

    def everything(self) -> pd.DataFrame:
        """Return the RESULTS of all runs, each model's baseline before its cells."""
        both = schema.concat([self.baselines, self.results], schema.RESULTS)
        order = {model: place for place, model in enumerate(dict.fromkeys(both["model"]))}
        return both.sort_values("model", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def measure(  # noqa: PLR0913 the axes of a sweep, each named by the caller
    models: Sequence[str | Path | Model],
    *,
    history: History,
    devices: Sequence[str | Device] = ("cpu",),
    scenarios: Sequence[str] = ("single_stream",),
    threads: Sequence[int] = (1,),
    batch: int = 1,
    duration_s: float = 10.0,
    min_queries: int = 100,
    seed: int = 0,
    data: Data | None = None,
    baseline: str | Device | None = "reference",
    progress: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
) -> Measured:
    """Measure every combination and store each run as soon as it ends.

    Before a model's cells, `baseline` runs it on one thread for a tenth of the time and `min_queries` at least, so that
    every number has its baseline from the same sweep; None leaves that out. A cell that cannot be measured becomes a
    row, and the sweep goes on; Ctrl-C, `cancel` or a store that fails end it, and what was measured is returned. Models
    of one name are told apart by their sha256.

    Raises ConfigError, UnknownNameError, ModelLoadError and StorageError for what can be known before measuring.
    """
    read, on = check_sweep(
        models,
        devices=devices,
        scenarios=scenarios,
        threads=threads,
        batch=batch,
        duration_s=duration_s,
        min_queries=min_queries,
        seed=seed,
    )
    against = None if baseline is None else get_device(baseline)
    history.check()
    cells: list[_Cell] = []
    for model in read:
        if against:
            cells.append(_baseline_cell(model, against, duration_s, min_queries))
        cells += [
            _Cell(model=model, device=device, scenario=scenario, threads=n, seconds=duration_s, queries=min_queries)
            for device in on
            for scenario in scenarios
            for n in threads
        ]
    sweep = _Sweep(history=history)
    with interruptible(cancel) as stop, sweep.ended_by_hand():
        for at, cell in enumerate(cells):
            sweep.add(cell, _run(cell, _ticker(progress, cells, at), batch=batch, seed=seed, data=data, cancel=stop))
            sweep.cut_short |= at + 1 < len(cells) and stop.is_set()
            if sweep.cut_short or sweep.not_stored:
                break
    done = len(sweep.results) + len(sweep.baselines)
    return sweep.measured(not_measured=tuple(cell.label for cell in cells[done:]))


def check_sweep(
    models: Sequence[str | Path | Model],
    *,
    devices: Sequence[str | Device],
    scenarios: Sequence[str],
    threads: Sequence[int],
    duration_s: float,
    batch: int = 1,
    min_queries: int = 100,
    seed: int = 0,
) -> tuple[list[Model], list[Device]]:
    """Return a sweep's models and devices, or raise what `measure` would raise for its arguments."""
    for name, axis in {"model": models, "device": devices, "scenario": scenarios, "threads": threads}.items():
        if not axis:
            raise ConfigError(f"no {name} was given: name at least one")
    for scenario, count in product(scenarios, threads):
        Settings(
            scenario=scenario, duration_s=duration_s, min_queries=min_queries, threads=count, batch=batch, seed=seed
        )
    return read_models(models), [get_device(device) for device in devices]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    model: Model
    device: Device
    scenario: str
    threads: int
    seconds: float
    queries: int
    is_baseline: bool = False

    @property
    def label(self) -> str:
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        baseline = " (baseline)" if self.is_baseline else ""
        return f"{self.model.name} {self.device.name} {self.scenario} {threads}{baseline}"


def _baseline_cell(model: Model, device: Device, duration_s: float, min_queries: int) -> _Cell:
    return _Cell(
        model=model,
        device=device,
        scenario="single_stream",
        threads=1,
        seconds=duration_s * _BASELINE_SHARE,
        queries=min_queries,
        is_baseline=True,
    )


def _ticker(progress: Callable[[Step], None] | None, cells: Sequence[_Cell], at: int) -> Callable[[float], None] | None:
    if progress is None:
        return None
    cell = cells[at]
    before = sum(done.seconds for done in cells[:at])
    whole = sum(each.seconds for each in cells)
    progress(Step(share=before / whole, label=cell.label, begins=True))
    return lambda share: progress(Step(share=(before + share * cell.seconds) / whole, label=cell.label, begins=False))


def _run(cell: _Cell, tick: Callable[[float], None] | None, **common: Any) -> BenchmarkResult | TpukitError:
    """Return the run, or why there is none."""
    try:
        return benchmark(
            cell.model,
            cell.device,
            cell.scenario,
            duration_s=cell.seconds,
            min_queries=cell.queries,
            threads=cell.threads,
            progress=tick,
            **common,
        )
    except TpukitError as error:
        return error


@dataclass(slots=True, kw_only=True)
class _Sweep:
    """What was measured so far."""

    history: History
    results: list[dict[str, Any]] = field(default_factory=list)
    baselines: list[dict[str, Any]] = field(default_factory=list)
    cut_short: bool = False
    not_stored: str | None = None

    @contextmanager
    def ended_by_hand(self) -> Iterator[None]:
        """Take a KeyboardInterrupt, which is the second Ctrl-C, for the end of the sweep."""
        try:
            yield
        except KeyboardInterrupt:
            self.cut_short = True

    def add(self, cell: _Cell, outcome: BenchmarkResult | TpukitError) -> None:
        """Note one cell's outcome, and store its run."""
        rows = self.baselines if cell.is_baseline else self.results
        if isinstance(outcome, TpukitError):
            rows.append(_failed(cell, outcome))
            return
        row = {str(name): value for name, value in outcome.summary.iloc[0].items()}
        row |= self._against_baseline(cell, outcome)
        rows.append(row)
        self.cut_short |= outcome.cut_short
        self._store(outcome, schema.frame([row], schema.RESULTS))

    def measured(self, *, not_measured: tuple[str, ...]) -> Measured:
        """Return the tables."""
        return Measured(
            results=schema.frame(self.results, schema.RESULTS),
            baselines=schema.frame(self.baselines, schema.RESULTS),
            cut_short=self.cut_short,
            not_stored=self.not_stored,
            not_measured=not_measured,
        )

    def _against_baseline(self, cell: _Cell, outcome: BenchmarkResult) -> dict[str, Any]:
        if cell.is_baseline:
            return {"baseline": "none: it is the baseline"}
        base = next((row for row in reversed(self.baselines) if row["model"] == cell.model.name), None)
        if base is None:
            return {}
        if base["verdict"] == INVALID:
            reason = f"no baseline, {base['device']} failed: {base['reasons']}"
            said = outcome.summary["reasons"].item()
            return {"baseline": f"none: {base['device']} failed", "reasons": "; ".join(filter(None, (said, reason)))}
        scenario = SCENARIOS[cell.scenario]
        metric = scenario.metric
        value, reference = float(outcome.summary[metric].iloc[0]), float(base[metric])
        return {
            "baseline": f"{base['device']}, 1 thread",
            "baseline_value": reference,
            **({"baseline_lo": base["p50_lo_s"], "baseline_hi": base["p50_hi_s"]} if metric == "p50_s" else {}),
            "speedup": reference / value if scenario.lower_is_better else value / reference,
        }

    def _store(self, outcome: BenchmarkResult, summary: pd.DataFrame) -> None:
        try:
            self.history.append(outcome.run, outcome.samples, summary)
        except StorageError as error:
            self.not_stored = f"{error}; {_rescue(outcome, summary)}"


def _failed(cell: _Cell, error: TpukitError) -> dict[str, Any]:
    return {
        "model": cell.model.name,
        "device": cell.device.name,
        "scenario": cell.scenario,
        "threads": cell.threads,
        "verdict": INVALID,
        "reasons": str(error),
        "n": 0,
    }


def _rescue(outcome: BenchmarkResult, summary: pd.DataFrame) -> str:
    """Put a run that history could not take beside the temporary files, and say where."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="tpukit-"))
        for name, table in (("run", outcome.run), ("samples", outcome.samples), ("result", summary)):
            table.to_parquet(folder / f"{name}.parquet")
    except OSError as error:
        return f"nor could the last run be put into the temporary folder ({paths.reason(error)})"
    return f"the last run lies in {folder}"
