"""What `History.export` wrote, or what a sweep put aside when history could not take it, read back as tables.

A file may come from another version: a column that it lacks is missing, one that it has too many is refused. Nothing
here unpickles.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tpukit import paths, schema
from tpukit.errors import ConfigError, SchemaError, StorageError
from tpukit.history import _export
from tpukit.history._imported import check
from tpukit.schema import RESULTS, RUNS, SAMPLES, Table

#: What a sweep leaves in a folder where history could not take its last run: its RUNS, its SAMPLES, its RESULTS.
RESCUED = ("run.parquet", "samples.parquet", "result.parquet")

Columns: TypeAlias = Mapping[str, Any]


class Imported(NamedTuple):
    """What a file holds, as `History.append` takes it; without its own file of samples, `samples` is None."""

    runs: pd.DataFrame
    samples: pd.DataFrame | None
    results: pd.DataFrame


def read(path: Path, samples: Path | None, both: Table) -> Imported:
    """Return the runs of an export, or of the folder of a run put aside; `both` is what an export of runs has.

    Raises ConfigError for what is no export, SchemaError for one that is not whole or newer than this version, and
    StorageError where it cannot be read.
    """
    found = _read_rescued(path, samples) if path.is_dir() else _read_export(path, samples, both)
    check(found.runs, found.results, path)
    return found


def _read_export(path: Path, samples: Path | None, both: Table) -> Imported:
    columns = _read_columns(path, both, "runs")
    return Imported(
        runs=_table({name: columns[name] for name in RUNS.names if name in columns}, RUNS, path),
        samples=None if samples is None else _read_table(samples, SAMPLES, "samples"),
        results=_table({name: columns[name] for name in RESULTS.names if name in columns}, RESULTS, path),
    )


def _read_rescued(folder: Path, samples: Path | None) -> Imported:
    if samples is not None:
        raise ConfigError(f"{folder} brings its own samples: leave {samples} out")
    for name in RESCUED:
        if not (folder / name).is_file():
            raise ConfigError(f"folder {folder} holds no {name}: name an export, or a folder that bench left behind")
    run, queries, result = (folder / name for name in RESCUED)
    return Imported(
        runs=_read_table(run, RUNS, "a run"),
        samples=_read_table(queries, SAMPLES, "samples"),
        results=_read_table(result, RESULTS, "a result"),
    )


def _read_table(path: Path, table: Table, what: str) -> pd.DataFrame:
    return _table(_read_columns(path, table, what), table, path)


def _read_columns(path: Path, table: Table, what: str) -> Columns:
    """Return the columns of a file that should hold `table`; `what` names its rows in an error."""
    try:
        reader = _READERS[path.suffix]
    except KeyError:
        raise ConfigError(f"cannot import {path.name!r}: name a file that ends in {', '.join(_READERS)}") from None
    with _reading(path):
        columns = reader(path, table)
    if columns:
        _check_names(list(columns), path, table, what)
    return columns


def _check_names(names: list[str], path: Path, table: Table, what: str) -> None:
    if table is not SAMPLES and set(names) == set(SAMPLES.names):
        raise ConfigError(f"{path} holds samples: give it as samples beside the export of the runs")
    if "run_id" not in names or not set(names) & set(table.names) - {"run_id"}:
        raise ConfigError(f"{path} is no export of {what}, it has no such columns: name what `history export` wrote")
    if unknown := [name for name in names if name not in table.names]:
        raise SchemaError(
            f"{path} has columns that this tpukit does not know, {', '.join(unknown)}: a newer one wrote it; upgrade "
            "tpukit, or drop these columns"
        )


def _table(columns: Columns, table: Table, path: Path) -> pd.DataFrame:
    try:
        _check_stamps(columns, table)
        return schema.frame(columns, table)
    except (SchemaError, OverflowError) as error:
        raise SchemaError(f"{path} cannot be imported: {_line(error)}") from error


def _check_stamps(columns: Columns, table: Table) -> None:
    """Refuse numbers, which pandas would take for time since 1970, in a unit of its own."""
    for column in table.columns:
        if column.dtype.startswith("datetime") and any(map(_is_number, columns.get(column.name, ()))):
            raise SchemaError(f"column {column.name} holds a number: expected a stamp such as 2026-01-02T03:04:05Z")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and value == value  # noqa: PLR0124 NaN is a missing stamp


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    # what is no Parquet and what is no CSV are both a ValueError to Arrow, and so are bad JSON and bad UTF-8; what else
    # a flipped bit of a Parquet file leads to is an ArrowException, or an OSError without a number
    except (ValueError, OverflowError, RecursionError, pa.ArrowException) as error:
        raise _damaged(path, error) from error
    except OSError as error:
        if error.errno is None:
            raise _damaged(path, error) from error
        raise StorageError(f"cannot read {path}: {paths.reason(error)}") from error


def _damaged(path: Path, error: Exception) -> SchemaError:
    return SchemaError(f"{path} is not what its name says, or is damaged: {_line(error)}; export it again")


def _line(error: Exception) -> str:
    said = str(error).strip().splitlines()
    return paths.printable(said[0]) if said else type(error).__name__


def _read_parquet(path: Path, table: Table) -> Columns:
    with path.open("rb") as file:  # a path is taken for a folder of files, whose names would become columns
        return _plain(pq.ParquetFile(file).read())


def _read_csv(path: Path, table: Table) -> Columns:
    types = {column.name: _export.flat_type(column) for column in table.columns}
    with path.open("rb") as file:
        found = pyarrow.csv.read_csv(
            file,
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            # bare nothing is missing, quoted nothing is an empty text
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )
    return _plain(found)


def _plain(found: pa.Table) -> Columns:
    twice = [name for name, number in Counter(found.column_names).items() if number > 1]
    if twice:
        raise ValueError(f"it has two columns {twice[0]}")
    return {name: _series(found[name]) for name in found.column_names}


def _series(column: pa.ChunkedArray) -> "pd.Series[Any]":
    if pa.types.is_floating(column.type):
        return column.to_pandas()  # type: ignore[no-any-return]
    # as objects: pandas would make floats of integers beside a null
    return pd.Series(column.to_pylist(), dtype="object")


def _read_jsonl(path: Path, table: Table) -> Columns:
    with path.open(encoding="utf-8") as file:
        rows = [_json_object(line, number) for number, line in enumerate(file, start=1)]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: pd.Series([row.get(name) for row in rows], dtype="object") for name in names}


def _json_object(line: str, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"line {number} is no JSON ({error})") from error
    if not isinstance(row, dict):
        raise ValueError(f"line {number} is no JSON object")  # noqa: TRY004 what is wrong is the file
    return row


_READERS: Mapping[str, Callable[[Path, Table], Columns]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}
