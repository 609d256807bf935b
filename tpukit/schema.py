"""The result tables: which columns each has, of which type, in which unit.

A table is declared once here; `frame` builds a DataFrame of it, `check` holds a DataFrame against it. Units stand in
the column's name, in base SI (`_s`, `_bytes`, `_per_s`), ratios are in 0..1, stamps are UTC. What was not measured is
NaN or missing, and a text column beside it says why.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tpukit.errors import SchemaError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `dtype` is a pandas type name; `unit` is empty for names, counts and ratios."""

    name: str
    dtype: str
    doc: str
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A named tuple of columns; `row` says what one row is."""

    name: str
    row: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The columns' names in order."""
        return [column.name for column in self.columns]


def frame(records: Iterable[Mapping[str, Any]] | Mapping[str, Any], table: Table) -> "pd.DataFrame":
    """Return a DataFrame of `table`, from records or from a mapping of columns to arrays.

    A column that no record has becomes missing. Numbers and stamps may come as text, as JSON and CSV hold them:
    "Infinity", "2026-01-02T03:04:05Z". Raises SchemaError on a column that the table does not declare, or a value that
    does not fit its type, such as a number in a column of text.

    >>> frame([{"model": "a", "n": 3}], RESULTS)["n"].tolist()
    [3]
    """
    import pandas as pd

    # records as objects: pandas would guess float64 for integers beside a missing one, and lose those beyond 2**53
    given = pd.DataFrame(records) if isinstance(records, Mapping) else pd.DataFrame(list(records), dtype="object")
    if unknown := [name for name in given.columns if name not in table.names]:
        raise SchemaError(f"{table.name} has no column {', '.join(map(str, unknown))}: it has {', '.join(table.names)}")
    return pd.DataFrame(
        {column.name: _series(given, column, table) for column in table.columns}, index=given.index, copy=False
    )


def concat(frames: Iterable["pd.DataFrame"], table: Table) -> "pd.DataFrame":
    """Return the rows of several tables of one kind as one; pandas' own concat would lose the category columns' type.

    >>> concat([frame([{"run_id": "a"}], SAMPLES), frame([{"run_id": "b"}], SAMPLES)], SAMPLES)["run_id"].tolist()
    ['a', 'b']
    """
    import pandas as pd
    from pandas.api.types import union_categoricals

    parts = [check(df, table) for df in frames]
    if not parts:
        return frame([], table)
    whole = pd.concat(parts, ignore_index=True)
    for column in table.columns:
        if column.dtype == "category":
            whole[column.name] = union_categoricals([part[column.name] for part in parts])
    return whole


def check(df: "pd.DataFrame", table: Table) -> "pd.DataFrame":
    """Return `df` if it is a table of this kind, else raise SchemaError naming the first column that is not.

    >>> check(frame([], RUNS), RUNS).empty
    True
    """
    if missing := [name for name in table.names if name not in df.columns]:
        raise SchemaError(f"a {table.name} table needs the columns {', '.join(missing)}: build it with schema.frame")
    if unknown := [name for name in df.columns if name not in table.names]:
        raise SchemaError(f"a {table.name} table has no column {', '.join(map(str, unknown))}: drop it")
    for column in table.columns:
        if str(df[column.name].dtype) != column.dtype:
            raise SchemaError(
                f"column {column.name} of a {table.name} table is {df[column.name].dtype}, expected {column.dtype}: "
                "build it with schema.frame"
            )
    return df


def _series(given: "pd.DataFrame", column: Column, table: Table) -> "pd.Series[Any]":
    import pandas as pd

    values = given[column.name] if column.name in given else pd.Series(None, index=given.index, dtype="object")
    try:
        if column.dtype == "bool" and values.isna().any():
            raise TypeError("a truth value cannot be missing")  # noqa: TRY301 astype would make it False
        if column.dtype in _KINDS:
            _check_kind(values, column)
        typed: pd.Series[Any] = values.astype(column.dtype)  # type: ignore[call-overload]
        if column.dtype == "category":
            # without a value the categories would be objects, which do not unite with text
            typed = typed.cat.rename_categories(typed.cat.categories.astype("str"))  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise SchemaError(f"column {column.name} of {table.name} must be {column.dtype}: {error}") from error
    return typed


