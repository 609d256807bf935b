"""A sweep once more under MLPerf's LoadGen, so that both harnesses stand in one table."""

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from tpukit import schema
from tpukit.errors import DeviceError
from tpukit.inference import (
    INVALID,
    Cancel,
    Device,
    LoadGenResult,
    Model,
    drive,
    get_device,
    loadgen_version,
    read_models,
    under_test,
)
from tpukit.interrupts import interruptible
from tpukit.workflows._cells import Cell, Load, cells
from tpukit.workflows._readable import significant
from tpukit.workflows._sweep import Measured, Step
from tpukit.workloads import Data

_ALIKE = ("verdict", "reasons", "n", "p50_s", "p90_s", "p99_s", "early_stopping_s", "throughput_per_s")


def measure_by_loadgen(
    measured: Measured,
    models: Sequence[str | Path | Model],
    *,
    devices: Sequence[str | Device] = ("cpu",),
    load: Load | None = None,
    data: Data | None = None,
    progress: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
) -> pd.DataFrame:
    """Run what `measure` measured with these arguments under LoadGen too, and return a CROSS_CHECK table.

    Each run is two rows, tpukit's and LoadGen's: the same model, inputs, settings and, in server, the same schedule.
    A run that LoadGen could not make is a row that says why. Ctrl-C or `cancel` end it: what was run is returned.

    Raises MissingDependencyError where mlcommons-loadgen is not installed.
    """
    harness = f"LoadGen {loadgen_version()}"
    todo = cells(read_models(models), [get_device(device) for device in devices], load or Load(), None)
    rows: list[dict[str, Any]] = []
    with interruptible(cancel) as stop:
        # the results stand in the order of the cells, and end where the sweep was cut short
        for at, (cell, found) in enumerate(zip(todo, measured.results.to_dict("records"), strict=False)):
            if stop.is_set():
                break
            if progress:
                progress(Step(share=at / len(todo), label=f"{cell.label} under LoadGen", begins=True))
            rows += _both(cell, found, harness, data=data, cancel=stop)
    return schema.frame(rows, schema.CROSS_CHECK)


def _both(
    cell: Cell, found: Mapping[Hashable, Any], harness: str, *, data: Data | None, cancel: Cancel
) -> Iterator[dict[str, Any]]:
    if pd.isna(found["run_id"]):
        return
    what = {name: found[name] for name in schema.CROSS_CHECK.names if name in found and name not in _ALIKE}
    try:
        with under_test(cell.model, cell.device, cell.settings, data=data, cancel=cancel) as driven:
            theirs = _row(drive(driven, cell.settings, cancel=cancel), cell.settings.scenario)
    except DeviceError as error:
        theirs = {"verdict": INVALID, "reasons": str(error)}
    except KeyboardInterrupt:
        return
    yield what | {"harness": "tpukit"} | {name: found[name] for name in _ALIKE}
    yield what | {"harness": harness} | theirs


def _row(result: LoadGenResult, scenario: str) -> dict[str, Any]:
    said = asdict(result)
    row = {name: said[name] for name in (*_ALIKE, "alone_per_s") if name in said}
    if scenario == "offline":
        # what a sample waited says nothing, and tpukit gives none
        row |= dict.fromkeys(("p50_s", "p90_s", "p99_s"), math.nan)
    return row | {"reasons": "; ".join(result.reasons), "n": result.queries}


def side_by_side(table: pd.DataFrame) -> pd.DataFrame:
    """Return a CROSS_CHECK table for people: a run's two rows under each other, times in milliseconds.

    >>> side_by_side(schema.frame([], schema.CROSS_CHECK)).columns[-2:].tolist()
    ['samples/s', 'verdict']
    """
    what = [f"{row.model} {row.scenario}{_load(row)}" for row in table.itertuples()]
    times = {f"{name} ms": [significant(s * 1e3) for s in table[f"{name}_s"]] for name in ("p50", "p90", "p99")}
    # LoadGen's own time between queries is no part of what the device can do
    rates = table["alone_per_s"].fillna(table["throughput_per_s"])
    return pd.DataFrame(
        {
            "run": what,
            "by": table["harness"].to_numpy(),
            **times,
            "estimate ms": [significant(s * 1e3) for s in table["early_stopping_s"]],
            "samples/s": [significant(rate) for rate in rates],
            "verdict": table["verdict"].to_numpy(),
        },
        dtype="str",
    )


def _load(row: Any) -> str:
    parts = (
        f" {row.rate_hz:g}/s" if pd.notna(row.rate_hz) else "",
        f" batch {row.batch}" if row.batch > 1 else "",
        f" {row.threads} threads" if row.threads > 1 else "",
        "" if row.device == "cpu" else f" on {row.device}",
    )
    return "".join(parts)
