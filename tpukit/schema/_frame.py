"""What a table is: its columns, how a DataFrame of it is built, and how one is held against it."""

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

    >>> from tpukit.schema import RESULTS
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

    >>> from tpukit.schema import SAMPLES
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

    >>> from tpukit.schema import RUNS
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
_KINDS = {
    "str": ("string", "empty"),
    "category": ("string", "empty"),
    "bool": ("boolean", "empty"),
    "boolean": ("boolean", "empty"),
}
