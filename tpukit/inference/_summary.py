"""From a timeline to tables: samples, their summary, and what makes them unstable."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tpukit import schema, stats
from tpukit.host import CpuUse
from tpukit.inference._inputs import Accuracy
from tpukit.inference._roofline import NO_PEAKS
from tpukit.inference._rules import at_percentile, estimate, latencies_ns, service_ns
from tpukit.inference._scenarios import Arrival, Scenario
from tpukit.inference._settings import Settings
from tpukit.inference._timeline import Timeline

_QUANTILES = {"p50": 0.50, "p90": 0.90, "p99": 0.99}
_DRIFT = 0.05
_OTHERS_SHARE = 0.25
_CLOCKS_APART_S = 1.0
_OK, _ERROR, _UNSERVED = range(3)
_NO_BASELINE = "none: measured alone"


def samples_table(run_id: str, timeline: Timeline) -> pd.DataFrame:
    """Return the SAMPLES of one run; times count from when the first query was due."""
    due, starts, ends, ended = timeline.due_ns, timeline.starts_ns, timeline.ends_ns, timeline.ended
    n = len(starts)
    zero = due[0] if n else 0
    end = np.where(ended, (ends - zero) / 1e9, np.nan)
    scheduled = (due - zero) / 1e9
    status = np.where(ended, _OK, _UNSERVED).astype(np.int8)
    error = np.full(n, -1, dtype=np.int8)
    if timeline.failed is not None:
        status[timeline.failed], error[timeline.failed] = _ERROR, 0
    return schema.frame(
        {
            "run_id": _categorical(np.zeros(n, dtype=np.int8), [run_id]),
            "scheduled_s": scheduled,
            "start_s": (starts - zero) / 1e9,
            "end_s": end,
            "latency_s": end - scheduled,
            "status": _categorical(status, ["ok", "error", "unserved"]),
            "error": _categorical(error, [timeline.failure] if timeline.failure else []),
        },
        schema.SAMPLES,
    )


def _categorical(codes: NDArray[np.int8], names: list[str]) -> "pd.Categorical[str]":
    # int8 codes: a column of repeated text would cost more than the run itself
    return pd.Categorical.from_codes(codes, pd.Index(names, dtype="str"))


def summary(timeline: Timeline, *, settings: Settings, scenario: Scenario) -> dict[str, Any]:
    """Return the columns of RESULTS that follow from a run's timeline."""
    n, span_s = timeline.queries, timeline.span_ns / 1e9
    row: dict[str, Any] = {"n": n, "metric": scenario.metric, "baseline": _NO_BASELINE, "limit": NO_PEAKS}
    if n == 0:
        return row
    row |= {
        "steady_s": span_s,
        "throughput_per_s": n * settings.samples_per_query / span_s
        if span_s > 0 and _is_rate(n, scenario)
        else math.nan,
        "drift": stats.drift(service_ns(timeline) / 1e9),
    }
    if settings.percentile is not None:
        row |= _latency(latencies_ns(timeline), settings.percentile)
    if settings.latency_bound_s is not None:
        over = int((latencies_ns(timeline) > round(settings.latency_bound_s * 1e9)).sum())
        row["over_bound"] = over + len(timeline.starts) - n
    return row


def _is_rate(n: int, scenario: Scenario) -> bool:
    """One query of a schedule took place at no rate."""
    return n > 1 or scenario.arrival is not Arrival.BY_SCHEDULE


def _latency(latencies: NDArray[np.int64], percentile: float) -> dict[str, float]:
    latency_s = latencies / 1e9
    row = {"min_s": float(latency_s.min()), "max_s": float(latency_s.max())}
    for name, q in _QUANTILES.items():
        found = stats.quantile(latency_s, q)
        row |= {f"{name}_s": found.value, f"{name}_lo_s": found.lo, f"{name}_hi_s": found.hi}
    row["percentile_s"] = at_percentile(latencies, percentile) / 1e9
    cautious = estimate(latencies, percentile)
    return row | ({} if cautious is None else {"early_stopping_s": cautious / 1e9})


def accuracy_columns(found: Accuracy | None) -> dict[str, float]:
    """Return the columns of RESULTS that say how accurate the model was; none without data."""
    if found is None:
        return {}
    estimate = found.estimate
    return {"accuracy": estimate.value, "accuracy_lo": estimate.lo, "accuracy_hi": estimate.hi, "accuracy_n": found.n}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """How busy the machine was: load average before the run, CPU use before and after it.

    `wall_s` is the steady state's length on the clock that latencies are taken from, `day_s` by the time of day,
    `warm_drift` the drift of latency at the end of the warm-up, NaN without one.
    """

    threads: int
    cores: int
    allowed: int
    processors: int
    load_average: float
    before: CpuUse
    after: CpuUse
    wall_s: float
    day_s: float
    warm_drift: float

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


def instability(timeline: Timeline, row: Mapping[str, Any], around: Surroundings) -> tuple[str, ...]:
    """Return why the numbers of a run may not repeat; nothing where nothing speaks against them."""
    found = []
    if around.threads > around.cores:
        found.append(f"{around.threads} threads on {around.cores} {'core' if around.cores == 1 else 'cores'}")
    if around.others_load > around.processors:
        found.append(f"load average {around.load_average:.1f} on {around.processors} cores before the run")
    if around.others_cores > _OTHERS_SHARE * around.allowed:
        found.append(f"other processes kept {around.others_cores:.1f} of {around.allowed} cores busy")
    if abs(around.day_s - around.wall_s) > _CLOCKS_APART_S:
        found.append(
            f"the run took {around.wall_s:.3g} s by one clock and {around.day_s:.3g} s by the time of day: "
            "the machine slept, or its clock was set"
        )
    if not math.isnan(around.warm_drift):
        found.append(f"latency still drifted by {around.warm_drift:+.0%} when the warm-up ended")
    drift = row.get("drift", float("nan"))
    if abs(drift) > _DRIFT:
        found.append(f"latency drifted by {drift:+.0%} over the run")
    places = stats.modes(service_ns(timeline) / 1e9)
    if len(places) > 1:
        found.append("latency gathers at " + " and ".join(f"{place * 1e3:.3g} ms" for place in places))
    return tuple(f"unstable: {what}" for what in found)