def _check_kind(values: "pd.Series[Any]", column: Column) -> None:
    """Raise TypeError where astype would make text of what is none, or a truth value of anything."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(_held(values), skipna=True)
    if kind not in _KINDS[column.dtype] and values.notna().any():
        raise TypeError(f"it holds {kind} values")


def _held(values: "pd.Series[Any]") -> Any:
    if values.dtype == "object":
        return values.to_numpy()  # pandas takes 9 µs to infer the kind of the Series, a tenth of one run's row in all
    return values.cat.categories if values.dtype == "category" else values


#: What pandas may infer of the values given for a type that astype would make of anything.
_KINDS = {"str": ("string", "empty"), "category": ("string", "empty"), "bool": ("boolean", "empty")}


def _text(name: str, doc: str) -> Column:
    return Column(name=name, dtype="str", doc=doc)


def _count(name: str, doc: str) -> Column:
    return Column(name=name, dtype="Int64", doc=doc)


def _number(name: str, doc: str, unit: str = "") -> Column:
    return Column(name=name, dtype="float64", doc=doc, unit=unit)


_RUN_ID = _text("run_id", "the run; sorts by time of start")
_SETTINGS = (
    _text("model", "the model's name"),
    _text("device", "the device it ran on"),
    _text("scenario", "how queries arrive: single_stream or offline"),
    _count("threads", "threads of the device's runtime"),
    _count("batch", "samples in a query"),
)

RUNS = Table(
    name="RUNS",
    row="one run: what was measured, with what, on which machine",
    columns=(
        _RUN_ID,
        Column(name="started", dtype="datetime64[us, UTC]", doc="when the run began", unit="UTC"),
        *_SETTINGS,
        _number("duration_s", "the steady state asked for", "s"),
        _count("min_queries", "the fewest queries asked for"),
        _count("seed", "seed of the random inputs"),
        _text("data", "where the inputs come from: a data set's name, or random"),
        _text("model_sha256", "the model's identity"),
        _count("model_size_bytes", "size of the model's file"),
        _text("inputs", "JSON: name, shape, dtype and quantisation of each input"),
        _text("outputs", "JSON: the same of each output"),
        _text("runtime", "what executed the model, with its version"),
        _text("host", "the machine's name"),
        _text("cpu", "the processor's model"),
        _count("cores", "logical processors that this process may use"),
        _count("memory_bytes", "memory of the machine"),
        _text("governor", "the processor's frequency governor; missing where the system shows none"),
        _number("load_average_1m", "load average over the minute before the run"),
        _text("os", "operating system and release"),
        _text("versions", "JSON: version of Python, tpukit and the libraries that matter"),
        _text("git_revision", "revision of the working folder's repository, with + where it has changes"),
    ),
)

SAMPLES = Table(
    name="SAMPLES",
    row="one query; times count from the run's first query",
    columns=(
        Column(name="run_id", dtype="category", doc="the run"),
        _number("scheduled_s", "when it was due; in a closed loop that is when it was issued", "s"),
        _number("start_s", "when it was issued", "s"),
        _number("end_s", "when its outputs were there", "s"),
        _number("latency_s", "end_s - scheduled_s", "s"),
        Column(name="status", dtype="category", doc="ok or error"),
        Column(name="error", dtype="category", doc="what went wrong; missing where nothing did"),
    ),
)


def _quantile(name: str) -> tuple[Column, ...]:
    return (
        _number(f"{name}_s", f"nearest-rank {name} of latency; missing in offline", "s"),
        _number(
            f"{name}_lo_s",
            "its distribution-free 95 % interval within this run, from; missing where n is too small",
            "s",
        ),
        _number(f"{name}_hi_s", "the same, to", "s"),
    )


RESULTS = Table(
    name="RESULTS",
    row="one measured cell: the summary of one run's samples",
    columns=(
        _RUN_ID,
        *_SETTINGS,
        _text("verdict", "VALID or INVALID"),
        _text("reasons", "why it is INVALID, and why a number is missing"),
        _text("warnings", "why its numbers may be unstable; the run stays VALID"),
        _number("load_s", "building the session from the model in memory", "s"),
        _number("first_s", "the first inference", "s"),
        _number("warmup_s", "warming up, the first inference not counted", "s"),
        _count("warmup_queries", "queries of the warm-up"),
        _count("n", "queries of the steady state that ended well"),
        _number("steady_s", "the steady state, from the first query's start to the last one's end", "s"),
        _number("min_s", "the shortest latency", "s"),
        *_quantile("p50"),
        *_quantile("p90"),
        *_quantile("p99"),
        _number("max_s", "the longest latency", "s"),
        _number("throughput_per_s", "samples (queries times batch) per second of the steady state", "1/s"),
        _number("drift", "relative change of latency over the run; missing where a rank test sees no trend"),
        _number("accuracy", "share of the data set's labels that were met; missing without data"),
        _number("accuracy_lo", "its Wilson 95 % interval, from"),
        _number("accuracy_hi", "the same, to"),
        _count("accuracy_n", "labels compared"),
        _text("metric", "the column that the scenario is judged by: p50_s or throughput_per_s"),
        _text("baseline", "what the metric is compared with, or why with nothing"),
        _number("baseline_value", "the baseline's metric, from the same sweep"),
        _number("baseline_lo", "its 95 % interval, from; missing for a throughput"),
        _number("baseline_hi", "the same, to"),
        _number("speedup", "how many times better than the baseline"),
        _text("limit", "what bounds the metric, or why no limit is known"),
        _number("limit_value", "the metric that nothing can beat under that limit"),
    ),
)

OPS = Table(
    name="OPS",
    row="one operator of a model, in order of execution",
    columns=(
        _text("model", "the model's name"),
        _count("op", "place in the order of execution"),
        _text("type", "the operator's name in the TFLite schema"),
        _text("shape", "shape of its first output"),
        _text("dtype", "type of its first output"),
        _count("macs", "multiply-accumulates; 0 for operators that do none, missing where unknown"),
        _count("parameters", "constants it reads, in elements"),
        _count("parameter_bytes", "the same, in bytes"),
        _count("activation_bytes", "bytes it reads and writes that are not constants"),
    ),
)

DEVICES = Table(
    name="DEVICES",
    row="one device that tpukit knows",
    columns=(
        _text("device", "the name to give as device"),
        Column(name="usable", dtype="bool", doc="whether it can run a model here"),
        _text("runtime", "what executes the model, with its version"),
        _text("about", "what it is"),
        _text("reason", "why it is not usable; missing where it is"),
    ),
)

SUITE = Table(
    name="SUITE",
    row="one thing that tpukit claims of itself, measured beside its baseline and its limit",
    columns=(
        _text("cell", "the cell of the suite that measured it"),
        _text("what", "what was measured"),
        _number("value", "the measured value"),
        _text("unit", "its unit"),
        _text("baseline", "what a sceptic would compare with, from the same run"),
        _number("baseline_value", "the baseline's value, in the same unit"),
        _text("limit", "what nothing can beat"),
        _number("limit_value", "the limit's value, in the same unit"),
        _number("goal", "the value to reach"),
        _text("better", "lower or higher: on which side of the goal it holds"),
        _text("verdict", "holds, does not hold, not measured, or failed"),
        _text("note", "how it was measured, or why it was not"),
    ),
)
