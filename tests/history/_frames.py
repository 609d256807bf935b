"""Tables of runs to store, valid under the schema."""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from tpukit import schema
from tpukit.schema import RESULTS, RUNS, SAMPLES


class Frames(NamedTuple):
    """What `History.append` takes, in its order."""

    runs: pd.DataFrame
    samples: pd.DataFrame
    results: pd.DataFrame


def frames(run_id: str, rows: int = 5) -> Frames:
    """Return one run with `rows` queries; RESULTS.n tells their number, the run's number of seconds its start."""
    runs, samples, results = _template(rows)
    run = pd.Series([run_id], dtype="str")
    return Frames(
        runs.assign(run_id=run),
        samples.assign(run_id=pd.Categorical.from_codes(np.zeros(rows, dtype=np.int8), pd.Index([run_id]))),
        results.assign(run_id=run),
    )


def together(*runs: Frames) -> Frames:
    """Return several runs as one."""
    parts = [pd.concat(part, ignore_index=True) for part in zip(*runs, strict=True)]
    samples = parts[1].astype(dict.fromkeys(("run_id", "status", "error"), "category"))
    return Frames(parts[0], samples, parts[2])


@cache
def _template(rows: int) -> Frames:
    run = {"run_id": "?", "started": pd.Timestamp("2026-11-23T10:00:00.123456Z"), "model": "digits", "seed": 2**60 + 1}
    result = {"run_id": "?", "model": "digits", "n": rows, "p50_s": 0.1 + 0.2, "reasons": "", "verdict": "VALID"}
    return Frames(
        schema.frame([run | {"inputs": '[{"name": "μ", "shape": [1, 8]}]', "load_average_1m": 0.25}], schema.RUNS),
        _samples(rows),
        schema.frame([result], schema.RESULTS),
    )


def _samples(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(rows)
    served_ns = rng.integers(20_000, 30_000, rows)
    end_ns = np.cumsum(served_ns + rng.integers(300, 900, rows))
    start, end = (end_ns - served_ns) / 1e9, end_ns / 1e9
    failed = np.arange(rows) == rows - 1  # the last query did not end
    end[failed] = np.nan
    return schema.frame(
        {
            "run_id": ["?"] * rows,
            "scheduled_s": start,
            "start_s": start,
            "end_s": end,
            "latency_s": end - start,
            "status": np.where(failed, "error", "ok"),
            "error": np.where(failed, "the device \u26a1 went away", None),
        },
        schema.SAMPLES,
    )


def measured(run_id: str, *, at: int = 0, value: float = 0.001, metric: str = "p50_s", **changes: object) -> Frames:
    """Return one run of a bench, `at` minutes after the first: VALID, with this metric; without queries.

    `changes` go into the columns that bear their name, of the run and of its result.
    """
    fixed, started = tuple(changes.items()), pd.Timestamp("2026-11-23T10:00:00Z") + pd.Timedelta(minutes=at)
    runs, samples, results = _measured(metric, fixed)
    run = pd.Series([run_id], dtype="str")
    named = {} if metric in changes else {metric: value}
    return Frames(
        runs.assign(run_id=run, started=pd.Series([started], dtype=runs["started"].dtype)),
        samples,
        results.assign(run_id=run, **named),
    )


@cache
def _measured(metric: str, changes: tuple[tuple[str, object], ...]) -> Frames:
    """Build what runs have in common once: 60 columns take 20 ms."""
    settings: dict[str, object] = {
        "run_id": "?", "started": pd.Timestamp("2026-11-23T10:00:00Z"), "model": "digits",
        "device": "cpu", "scenario": "single_stream", "threads": 1, "batch": 1, "samples_per_query": 1,
        "data": "digits_test", "model_sha256": "ab" * 32, "host": "here", "cpu": "one", "governor": "performance",
        "runtime": "LiteRT 2.1", "versions": '{"numpy": "2.1", "tpukit": "0.1"}', "verdict": "VALID", "n": 0,
        "metric": metric,
    } | dict(changes)  # fmt: skip
    run, result = ({name: settings[name] for name in table.names if name in settings} for table in (RUNS, RESULTS))
    return Frames(schema.frame([run], RUNS), schema.frame([], SAMPLES), schema.frame([result], RESULTS))
