"""Rows of a table as values that JSON can hold, and back without loss.

Missing becomes null, a stamp ISO 8601 in UTC, and an infinite number, which JSON cannot hold, the text Infinity or
-Infinity, which `float` reads.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from tpukit import schema
from tpukit.schema import Table

_BEYOND_JSON = {math.inf: "Infinity", -math.inf: "-Infinity"}


def dumps(record: Mapping[str, Any]) -> str:
    """Return a record as one line of JSON."""
    return json.dumps(record, allow_nan=False, separators=(",", ":"))


def to_records(df: pd.DataFrame, table: Table) -> Iterator[dict[str, Any]]:
    """Yield each row of `df` as a mapping of column to plain value.

    >>> next(to_records(schema.frame([{"device": "cpu", "usable": True}], schema.DEVICES), schema.DEVICES))["reason"]
    """
    # value by value: one run's sixty columns take 1 ms so, and 30 ms with pandas' operations on whole columns
    rows = zip(*(df[name].tolist() for name in table.names), strict=True)
    return (dict(zip(table.names, map(_plain, row), strict=True)) for row in rows)


def from_records(records: Iterable[Mapping[str, Any]], table: Table) -> pd.DataFrame:
    """Return the table that `to_records` was given; a column that a record lacks is missing there."""
    rows = list(records)
    # one object column each: pandas would guess float64 for integers beside a null, and lose those beyond 2**53
    return schema.frame(
        {name: pd.Series([row.get(name) for row in rows], dtype="object") for name in table.names}, table
    )


def _plain(value: Any) -> Any:
    if value is pd.NA or value is pd.NaT or value != value:  # noqa: PLR0124 only NaN differs from itself
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat(timespec="microseconds")
    return _BEYOND_JSON.get(value, value)
