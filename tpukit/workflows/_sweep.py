"""A list of cells, measured one after the other, each run stored before the next begins."""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tpukit import paths, schema
from tpukit.errors import StorageError, TpukitError
from tpukit.history import RESCUED, History
from tpukit.inference import INVALID, SCENARIOS, BenchmarkResult, Cancel, benchmark
from tpukit.interrupts import interruptible
from tpukit.workflows._cells import Cell, Known


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


def run_cells(
    todo: Sequence[Cell],
    *,
    history: History,
    progress: Callable[[Step], None] | None,
    cancel: Cancel | None,
    **common: Any,
) -> Measured:
    """Measure the cells in order; `common` goes to every `benchmark`.

    A cell that cannot be measured becomes a row; Ctrl-C, `cancel` or a store that fails end it, and what was measured
    is returned.
    """
    sweep = Sweep(history=history)
    with interruptible(cancel) as stop, sweep.ended_by_hand():
        for at, cell in enumerate(todo):
            sweep.add(cell, _run(cell, _ticker(progress, todo, at), cancel=stop, **common))
            sweep.cut_short |= at + 1 < len(todo) and stop.is_set()
            if sweep.cut_short or sweep.not_stored:
                break
    done = len(sweep.results) + len(sweep.baselines)
    return sweep.measured(not_measured=tuple(cell.label for cell in todo[done:]))


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
class Sweep:
    """What was measured so far."""

    history: History
    results: list[dict[str, Any]] = field(default_factory=list)
    baselines: list[tuple[Cell, dict[str, Any]]] = field(default_factory=list)
    cut_short: bool = False
    not_stored: str | None = None

    def is_set(self) -> bool:
        """Return whether nothing more is to be measured, for history takes no more: it is a `Cancel`."""
        return self.not_stored is not None

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
            self._note(cell, failed(cell, outcome))
            return
        row = {str(name): value for name, value in outcome.summary.iloc[0].items()}
        row |= self._against_baseline(cell, outcome)
        self.cut_short |= outcome.cut_short
        self._store(outcome, schema.frame([row], schema.RESULTS))
        self._note(cell, row)  # stored first: what is noted is in history, or `not_stored` says why not

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
        if isinstance(cell.baseline, Known):
            return _compared(cell, outcome, cell.baseline)
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
        return _compared(cell, outcome, _known(cell, base))

    def _baseline_of(self, cell: Cell) -> dict[str, Any] | None:
        found = (row for made, row in self.baselines if (made.model, made.settings) == (cell.comparable, cell.baseline))
        return next(found, None)

    def _store(self, outcome: BenchmarkResult, summary: pd.DataFrame) -> None:
        try:
            self.history.append(outcome.run, outcome.samples, summary)
        except StorageError as error:
            self.not_stored = f"{error}; {_rescue(outcome, summary)}"


def _known(cell: Cell, base: Mapping[str, Any]) -> Known:
    """Return what a run of a cell's baseline measured."""
    metric = SCENARIOS[cell.settings.scenario].metric
    lo, hi = (base["p50_lo_s"], base["p50_hi_s"]) if metric == "p50_s" else (math.nan, math.nan)
    other = f", of {base['model']}" if base["model"] != cell.model.name else ""
    # XLA shares out all cores itself
    threads = "" if base["device"].startswith("jax") else ", 1 thread"
    return Known(text=f"{base['device']}{threads}{other}", value=float(base[metric]), lo=lo, hi=hi)


def _compared(cell: Cell, outcome: BenchmarkResult, known: Known) -> dict[str, Any]:
    scenario = SCENARIOS[cell.settings.scenario]
    value = float(outcome.summary[scenario.metric].iloc[0])
    found = {
        "baseline": known.text,
        "baseline_value": known.value,
        "baseline_lo": known.lo,
        "baseline_hi": known.hi,
    }
    if isinstance(cell.baseline, Known):  # of another scenario: what waiting adds is no speed
        return found
    return found | {"speedup": known.value / value if scenario.lower_is_better else value / known.value}


def failed(cell: Cell, error: TpukitError) -> dict[str, Any]:
    """Return the row of a cell that has no run."""
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
        for name, table in zip(RESCUED, (outcome.run, outcome.samples, summary), strict=True):
            table.to_parquet(folder / name)
    except OSError as error:
        return f"nor could the last run be put into the temporary folder ({paths.reason(error)})"
    return f"the last run lies in {folder}"
