"""What MLPerf's LoadGen says of a run, read from its logs. Pure.

LoadGen (Reddi et al. 2020, arXiv:1911.02549; github.com/mlcommons/inference, loadgen/) writes a detail log, in which
each line that begins with :::MLLOG holds one value as JSON, and a trace with an event for each sample that ended.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpukit.inference._scenarios import OFFLINE
from tpukit.inference._settings import Settings

_MARK = ":::MLLOG"
_RULES = {
    "result_min_duration_met": "shorter than asked for",
    "result_min_queries_met": "fewer queries than asked for",
    "result_perf_constraints_met": "the percentile of latency is over the bound",
    "early_stopping_met": "too few queries for early stopping",
}
_THROUGHPUTS = ("result_qps_with_loadgen_overhead", "result_completed_samples_per_sec", "result_samples_per_second")
_SAMPLE = re.compile(
    r'"name":"Sample","cat":"default","ph":"b".*?"ts":(\d+)\.(\d{3}),"args":\{"sample_seq":(\d+),"query_seq":(\d+),'
    r'"sample_idx":\d+,"issue_start_ns":(-?\d+),"complete_ns":(-?\d+)'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenResult:
    """What LoadGen says of a run. A number that it does not give for a scenario is NaN.

    Latencies are those of queries, in offline of samples. `throughput_per_s` counts samples and includes LoadGen's own
    time between queries, `alone_per_s` (single_stream) does not: it is the inverse of the mean latency.
    `scheduled_per_s` (server) is the rate of the schedule it drew. `over_bound` (server) counts queries, and is None
    elsewhere.
    """

    version: str
    verdict: str
    reasons: tuple[str, ...]
    queries: int
    p50_s: float
    p90_s: float
    p99_s: float
    early_stopping_s: float
    throughput_per_s: float
    alone_per_s: float
    scheduled_per_s: float
    over_bound: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QueryLog:
    """When each query was due, was issued and ended, in nanoseconds from the first one's due time, shapes (n,).

    In offline, where there is one query, the same of each sample.
    """

    due_ns: NDArray[np.int64]
    issued_ns: NDArray[np.int64]
    ended_ns: NDArray[np.int64]

    @property
    def late_ns(self) -> NDArray[np.int64]:
        """How long after its due time each query was issued, shape (n,)."""
        return self.issued_ns - self.due_ns

    @property
    def held_ns(self) -> int:
        """How long after LoadGen's own schedule one began that `drive_logged` held it to: the least lateness.

        The first query cannot tell: LoadGen's schedule begins with it.
        """
        return int(self.late_ns[1:].min()) if len(self.due_ns) > 1 else 0

    @property
    def latencies_ns(self) -> NDArray[np.int64]:
        """What LoadGen takes for latency: from the due time to the end, shape (n,)."""
        return self.ended_ns - self.due_ns


def read_detail(text: str, settings: Settings) -> LoadGenResult:
    """Return what a detail log says; raises ValueError for one that names no verdict."""
    said: dict[str, Any] = {}
    errors = []
    for line in text.splitlines():
        if not line.startswith(_MARK):
            continue
        # strict=False: the message of LoadGen's own revision has line breaks in it
        entry = json.loads(line.removeprefix(_MARK), strict=False)
        said[entry["key"]] = entry["value"]
        if entry["metadata"]["is_error"]:
            errors.append(str(entry["value"]))
    if "result_validity" not in said:
        raise ValueError(f"LoadGen's log names no verdict: {'; '.join(errors) or 'it ends early'}")
    return _result(said, errors, settings)


def _result(said: Mapping[str, Any], errors: list[str], settings: Settings) -> LoadGenResult:
    per_query = "_per_query" if settings.scenario == "multi_stream" else ""
    estimate = "early_stopping_latency_ms" if per_query else "early_stopping_latency_ss"
    return LoadGenResult(
        version=str(said["loadgen_version"]).partition(" ")[0],
        verdict=said["result_validity"],
        reasons=_reasons(said, errors),
        queries=int(said["result_query_count"]),
        p50_s=said[f"result_50.00_percentile{per_query}_latency_ns"] / 1e9,
        p90_s=said[f"result_90.00_percentile{per_query}_latency_ns"] / 1e9,
        p99_s=said[f"result_99.00_percentile{per_query}_latency_ns"] / 1e9,
        # it says 0 where queries were too few
        early_stopping_s=(said.get(estimate) or math.nan) / 1e9,
        throughput_per_s=_rate(said, _THROUGHPUTS, settings),
        alone_per_s=_rate(said, ("result_qps_without_loadgen_overhead",), settings),
        scheduled_per_s=_rate(said, ("result_scheduled_samples_per_sec",), settings),
        over_bound=said.get("result_overlatency_query_count"),
    )


def _reasons(said: Mapping[str, Any], errors: list[str]) -> tuple[str, ...]:
    broken = [rule for key, rule in _RULES.items() if said.get(key) is False]
    return (*broken, *errors) if broken else ()


def _rate(said: Mapping[str, Any], keys: tuple[str, ...], settings: Settings) -> float:
    # a sample of LoadGen's is what the device takes at once
    return next((said[key] * settings.batch for key in keys if key in said), math.nan)


def read_trace(text: str, settings: Settings) -> QueryLog:
    """Return the queries of a trace, in the order in which they were issued."""
    fields = [
        (int(whole + part), *map(int, others))
        for whole, part, *others in (match.groups() for match in _SAMPLE.finditer(text))
    ]
    due, sample, query, issued, complete = np.array(fields, dtype=np.int64).reshape(-1, 5).T
    key = sample if settings.scenario == OFFLINE.name else query
    # by query, and in each the sample that ended last at its end
    order = np.lexsort((complete, key))
    last = np.concatenate([np.diff(key[order]) != 0, np.ones(min(1, len(order)), dtype=np.bool_)])
    at = order[last]
    zero = due[at][:1].sum()
    return QueryLog(due_ns=due[at] - zero, issued_ns=(due + issued)[at] - zero, ended_ns=(due + complete)[at] - zero)
