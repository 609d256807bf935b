"""What a sweep's settings serve, and which of them nothing beats: throughput against p99. Pure."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tpukit import schema
from tpukit.inference import SCENARIOS, VALID

_SETTING = ("model", "device", "scenario", "threads", "batch", "samples_per_query", "rate_hz", "latency_bound_s")
_OFFLINE = SCENARIOS["offline"].name
_REASONS_SHOWN = 3

Array = NDArray[np.float64]


def frontier(results: pd.DataFrame) -> pd.DataFrame:
    """Return the FRONTIER of a RESULTS table: one row for each setting, with the medians of its VALID runs.

    A setting is on the frontier where no other one of its model, device and scenario has at least its throughput and at
    most its p99, one of them strictly better (Pareto). Scenarios are told apart because their latencies are not alike:
    a query of multi_stream has several samples, one of server counts from when it was due. Latency is a query's,
    throughput is in samples.

    offline has no latency and no row; the best VALID one is `offline_per_s` of its model and device, with any batch and
    threads. A setting without a VALID run keeps its row, its numbers missing, with the reasons. Rows are in order of
    model and device as given, then of p99. Raises SchemaError where `results` is no RESULTS table.

    >>> row = {"model": "a", "device": "cpu", "scenario": "single_stream", "verdict": "VALID"}
    >>> measured = [(1, 100.0, 0.01), (2, 150.0, 0.02), (4, 120.0, 0.03)]
    >>> rows = [row | {"batch": b, "throughput_per_s": rate, "p99_s": p99} for b, rate, p99 in measured]
    >>> frontier(schema.frame(rows, schema.RESULTS))["on_frontier"].tolist()
    [True, True, False]
    """
    schema.check(results, schema.RESULTS)
    limits = _limits(results)
    latency = results[results["scenario"] != _OFFLINE]
    rows = [_row(part, limits) for _, part in latency.groupby(list(_SETTING), sort=False, dropna=False)]
    df = schema.frame([row | {"on_frontier": False} for row in rows], schema.FRONTIER)
    for _, part in df.groupby(["model", "device", "scenario"], sort=False, dropna=False):
        df.loc[part.index, "on_frontier"] = unbeaten(part["throughput_per_s"].to_numpy(), part["p99_s"].to_numpy())
    return _ordered(df)


def unbeaten(throughput: Array, latency: Array) -> NDArray[np.bool_]:
    """Return which of n pairs, both of shape (n,), no other one beats: more of the first, less of the second.

    Of equal ones none beats the other; a pair with a NaN beats nothing and is not unbeaten.

    >>> unbeaten(np.array([1.0, 2.0, 1.5, np.nan]), np.array([1.0, 2.0, 3.0, 0.5])).tolist()
    [True, True, False, False]
    """
    gain, wait = throughput[np.newaxis, :] - throughput[:, np.newaxis], latency[np.newaxis, :] - latency[:, np.newaxis]
    beaten = ((gain >= 0) & (wait <= 0) & ((gain > 0) | (wait < 0))).any(axis=1)
    return np.isfinite(throughput) & np.isfinite(latency) & ~beaten


def _limits(results: pd.DataFrame) -> dict[Hashable, float]:
    counted = results[(results["scenario"] == _OFFLINE) & (results["verdict"] == VALID)]
    return counted.groupby(["model", "device"])["throughput_per_s"].max().to_dict()


def _row(runs: pd.DataFrame, limits: Mapping[Hashable, float]) -> dict[str, Any]:
    first = runs.iloc[0]
    row: dict[str, Any] = {name: first[name] for name in _SETTING}
    row |= {"offline_per_s": limits.get((first["model"], first["device"]), np.nan), "reasons": _reasons(runs)}
    counted = runs[runs["verdict"] == VALID]
    row |= {"runs": len(counted)}
    if counted.empty:
        return row
    return row | {
        "throughput_per_s": counted["throughput_per_s"].median(),
        "p99_s": counted["p99_s"].median(),
        "p99_lo_s": counted["p99_lo_s" if len(counted) == 1 else "p99_s"].min(),
        "p99_hi_s": counted["p99_hi_s" if len(counted) == 1 else "p99_s"].max(),
    }


def _reasons(runs: pd.DataFrame) -> str | None:
    failed = runs[runs["verdict"] != VALID]
    if failed.empty:
        return None
    said = list(dict.fromkeys(failed["reasons"].fillna("no reason was kept")))
    more = f"; and {len(said) - _REASONS_SHOWN} more" if len(said) > _REASONS_SHOWN else ""
    return f"{len(failed)} of {len(runs)} INVALID: {'; '.join(said[:_REASONS_SHOWN])}{more}"


def _ordered(df: pd.DataFrame) -> pd.DataFrame:
    places = {name: {each: at for at, each in enumerate(dict.fromkeys(df[name]))} for name in ("model", "device")}
    keys = df.assign(**{name: df[name].map(places[name]) for name in places})
    order = keys.sort_values(["model", "device", "p99_s"], kind="stable").index
    return df.loc[order].reset_index(drop=True)
