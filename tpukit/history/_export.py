"""Tables into one file for others: CSV, Parquet or JSON Lines, whole or not at all."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tpukit import schema
from tpukit.errors import ConfigError
from tpukit.history import _records
from tpukit.schema import Column, Table

Write: TypeAlias = Callable[[BinaryIO, Iterable[pd.DataFrame], Table], int]

_ARROW = {
    "str": pa.string(),
    "category": pa.dictionary(pa.int32(), pa.string()),
    "Int64": pa.int64(),
    "float64": pa.float64(),
    "datetime64[us, UTC]": pa.timestamp("us", "UTC"),
}


def writer(out: Path) -> Write:
    """Return what writes the format that the file's suffix names; raises ConfigError where none does."""
    try:
        return _WRITERS[out.suffix]
    except KeyError:
        raise ConfigError(f"cannot export to {out.name!r}: name a file that ends in {', '.join(_WRITERS)}") from None


def _write_parquet(file: BinaryIO, frames: Iterable[pd.DataFrame], table: Table) -> int:
    columns = _columns(table)
    empty = pa.Table.from_pandas(schema.frame([], table), schema=columns, preserve_index=False)
    rows = 0
    with pq.ParquetWriter(file, empty.schema) as parquet:  # its metadata tell pandas the declared types
        for df in frames:
            parquet.write_table(pa.Table.from_pandas(df, schema=columns, preserve_index=False))
            rows += len(df)
    return rows


def _write_csv(file: BinaryIO, frames: Iterable[pd.DataFrame], table: Table) -> int:
    # Arrow quotes each text and leaves what is missing bare, so that a reader can tell one from the other
    columns = _columns(table)
    flat = pa.schema([(column.name, flat_type(column)) for column in table.columns])
    rows = 0
    with pyarrow.csv.CSVWriter(file, flat) as csv:
        for df in frames:
            csv.write_table(pa.Table.from_pandas(df, schema=columns, preserve_index=False).cast(flat))
            rows += len(df)
    return rows


def _write_jsonl(file: BinaryIO, frames: Iterable[pd.DataFrame], table: Table) -> int:
    rows = 0
    for df in frames:
        file.writelines(f"{_records.dumps(record)}\n".encode() for record in _records.to_records(df, table))
        rows += len(df)
    return rows


def _columns(table: Table) -> pa.Schema:
    return pa.schema([(column.name, _ARROW[column.dtype]) for column in table.columns])


def flat_type(column: Column) -> pa.DataType:
    """Return the type of a column in CSV, which has no dictionaries."""
    return pa.string() if column.dtype == "category" else _ARROW[column.dtype]


_WRITERS: Mapping[str, Write] = {".csv": _write_csv, ".jsonl": _write_jsonl, ".parquet": _write_parquet}
