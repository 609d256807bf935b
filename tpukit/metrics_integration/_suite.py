"""The suite's socket: cells that measure, and the table that judges them."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

import pandas as pd

from tpukit import schema
from tpukit.errors import TpukitError, UnknownNameError
from tpukit.registry import Registry
from tpukit.workflows import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much a cell may spend: `blocks` of a paired timing, `repeats` of a whole process, whether slow cells run."""

    blocks: int
    repeats: int
    slow: bool


FULL = Effort(blocks=300, repeats=10, slow=True)
QUICK = Effort(blocks=60, repeats=3, slow=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measured value beside its baseline, its limit and the goal; NaN where `note` says why it is missing."""

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

_OWN = ("_inference_cells", "_process_cells", "_history_cells")


def run_cells(
    *,
    only: Sequence[str] | None = None,
    quick: bool = False,
    progress: Callable[[Step], None] | None = None,
) -> pd.DataFrame:
    """Run the cells of the parts named in `only` (default: all) and return the SUITE table.

    A cell that fails is a row too, with its error and the verdict failed. Raises UnknownNameError for an unknown part.
    """
    for module in _OWN:
        import_module(f"tpukit.metrics_integration.{module}")
    parts = {cell.part for cell in SUITE.values()}
    for part in only or ():
        if part not in parts:
            raise UnknownNameError("part of the suite", part, parts)
    chosen = [(name, cell) for name, cell in SUITE.items() if not only or cell.part in only]
    rows: list[dict[str, Any]] = []
    for at, (name, cell) in enumerate(chosen):
        if progress:
            progress(Step(share=at / len(chosen), label=name, begins=True))
        rows += [_row(name, found) for found in _found(cell, quick=quick)]
    return schema.frame(rows, schema.SUITE)


def _row(cell: str, found: Finding) -> dict[str, Any]:
    row = asdict(found) | {"cell": cell, "verdict": found.verdict}
    del row["failed"]
    return row


def _found(cell: Cell, *, quick: bool) -> Iterator[Finding]:
    try:
        yield from cell.measure(QUICK if quick else FULL)
    except (TpukitError, OSError) as error:
        yield Finding(what="the whole cell", value=math.nan, unit="", goal=math.nan, note=str(error), failed=True)
