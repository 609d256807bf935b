"""From a timeline to tables: samples, their summary, and what makes them unstable."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tpukit import schema, stats
from tpukit.host import CpuUse
from tpukit.inference._inputs import Accuracy
from tpukit.inference._measure import Timeline
from tpukit.inference._scenarios import Scenario

if TYPE_CHECKING:
    from array import array

_QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
_DRIFT = 0.05
_OTHERS_SHARE = 0.25
_NO_BASELINE = "none: measured alone"
_NO_LIMIT = "none: this device's peak was not measured"


def samples_table(run_id: str, timeline: Timeline, scenario: Scenario) -> pd.DataFrame:
    """Return the SAMPLES of one run; times count from the first query's start."""
    starts, ends = _stamps(timeline.starts), _stamps(timeline.ends)
    zero = starts[0] if len(starts) else 0
    failed = len(starts) - len(ends)
    start = (starts - zero) / 1e9
    end = np.concatenate([ends - zero, np.full(failed, np.nan)]) / 1e9
    scheduled = np.zeros(len(start)) if scenario.due_at_start else start
    n = len(start)
    bad = np.zeros(n, dtype=np.int8)
    bad[n - failed :] = 1
    return schema.frame(
        {
            "run_id": _categorical(np.zeros(n, dtype=np.int8), [run_id]),
            "scheduled_s": scheduled,
            "start_s": start,
            "end_s": end,
            "latency_s": end - scheduled,
            "status": _categorical(bad, ["ok", "error"]),
            "error": _categorical(bad - np.int8(1), [timeline.failure] if timeline.failure else []),
        },
        schema.SAMPLES,
    )


def _categorical(codes: NDArray[np.int8], names: list[str]) -> "pd.Categorical[str]":
    # int8 codes: a column of repeated text would cost more than the run itself
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype="str"))


def _stamps(stamps: "array[int]") -> NDArray[np.int64]:
    return np.frombuffer(stamps, dtype=np.int64) if len(stamps) else np.empty(0, dtype=np.int64)


def summary(samples: pd.DataFrame, *, scenario: Scenario, batch: int) -> dict[str, Any]:
    """Return the columns of RESULTS that follow from a run's SAMPLES."""
    ended = samples[samples["status"] == "ok"] if (samples["status"] != "ok").any() else samples
    n = len(ended)
    row: dict[str, Any] = {"n": n, "metric": scenario.metric, "baseline": _NO_BASELINE, "limit": _NO_LIMIT}
    if n == 0:
        return row
    steady_s = float(ended["end_s"].iloc[-1] - ended["start_s"].iloc[0])
    row |= {"steady_s": steady_s, "throughput_per_s": n * batch / steady_s if steady_s > 0 else float("nan")}
    row["drift"] = stats.drift((ended["end_s"] - ended["start_s"]).to_numpy())
    if not scenario.due_at_start:
        row |= _latency(ended["latency_s"].to_numpy())
    return row


def _latency(latency_s: NDArray[np.float64]) -> dict[str, float]:
    row = {"min_s": float(latency_s.min()), "max_s": float(latency_s.max())}
    for name, q in _QUANTILES.items():
        estimate = stats.quantile(latency_s, q)
        row |= {f"{name}_s": estimate.value, f"{name}_lo_s": estimate.lo, f"{name}_hi_s": estimate.hi}
    return row


def accuracy_columns(found: Accuracy | None) -> dict[str, float]:
    """Return the columns of RESULTS that say how accurate the model was; none without data."""
    if found is None:
        return {}
    estimate = found.estimate
    return {"accuracy": estimate.value, "accuracy_lo": estimate.lo, "accuracy_hi": estimate.hi, "accuracy_n": found.n}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """How busy the machine was: load average before the run, CPU use before and after it, its length."""

    threads: int
    cores: int
    allowed: int
    processors: int
    load_average: float
    before: CpuUse
    after: CpuUse
    wall_s: float

    @property
    def others_cores(self) -> float:
        """Processors that other processes kept busy during the run, on average."""
        everybody = self.after.all_s - self.before.all_s
        own = self.after.own_s - self.before.own_s
        return max(0.0, everybody - own) / self.wall_s if self.wall_s > 0 else 0.0

    @property
    def others_load(self) -> float:
        """Load average before the run, less all that this process can have added to it in that minute.

        Of a process that has used more CPU before, as much is taken off as it could have used: `others_cores` is what
        speaks then.
        """
        return self.load_average - min(self.before.own_s / 60, self.cores)


def instability(samples: pd.DataFrame, row: Mapping[str, Any], around: Surroundings) -> tuple[str, ...]:
    """Return why the numbers of a run may not repeat; nothing where nothing speaks against them."""
    found = []
    if around.threads > around.cores:
        found.append(f"{around.threads} threads on {around.cores} {'core' if around.cores == 1 else 'cores'}")
    if around.others_load > around.processors:
        found.append(f"load average {around.load_average:.1f} on {around.processors} cores before the run")
    if around.others_cores > _OTHERS_SHARE * around.allowed:
        found.append(f"other processes kept {around.others_cores:.1f} of {around.allowed} cores busy")
    drift = row.get("drift", float("nan"))
    if abs(drift) > _DRIFT:
        found.append(f"latency drifted by {drift:+.0%} over the run")
    ended = samples["status"] == "ok"
    served_s = (samples["end_s"] - samples["start_s"])[ended].to_numpy()
    places = stats.modes(served_s)
    if len(places) > 1:
        found.append("latency gathers at " + " and ".join(f"{place * 1e3:.3g} ms" for place in places))
    return tuple(f"unstable: {what}" for what in found)
