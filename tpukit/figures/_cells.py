"""What figures of runs share: which rows are drawn, and what each is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tpukit import schema
from tpukit.figures._text import count, escaped, number

Array = NDArray[np.float64]

SETTINGS = ("device", "threads", "batch")
# what a clock of nanoseconds cannot tell from nothing; a logarithmic axis has no zero
_TICK_S = 1e-9
_VALID, _SINGLE_STREAM = "VALID", "single_stream"
_SHOWN: Mapping[str, Callable[[Any], str]] = {
    "device": escaped,
    "threads": lambda n: "unknown threads" if pd.isna(n) else count(int(n), "thread"),
    "batch": lambda n: "unknown batch" if pd.isna(n) else f"batch {n}",
    "host": lambda name: f"host {escaped(name)}",
    "version": escaped,
    "scenario": escaped,
    "loop": escaped,
    "rate_hz": lambda hz: "" if pd.isna(hz) else f"{number(hz)} queries/s",
    "per_query": lambda n: "" if pd.isna(n) else f"{n} samples a query",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One single_stream run: its RESULTS row, what to call it, and its queries that ended well, in order of time."""

    row: Mapping[str, Any]
    start_s: Array
    latency_s: Array

    @property
    def label(self) -> str:
        """The model, with the settings in which the runs of the figure differ."""
        return str(self.row["label"])

    @property
    def valid(self) -> bool:
        """Whether the run counts."""
        return bool(self.row["verdict"] == _VALID)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """The runs of a figure, by model, device, threads and batch; `common` names the settings that all share.

    Where there are none, `missing` says why; `left_out` says what of the input is not among them.
    """

    runs: Sequence[Run] = ()
    common: str = ""
    missing: str = ""
    left_out: str = ""

    @property
    def valid(self) -> list[Run]:
        """The runs that count."""
        return [run for run in self.runs if run.valid]


def latency_runs(samples: pd.DataFrame, results: pd.DataFrame) -> Runs:
    """Return the single_stream runs of `results` that have samples.

    Raises SchemaError where `samples` is no SAMPLES table or `results` no RESULTS table.
    """
    schema.check(samples, schema.SAMPLES)
    rows = single_stream(results)
    if rows.empty:
        return Runs(missing=no_latency(results))
    ended = samples[(samples["status"] == "ok") & samples["latency_s"].notna()]
    queries = {str(run_id): part for run_id, part in ended.groupby("run_id", observed=True)}
    judged = (rows[["p50_s", "p90_s", "p99_s"]] > 0).all(axis=1)
    drawn = rows[rows["run_id"].isin(list(queries)) & judged].drop_duplicates("run_id")
    if drawn.empty:
        return Runs(missing=f"no query of {count(len(rows), 'single_stream run')} has a latency")
    drawn, common = named(drawn.sort_values("run_id", kind="stable"), SETTINGS)
    drawn["label"] = _numbered(drawn["label"])
    return Runs(
        runs=[_run(row, queries[row["run_id"]]) for row in drawn.to_dict("records")],
        common=common,
        left_out=_left_out(len(results) - len(rows), len(rows) - len(drawn)),
    )


def single_stream(results: pd.DataFrame) -> pd.DataFrame:
    """Return the single_stream rows of a RESULTS table, else raise SchemaError."""
    schema.check(results, schema.RESULTS)
    return results[results["scenario"] == _SINGLE_STREAM]


def no_latency(results: pd.DataFrame) -> str:
    """Return why a table without single_stream rows shows no latency."""
    if results.empty:
        return "there are no results"
    given = f"{count(len(results), 'result')} of other scenarios {'was' if len(results) == 1 else 'were'} given"
    return f"latency is judged in single_stream, and {given}"


def none_valid(n: int, noun: str = "run") -> str:
    """Return the finding where runs are drawn and none counts."""
    if n == 1:
        return f"The only {noun} is INVALID, so it supports no finding"
    return f"All {count(n, noun)} are INVALID, so they support no finding"


def newest(rows: pd.DataFrame, settings: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Return the newest run of each model and setting, VALID before INVALID, and a note about older ones."""
    ranked = rows.assign(_valid=valid(rows)).reset_index(drop=True)
    ranked = ranked.sort_values(["_valid", "run_id"], na_position="first", kind="stable")
    superseded = ranked.duplicated(["model", *settings], keep="last").sort_index().to_numpy()
    n = int(superseded.sum())
    return rows[~superseded], f"The newest run of each setting; {count(n, 'older run')} left out." if n else ""


def valid(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Return which rows count."""
    return rows["verdict"] == _VALID


def named(rows: pd.DataFrame, settings: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Return `rows` by model and settings with columns `variant` and `label`, and the settings that all share.

    A row's variant tells the settings in which the rows differ, its label the model with the variant.

    >>> rows, common = named(pd.DataFrame({"model": ["a", "a"], "device": "cpu", "threads": [1, 2]}), SETTINGS[:2])
    >>> list(rows["label"]), common
    (['a (1 thread)', 'a (2 threads)'], 'cpu')
    """
    rows = rows.sort_values(["model", *settings], kind="stable").reset_index(drop=True)
    differing = [name for name in settings if rows[name].nunique(dropna=False) > 1]
    shared = [name for name in settings if name not in differing and not (name == "batch" and _is_one(rows[name]))]
    variants = [_together(row, differing) for row in rows[differing].to_dict("records")] if differing else ""
    rows["variant"] = pd.Series(variants, index=rows.index, dtype="str")
    models = rows["model"].map(escaped)
    rows["label"] = models.where(rows["variant"] == "", models + " (" + rows["variant"] + ")")
    return rows, _together(rows.iloc[0].to_dict(), shared) if len(rows) else ""


def variants(rows: pd.DataFrame, settings: Sequence[str]) -> list[str]:
    """Return the variants of `named` rows in the order of their settings."""
    return list(dict.fromkeys(rows.sort_values(list(settings), kind="stable")["variant"]))


def models(rows: pd.DataFrame) -> list[str]:
    """Return the models of `rows` in alphabetical order, which gives each its colour."""
    return sorted(set(rows["model"]))


def _together(row: Mapping[Any, Any], settings: Sequence[str]) -> str:
    return ", ".join(text for text in (_SHOWN[name](row[name]) for name in settings) if text)


def _is_one(values: "pd.Series[Any]") -> bool:
    return bool((values.fillna(1) == 1).all())


def _numbered(labels: "pd.Series[str]") -> "pd.Series[str]":
    # runs of the same settings, oldest first: a run_id sorts by time, and `named` sorts stably
    place = labels.groupby(labels).cumcount() + 1
    return labels.where(~labels.duplicated(keep=False), labels + " #" + place.astype("str"))


def _run(row: Mapping[Any, Any], queries: pd.DataFrame) -> Run:
    queries = queries.sort_values("start_s", kind="stable")
    latency_s = np.maximum(queries["latency_s"].to_numpy(), _TICK_S)
    return Run(row=row, start_s=queries["start_s"].to_numpy(), latency_s=latency_s)


def _left_out(other: int, without: int) -> str:
    parts = []
    if other:
        parts.append(f"{count(other, 'result')} of other scenarios")
    if without:
        parts.append(f"{count(without, 'run')} without latency")
    return f"Left out: {' and '.join(parts)}." if parts else ""
