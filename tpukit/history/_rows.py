"""What the database holds of a run: its rows, made of three tables that fit, and the checksums over them."""

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import pandas as pd

from tpukit import schema
from tpukit.errors import SchemaError
from tpukit.history import _records, _samples_blob
from tpukit.schema import RESULTS, RUNS, SAMPLES

Values: TypeAlias = tuple[Any, ...]


def text(value: bytes | None) -> str:
    """Return a key as text."""
    return (value or b"").decode(errors="replace")  # damaged text may be no UTF-8 any more


def deletion(run_id: bytes) -> str:
    """Return the SQL that deletes a run, safe between the double quotes of a shell.

    Where the damage hit the key itself, its index does not have it: hence REINDEX, and hexadecimal for what is no plain
    text.
    """
    is_plain = re.fullmatch(rb"[\w.:+-]+", run_id)
    key = f"'{run_id.decode()}'" if is_plain else f"CAST(x'{run_id.hex()}' AS TEXT)"
    deletions = [f"DELETE FROM {table} WHERE run_id={key}" for table in ("samples", "runs")]  # noqa: S608 quoted above
    return "; ".join(["REINDEX", *deletions])


def _crc(*parts: bytes) -> int:
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def is_whole(parts: Sequence[Any], crc: int | None) -> bool:
    """Whether these values have this checksum."""
    return all(isinstance(part, bytes) for part in parts) and _crc(*parts) == crc  # damage may change types too


def stored(runs: pd.DataFrame, samples: pd.DataFrame, results: pd.DataFrame) -> list[tuple[Values, Values]]:
    """Return the rows of both tables for each run, or raise SchemaError where the three frames do not fit."""
    for df, table in ((runs, RUNS), (samples, SAMPLES), (results, RESULTS)):
        schema.check(df, table)
    _check_keys(runs, samples, results)
    summaries = {record["run_id"]: record for record in _records.to_records(results, RESULTS)}
    queries = dict(iter(samples.groupby("run_id", observed=True)))
    nothing = samples.iloc[:0]
    return [
        (
            run_values(run, summaries[run["run_id"]]),
            _samples_values(run["run_id"], queries.get(run["run_id"], nothing)),
        )
        for run in _records.to_records(runs, RUNS)
    ]


def imported(runs: pd.DataFrame, samples: pd.DataFrame | None, results: pd.DataFrame) -> list[tuple[Values, Values]]:
    """Return the same for runs of which the samples may be elsewhere: their row holds no bytes then."""
    given = stored(runs, schema.frame([], SAMPLES) if samples is None else samples, results)
    has = set() if samples is None else set(samples["run_id"].unique())
    queries = dict(zip(results["run_id"], results["n"].fillna(0), strict=True))
    return [
        (run, data if run[0] in has or not queries[run[0]] else (run[0], b"", _crc(run[0].encode())))
        for run, data in given
    ]


def amendment(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns of RESULTS as they are stored, or raise SchemaError."""
    if fixed := [name for name in columns if name in RUNS.names]:
        raise SchemaError(f"column {fixed[0]} says what the run was and cannot be amended: give columns of its result")
    (record,) = _records.to_records(schema.frame([columns], RESULTS), RESULTS)
    return {name: record[name] for name in columns}


def _check_keys(runs: pd.DataFrame, samples: pd.DataFrame, results: pd.DataFrame) -> None:
    ids = runs["run_id"]
    for what, bad in {
        "a run_id in RUNS is missing": ids.isna(),
        "a run in RUNS has no started": runs["started"].isna(),
        "RUNS has two rows of one run": ids.duplicated(),
        "RESULTS has no row of a run": ~ids.isin(results["run_id"]),
    }.items():
        if bad.any():
            raise SchemaError(f"{what}: {', '.join(map(str, ids[bad]))}")
    if len(results) != len(runs):
        raise SchemaError(f"RESULTS has {len(results)} rows for {len(runs)} runs: give exactly one for each run")
    strangers = set(samples["run_id"].unique()) - set(ids)
    if strangers:
        raise SchemaError(f"SAMPLES has rows of runs that RUNS lacks: {', '.join(map(str, strangers))}")


def run_values(run: dict[str, Any], result: dict[str, Any]) -> Values:
    """Return the row of a run."""
    key, texts = (run["run_id"], run["started"]), (_records.dumps(run), _records.dumps(result))
    crc = _crc(*(text.encode() for text in (*key, *texts)))
    return *key, run["model"], run["model_sha256"], *texts, crc


def _samples_values(run_id: str, samples: pd.DataFrame) -> Values:
    data = _samples_blob.encode(samples)
    return run_id, data, _crc(run_id.encode(), data)
