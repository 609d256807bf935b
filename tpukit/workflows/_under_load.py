"""`under_load`: the server scenario at shares of what each model was measured to hold."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from tpukit import schema
from tpukit.errors import ConfigError
from tpukit.history import History
from tpukit.inference import INVALID, SCENARIOS, Cancel, Device, Model, Settings
from tpukit.workflows._cells import Cell, Known, Load
from tpukit.workflows._frontier import frontier
from tpukit.workflows._measure import check_sweep
from tpukit.workflows._sweep import Measured, Step, run_cells
from tpukit.workloads import Data

_SERVER, _ALONE = SCENARIOS["server"].name, SCENARIOS["single_stream"].name


def under_load(  # noqa: PLR0913 what to measure, from what, where to keep it, and who looks on
    models: Sequence[str | Path | Model],
    results: pd.DataFrame,
    *,
    history: History,
    shares: Sequence[float] = (0.5, 0.8),
    devices: Sequence[str | Device] = ("cpu",),
    threads: Sequence[int] = (1,),
    duration_s: float | None = None,
    min_queries: int | None = None,
    latency_bound_s: float = 0.01,
    seed: int = 0,
    name: str | None = None,
    data: Data | None = None,
    progress: Callable[[Step], None] | None = None,
    cancel: Cancel | None = None,
) -> Measured:
    """Measure each model under load: server at `shares` of its own single_stream throughput in `results`.

    So models can be compared whose speeds differ by a factor of 100. The throughput is the median of the VALID runs of
    the same model (by name), device and threads, with a batch of 1. The baseline is the p99 of those runs, the latency
    without any waiting, against the p99 under load: `speedup` is 1 where load costs nothing. Where there is one such
    run, its 95 % interval is the baseline's. Where there is none, the cell is a row without a run, with the reason.

    Runs are stored, stopped and returned as `measure` does; none of a baseline is made. Raises what `measure` raises,
    ConfigError for shares outside 0 to 1, and SchemaError where `results` is no RESULTS table.
    """
    _check(shares)
    # its rate is replaced by each model's own
    load = Load(
        scenarios=(_SERVER,),
        threads=threads,
        rates_hz=(1.0,),
        duration_s=duration_s,
        min_queries=min_queries,
        latency_bound_s=latency_bound_s,
        seed=seed,
    )
    read, on = check_sweep(models, devices=devices, load=load)
    alone = _alone(results)
    history.check()
    targets = [
        _Target(model=model, device=device, settings=made) for model, device, made in product(read, on, load.settings())
    ]
    measured = run_cells(
        [cell for each in targets for cell in each.cells(alone, shares)],
        history=history,
        name=name,
        data=data,
        progress=progress,
        cancel=cancel,
    )
    left_out = [each.left_out() for each in targets if each.key not in alone]
    rows = schema.concat([measured.results, schema.frame(left_out, schema.RESULTS)], schema.RESULTS)
    return replace(measured, results=rows)


_Key = tuple[str, str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What is to be put under load; the rate of its settings is not yet its own."""

    model: Model
    device: Device
    settings: Settings

    @property
    def key(self) -> _Key:
        return self.model.name, self.device.name, self.settings.threads

    def cells(self, alone: "dict[_Key, _Alone]", shares: Sequence[float]) -> Iterator[Cell]:
        """Yield a cell for each share; none where it was not measured alone."""
        for share in shares if self.key in alone else ():
            made = replace(self.settings, rate_hz=alone[self.key].rate_hz * share)
            yield Cell(model=self.model, device=self.device, settings=made, baseline=alone[self.key].p99)

    def left_out(self) -> dict[str, Any]:
        model, device, threads = self.key
        row = {name: getattr(self.settings, name) for name in ("scenario", "threads", "batch", "latency_bound_s")}
        counted = f"{threads} thread{'s' if threads > 1 else ''}"
        reason = f"no VALID single_stream run on {counted} in the results, so its load is not known: measure that first"
        return row | {"model": model, "device": device, "verdict": INVALID, "reasons": reason, "n": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Alone:
    """What single_stream measured: its rate, and its p99."""

    rate_hz: float
    p99: Known


def _alone(results: pd.DataFrame) -> dict[_Key, _Alone]:
    settings = frontier(results)
    counted = settings[(settings["scenario"] == _ALONE) & (settings["batch"] == 1) & (settings["throughput_per_s"] > 0)]
    return {(row["model"], row["device"], int(row["threads"])): _of(row) for row in counted.to_dict("records")}


def _of(row: dict[Any, Any]) -> _Alone:
    several = row["runs"] > 1  # whose least and largest are no interval
    p99 = Known(
        text="single_stream p99 of the same sweep" + (f", median of {row['runs']} runs" if several else ""),
        value=row["p99_s"],
        lo=math.nan if several else row["p99_lo_s"],
        hi=math.nan if several else row["p99_hi_s"],
    )
    return _Alone(rate_hz=row["throughput_per_s"], p99=p99)


def _check(shares: Sequence[float]) -> None:
    if not shares:
        raise ConfigError("no share was given: name at least one, such as 0.5")
    for share in shares:
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 < share <= 1:
            raise ConfigError(f"share is {share!r}: expected one of single_stream's rate above 0, up to 1, such as 0.5")
