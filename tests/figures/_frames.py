"""Small tables for the figures: valid under the schema, with numbers that a test chooses."""

import json
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tpukit import schema, stats

RUN = {"device": "cpu", "scenario": "single_stream", "threads": 1, "batch": 1, "verdict": "VALID"}


def result(model: str = "a", *, run: int = 0, **columns: Any) -> dict[str, Any]:
    """A RESULTS record of 1 ms at p50."""
    row = {"run_id": f"run-{run:03}-{model}", "model": model, **RUN, "n": 1000, "drift": float("nan")}
    p50_s = columns.get("p50_s", 1e-3)
    row |= {"p50_s": p50_s, "p50_lo_s": 0.99 * p50_s, "p50_hi_s": 1.01 * p50_s}
    row |= {"p90_s": 1.5 * p50_s, "p90_lo_s": 1.4 * p50_s, "p90_hi_s": 1.6 * p50_s}
    row |= {"p99_s": 2.0 * p50_s, "p99_lo_s": 1.9 * p50_s, "p99_hi_s": 2.1 * p50_s}
    row |= {"baseline": "reference, 1 thread"}
    baseline_s = p50_s * columns.get("speedup", float("nan"))
    row |= {"baseline_value": baseline_s, "baseline_lo": 0.99 * baseline_s, "baseline_hi": 1.01 * baseline_s}
    return row | columns


def offline(model: str = "a", **columns: Any) -> dict[str, Any]:
    """A RESULTS record of an offline run, which has no latency."""
    row = result(model, run=columns.pop("run", 900), scenario="offline", speedup=3.0)
    return {name: value for name, value in row.items() if not name.startswith(("p50", "p90", "p99"))} | columns


def results(*records: dict[str, Any]) -> pd.DataFrame:
    return schema.frame(records, schema.RESULTS)


def samples(run_id: str, latency_s: Any, **columns: Any) -> pd.DataFrame:
    """The SAMPLES of one run, one query after the other."""
    latency = np.asarray(latency_s, dtype=np.float64)
    end = np.cumsum(latency)
    start = end - latency
    given = {"run_id": run_id, "scheduled_s": start, "start_s": start, "end_s": end, "latency_s": latency}
    return schema.frame(given | {"status": "ok", "error": None} | columns, schema.SAMPLES)


def measured(*records: dict[str, Any], n: int = 1000, spread: float = 0.2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """SAMPLES of `n` queries for each record, spread about its p50, and the RESULTS."""
    rng = np.random.default_rng(0)
    tables = [samples(row["run_id"], row.get("p50_s", 1e-3) * rng.lognormal(0, spread, n)) for row in records]
    return schema.concat(tables, schema.SAMPLES), results(*records)


def summarised(model: str, latency_s: Any, **columns: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """SAMPLES and RESULTS of one run, with the quantiles that its latencies have."""
    row = result(model, **columns)
    for name, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        estimate = stats.quantile(np.asarray(latency_s), q)
        row |= {f"{name}_s": estimate.value, f"{name}_lo_s": estimate.lo, f"{name}_hi_s": estimate.hi}
    row |= {"n": len(latency_s)}
    return samples(row["run_id"], latency_s), results(row)


def history(*records: dict[str, Any]) -> pd.DataFrame:
    """A table as `History.to_frame` returns it; a record is a RESULTS record with `day`, and what RUNS has beside."""
    runs = [
        {
            "run_id": row["run_id"],
            "name": row.pop("name", None),
            "started": pd.Timestamp("2026-05-01T12:00:00Z") + pd.Timedelta(days=row.pop("day")),
            "model_sha256": row.pop("model_sha256", "0" * 64),
            "host": row.pop("host", "pc"),
        }
        for row in records
    ]
    left = schema.frame(runs, schema.RUNS)[["run_id", "name", "started", "model_sha256", "host"]]
    return results(*records).merge(left, on="run_id")


def ops(model: str, *operators: tuple[str, int | None]) -> pd.DataFrame:
    """The OPS of one model: type and multiply-accumulates of each operator."""
    rows = [{"model": model, "op": op, "type": kind, "macs": macs} for op, (kind, macs) in enumerate(operators)]
    return schema.frame(rows, schema.OPS)


def mapped(model: str, *operators: tuple[str, int | None, str | None]) -> pd.DataFrame:
    """The OPS of one model: type, multiply-accumulates, and why an Edge TPU does not run it, None where it does."""
    rows = [
        {"model": model, "op": op, "type": kind, "macs": macs, "mapped": reason is None, "reason": reason}
        for op, (kind, macs, reason) in enumerate(operators)
    ]
    return schema.frame(rows, schema.OPS)


def title(fig: go.Figure) -> str:
    """The title as one sentence, without line breaks."""
    return str(fig.layout.title.text).replace("<br>", " ")


def note(fig: go.Figure) -> str:
    return str(fig.layout.title.subtitle.text).replace("<br>", " ")


def axis_titles(fig: go.Figure) -> set[str]:
    layout = json.loads(fig.to_json())["layout"]
    axes = [axis for name, axis in layout.items() if name[1:5] == "axis"]
    return {axis["title"]["text"] for axis in axes if "text" in axis.get("title", {})}
