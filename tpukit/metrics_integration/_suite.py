"""The suite's socket: cells that measure, and the table that judges them."""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from typing import Any

import pandas as pd

from tpukit import schema
from tpukit.errors import UnknownNameError
from tpukit.interrupts import AnyOf, Cancel, interruptible
from tpukit.registry import Registry
from tpukit.workflows import Step

#: The note of what nobody waited for.
STOPPED = "stopped before it was measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much a cell may spend: `blocks` of a paired timing, `repeats` of a whole process, whether slow cells run.

    `cancel` ends it: a cell that takes long calls `keep_on` in its loop.
    """

    blocks: int
    repeats: int
    slow: bool
    cancel: Cancel | None = None

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked for an end."""
        return self.cancel is not None and self.cancel.is_set()

    def keep_on(self) -> None:
        """Raise KeyboardInterrupt, as Ctrl-C itself would, where somebody asked for an end."""
        if self.cancelled:
            raise KeyboardInterrupt


FULL = Effort(blocks=300, repeats=10, slow=True)
QUICK = Effort(blocks=60, repeats=3, slow=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measured value beside its baseline, its limit and the goal; NaN where `note` says why it is missing.

    `failed` says that the value must not be judged, because what should have been measured did not happen.
    """

    what: str
    value: float
    unit: str
    goal: float
    note: str
    better: str = "lower"
    failed: bool = False
    baseline: str = "none"
    baseline_value: float = math.nan
    limit: str = "none"
    limit_value: float = math.nan

    @property
    def verdict(self) -> str:
        """Whether the value reaches the goal."""
        if self.failed:
            return "failed"
        if math.isnan(self.value):
            return "not measured"
        reached = self.value <= self.goal if self.better == "lower" else self.value >= self.goal
        return "holds" if reached else "does not hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Measures one thing; `part` is what `--only` names."""

    part: str
    measure: Callable[[Effort], Iterable[Finding]]


#: Every cell by name.
SUITE: Registry[Cell] = Registry("suite cell", entry_point="tpukit.suite")

_OWN = (
    "_inference_cells", "_roofline_cells", "_process_cells", "_history_cells", "_comparison_cells", "_coverage_cells",
    "_loadgen_cells",
)  # fmt: skip


def run_cells(
    *,
    only: Sequence[str] | None = None,
    quick: bool = False,
    progress: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
) -> pd.DataFrame:
    """Run the cells of the parts named in `only` (default: all) and return the SUITE table.

    A cell that fails is a row too, with its error and the verdict failed. Ctrl-C or `cancel` end the suite: what was
    measured is returned, and each cell that was not, or not wholly, is a row with the note `STOPPED`.

    Raises UnknownNameError for an unknown part.
    """
    chosen = _chosen(only)
    with interruptible(cancel) as stop:
        course = _Course(quick=quick, progress=progress, stop=stop)
        for at, (name, cell) in enumerate(chosen):
            course.run(name, cell, share=at / len(chosen))
    return schema.frame(course.rows, schema.SUITE)


def _chosen(only: Sequence[str] | None) -> list[tuple[str, Cell]]:
    for module in _OWN:
        import_module(f"tpukit.metrics_integration.{module}")
    parts = {cell.part for cell in SUITE.values()}
    for part in only or ():
        if part not in parts:
            raise UnknownNameError("part of the suite", part, parts)
    return [(name, cell) for name, cell in SUITE.items() if not only or cell.part in only]


class _Course:
    """A run of the suite: its rows so far."""

    def __init__(self, *, quick: bool, progress: Callable[[Step], None] | None, stop: Cancel) -> None:
        self.rows: list[dict[str, Any]] = []
        self._progress = progress
        self._by_hand = threading.Event()
        self._effort = replace(QUICK if quick else FULL, cancel=AnyOf((stop, self._by_hand)))

    def run(self, name: str, cell: Cell, *, share: float) -> None:
        """Add the rows of one cell, and one that says why where there could be more."""
        before = len(self.rows)
        try:
            self._effort.keep_on()
            if self._progress:
                self._progress(Step(share=share, label=name, begins=True))
            self._measure(name, cell)
        except KeyboardInterrupt:
            self._by_hand.set()
            self._add_missing(name, before, STOPPED, failed=False)
        except Exception as error:  # noqa: BLE001 a cell may be another package's; the rows before it must not go too
            # Ctrl-C on a terminal reaches the processes of a cell too, and ends them with an error
            stopped = self._effort.cancelled
            why = STOPPED if stopped else str(error) or type(error).__name__
            self._add_missing(name, before, why, failed=not stopped)

    def _measure(self, name: str, cell: Cell) -> None:
        for found in cell.measure(self._effort):
            self._effort.keep_on()  # what was measured while Ctrl-C was pressed may have lost its processes
            self.rows.append(_row(name, found))

    def _add_missing(self, name: str, before: int, note: str, *, failed: bool) -> None:
        what = f"the {'rest' if len(self.rows) > before else 'whole'} of {name}"
        self.rows.append(
            _row(name, Finding(what=what, value=math.nan, unit="", goal=math.nan, note=note, failed=failed))
        )


def _row(cell: str, found: Finding) -> dict[str, Any]:
    row = asdict(found) | {"cell": cell, "verdict": found.verdict}
    del row["failed"]
    return row
