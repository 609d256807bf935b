"""A sweep: every model on every device under every scenario, each run stored before the next begins."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
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
    benchmark,
    get_device,
    read_models,
)
from tpukit.interrupts import interruptible
from tpukit.workflows._cells import Cell, Load, cells
from tpukit.workloads import Data


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


def measure(  # noqa: PLR0913 what to measure, where to keep it, and who looks on
    models: Sequence[str | Path | Model],
    *,
    history: History,
    devices: Sequence[str | Device] = ("cpu",),
    load: Load | None = None,
    name: str | None = None,
    data: Data | None = None,
    baseline: str | Device | None = "reference",
    progress: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
) -> Measured:
    """Measure every combination of models, devices and what `load` varies, and store each run as soon as it ends.

    Before a model's cells, `baseline` runs it on one thread for a tenth of the time and as many queries, so that every
    number has its baseline from the same sweep; None leaves that out. `name` is kept with each run. A cell that cannot
    be measured becomes a row, and the sweep goes on; Ctrl-C, `cancel` or a store that fails end it, and what was
    measured is returned. Models of one name are told apart by their sha256.

    Raises ConfigError, UnknownNameError, ModelLoadError and StorageError for what can be known before measuring.
    """
    load = load or Load()
    read, on = check_sweep(models, devices=devices, load=load)
    against = None if baseline is None else get_device(baseline)
    history.check()
    todo = cells(read, on, load, against)
    sweep = _Sweep(history=history)
    with interruptible(cancel) as stop, sweep.ended_by_hand():
        for at, cell in enumerate(todo):
            sweep.add(cell, _run(cell, _ticker(progress, todo, at), name=name, data=data, cancel=stop))
            sweep.cut_short |= at + 1 < len(todo) and stop.is_set()
            if sweep.cut_short or sweep.not_stored:
                break
    done = len(sweep.results) + len(sweep.baselines)
    return sweep.measured(not_measured=tuple(cell.label for cell in todo[done:]))


def check_sweep(
    models: Sequence[str | Path | Model], *, devices: Sequence[str | Device], load: Load
) -> tuple[list[Model], list[Device]]:
    """Return a sweep's models and devices, or raise what `measure` would raise for its arguments."""
    for name, axis in {"model": models, "device": devices}.items():
        if not axis:
            raise ConfigError(f"no {name} was given: name at least one")
    load.settings()
    return read_models(models), [get_device(device) for device in devices]


def _ticker(progress: Callable[[Step], None] | None, todo: Sequence[Cell], at: int) -> Callable[[float], None] | None:
    if progress is None:
        return None
    cell = todo[at]
    before = sum(done.seconds for done in todo[:at])
    whole = sum(each.seconds for each in todo)
    progress(Step(share=before / whole, label=cell.label, begins=True))
    return lambda share: progress(Step(share=(before + share * cell.seconds) / whole, label=cell.label, begins=False))


def _run(cell: Cell, tick: Callable[[float], None] | None, **common: Any) -> BenchmarkResult | TpukitError:
    """Return the run, or why there is none."""
    try:
        return benchmark(cell.model, cell.device, **asdict(cell.settings), progress=tick, **common)
    except TpukitError as error:
        return error


@dataclass(slots=True, kw_only=True)
class _Sweep:
    """What was measured so far."""

    history: History
    results: list[dict[str, Any]] = field(default_factory=list)
    baselines: list[tuple[Cell, dict[str, Any]]] = field(default_factory=list)
    cut_short: bool = False
    not_stored: str | None = None

    @contextmanager
    def ended_by_hand(self) -> Iterator[None]:
        """Take a KeyboardInterrupt, which is the second Ctrl-C, for the end of the sweep."""
        try:
            yield
        except KeyboardInterrupt:
            self.cut_short = True

    def add(self, cell: Cell, outcome: BenchmarkResult | TpukitError) -> None:
        """Note one cell's outcome, and store its run."""
        if isinstance(outcome, TpukitError):
            self._note(cell, _failed(cell, outcome))
            return
        row = {str(name): value for name, value in outcome.summary.iloc[0].items()}
        row |= self._against_baseline(cell, outcome)
        self._note(cell, row)
        self.cut_short |= outcome.cut_short
        self._store(outcome, schema.frame([row], schema.RESULTS))

    def _note(self, cell: Cell, row: dict[str, Any]) -> None:
        if cell.baseline:
            self.results.append(row)
        else:
            self.baselines.append((cell, row))

    def measured(self, *, not_measured: tuple[str, ...]) -> Measured:
        """Return the tables."""
        return Measured(
            results=schema.frame(self.results, schema.RESULTS),
            baselines=schema.frame([row for _, row in self.baselines], schema.RESULTS),
            cut_short=self.cut_short,
            not_stored=self.not_stored,
            not_measured=not_measured,
        )

    def _against_baseline(self, cell: Cell, outcome: BenchmarkResult) -> dict[str, Any]:
        if cell.baseline is None:
            return {"baseline": "none: it is the baseline"}
        base = self._baseline_of(cell)
        if base is None:
            return {}
        if base["verdict"] == INVALID:
            reason = f"no baseline, {base['device']} was INVALID: {base['reasons'].partition('; ')[0]}"
            said = outcome.summary["reasons"].item()
            return {
                "baseline": f"none: {base['device']} was INVALID",
                "reasons": "; ".join(filter(None, (said, reason))),
            }
        scenario = SCENARIOS[cell.settings.scenario]
        metric = scenario.metric
        value, reference = float(outcome.summary[metric].iloc[0]), float(base[metric])
        return {
            "baseline": f"{base['device']}, 1 thread",
            "baseline_value": reference,
            **({"baseline_lo": base["p50_lo_s"], "baseline_hi": base["p50_hi_s"]} if metric == "p50_s" else {}),
            "speedup": reference / value if scenario.lower_is_better else value / reference,
        }

    def _baseline_of(self, cell: Cell) -> dict[str, Any] | None:
        found = (row for made, row in self.baselines if (made.model, made.settings) == (cell.model, cell.baseline))
        return next(found, None)

    def _store(self, outcome: BenchmarkResult, summary: pd.DataFrame) -> None:
        try:
            self.history.append(outcome.run, outcome.samples, summary)
        except StorageError as error:
            self.not_stored = f"{error}; {_rescue(outcome, summary)}"


def _failed(cell: Cell, error: TpukitError) -> dict[str, Any]:
    made = asdict(cell.settings)
    return {name: made[name] for name in schema.RESULTS.names if name in made} | {
        "model": cell.model.name,
        "device": cell.device.name,
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
