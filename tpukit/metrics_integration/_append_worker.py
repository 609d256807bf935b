"""A process that appends scripted runs to a history and says each one's id when it is stored.

`python -m tpukit.metrics_integration._append_worker FILE RUNS QUERIES NAME`; RUNS 0 means for ever.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from tpukit import schema
from tpukit.clock import SystemClock
from tpukit.history import History


def tables(run_id: str, queries: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return RUNS, SAMPLES and RESULTS of one run whose numbers follow from its length."""
    start = np.arange(queries) * 1e-3
    samples = {
        "run_id": pd.Categorical.from_codes(np.zeros(queries, dtype=np.int8), pd.Index([run_id], dtype="str")),
        "scheduled_s": start,
        "start_s": start,
        "end_s": start + 1e-4,
        "latency_s": np.full(queries, 1e-4),
        "status": pd.Categorical.from_codes(np.zeros(queries, dtype=np.int8), pd.Index(["ok"], dtype="str")),
    }
    about = {"run_id": run_id, "model": "scripted", "device": "none"}
    return (
        schema.frame([about | {"started": SystemClock().utc()}], schema.RUNS),
        schema.frame(samples, schema.SAMPLES),
        schema.frame([about | {"n": queries}], schema.RESULTS),
    )


def _append(path: Path, runs: int, queries: int, name: str) -> None:
    history = History(path)
    for number in range(runs) if runs else itertools.count():
        run_id = f"{name}-{number:06d}"
        history.append(*tables(run_id, queries))
        sys.stdout.write(f"{run_id}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _append(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
