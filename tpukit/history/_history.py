"""`History`: the runs on disk."""

import json
import re
import shlex
import sqlite3
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd

from tpukit import paths, schema, sqlite
from tpukit.errors import CorruptEntryError, SchemaError, StorageError, UnknownNameError
from tpukit.history import _export, _records, _samples_blob
from tpukit.schema import RESULTS, RUNS, SAMPLES, Table

# crc32 covers the other values of a row: SQLite does not notice a flipped bit inside a value, and of 3111 flips in a
# Parquet blob 50 gave other samples without an error though its pages carry checksums (its footer has none)
_LAYOUT = sqlite.Layout(
    name="history",
    application_id=int.from_bytes(b"tpuH"),
    version=1,
    statements=(
        """CREATE TABLE runs(
            run_id TEXT PRIMARY KEY NOT NULL, started TEXT NOT NULL, model TEXT, model_sha256 TEXT,
            run TEXT NOT NULL, result TEXT NOT NULL, crc32 INTEGER NOT NULL
        ) STRICT""",
        """CREATE TABLE samples(
            run_id TEXT PRIMARY KEY NOT NULL REFERENCES runs, data BLOB NOT NULL, crc32 INTEGER NOT NULL
        ) STRICT""",
    ),
)
# as bytes: text that was damaged may be no text any more
_SELECT_RUNS = """
    SELECT CAST(run_id AS BLOB), CAST(started AS BLOB), CAST(run AS BLOB), CAST(result AS BLOB), crc32
    FROM runs ORDER BY started, run_id
"""
_SELECT_RUN = """
    SELECT CAST(run_id AS BLOB), CAST(started AS BLOB), CAST(run AS BLOB), CAST(result AS BLOB), crc32
    FROM runs WHERE run_id = ?
"""

_BOTH = Table(
    name="HISTORY",
    row="one run with its result",
    columns=(*RUNS.columns, *(column for column in RESULTS.columns if column.name not in RUNS.names)),
)

_TRIAL = "trial of History.check"
_OFFERED = 10  # newest runs that an error offers

Values: TypeAlias = tuple[Any, ...]


class History:
    """The runs measured so far, in one SQLite file that several processes may read and write at once.

    Without a path it is `history.db` in the user's state folder, `TPUKIT_HOME` (ConfigError where that names the home
    of a user who has none). Nothing is created before the first `append` or `check`, and the file is readable by its
    owner alone. Methods raise StorageError where the file cannot be used, and CorruptEntryError where it is damaged; it
    is then left as it is.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     history = History(Path(folder) / "history.db")
    ...     history.check()
    ...     history.to_frame().empty
    True
    """

    def __init__(self, path: Path | str | None = None) -> None:
        self._path = paths.home() / "history.db" if path is None else Path(path)

    def __repr__(self) -> str:
        return f"History({str(self._path)!r})"

    @property
    def path(self) -> Path:
        """The database's file."""
        return self._path

    def append(self, runs: pd.DataFrame, samples: pd.DataFrame, results: pd.DataFrame) -> None:
        """Keep runs (RUNS) with their queries (SAMPLES) and summaries (RESULTS): all of them, or none on an error.

        Once this returns, the runs survive a killed process and a power failure. Times of samples are kept to the
        nanosecond. Raises SchemaError where the tables are not what they should be or do not belong together, and
        StorageError where a run is stored already.
        """
        stored = _stored(runs, samples, results)  # before the file is locked: others wait for the writing alone
        with sqlite.writing(self._path, _LAYOUT) as connection:
            for run, data in stored:
                self._insert(connection, run, data)

    def amend(self, run_id: str, columns: Mapping[str, Any]) -> None:
        """Replace columns of a stored run's RESULTS; the others stay as they are.

        For what becomes known after a run, such as the energy in a meter's log. Once this returns the change is as
        durable as the run. Raises UnknownNameError where there is no such run, and SchemaError for a column that
        RESULTS lacks or that says what the run was, which RUNS has too.
        """
        new = _amendment(columns)
        with sqlite.writing(self._path, _LAYOUT) as connection:
            known = _run_ids(connection)
            if run_id not in known:
                raise UnknownNameError("run", run_id, known[-_OFFERED:])
            row = connection.execute(_SELECT_RUN, (run_id,)).fetchone()
            run, result = map(json.loads, self._whole(row))
            *_, amended, crc = _run_values(run, result | new)
            connection.execute("UPDATE runs SET result = ?, crc32 = ? WHERE run_id = ?", (amended, crc, run_id))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per run in order of start: the columns of RUNS, then those of RESULTS that RUNS lacks.

        A column that a run was stored without is missing there.
        """
        with self._reading() as connection:
            return _records.from_records((self._record(row) for row in connection.execute(_SELECT_RUNS)), _BOTH)

    def samples(self, run_id: str) -> pd.DataFrame:
        """Return the SAMPLES of a run; raises UnknownNameError where there is no such run."""
        with self._reading() as connection:
            known = _run_ids(connection)
            if run_id not in known:
                raise UnknownNameError("run", run_id, known[-_OFFERED:])
            return self._samples(connection, run_id)

    def check(self) -> None:
        """Raise now what `append` and `to_frame` would raise after an hour of measuring.

        That is StorageError, or CorruptEntryError which names the damaged run and how to be rid of it. The whole file
        is looked through (0.05 s for 200 MB) and the checksum of each run is taken (3 ms for 1000), though not those of
        its samples; then a trial run is written and deleted in one transaction.
        """
        with sqlite.writing(self._path, _LAYOUT) as connection:
            self._check_pages(connection, "quick_check")
            for row in connection.execute(_SELECT_RUNS):
                self._whole(row)
            self._insert(connection, (_TRIAL, "", None, None, "", "", 0), (_TRIAL, b"", 0))
            connection.execute("DELETE FROM samples WHERE run_id = ?", (_TRIAL,))
            connection.execute("DELETE FROM runs WHERE run_id = ?", (_TRIAL,))

    def export(self, out: Path | str, *, samples: bool = False) -> int:
        """Write `to_frame()`, or with `samples` every run's queries, and return the number of rows.

        The suffix names the format: .csv, .jsonl or .parquet. The file appears whole or not at all, readable by its
        owner alone. Raises ConfigError on another suffix, StorageError where the file cannot be written.
        """
        out = Path(out)
        write = _export.writer(out)
        with _export.replacing(out) as file:
            if not samples:
                return write(file, [self.to_frame()], _BOTH)
            with closing(self._all_samples()) as frames:
                return write(file, frames, SAMPLES)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with sqlite.reading(self._path, _LAYOUT) as connection:
            self._check_pages(connection, "quick_check(runs)")  # 2 ms for 1000 runs
            yield connection

    def _check_pages(self, connection: sqlite3.Connection, pragma: str) -> None:
        """Look for damage that checksums of rows cannot show: a flipped bit in a page's header drops whole rows."""
        found = connection.execute(f"PRAGMA {pragma}").fetchone()[0]
        if found != "ok":
            raise CorruptEntryError(f"{self._path} is damaged ({found.splitlines()[-1]}): {sqlite.RESCUE}")

    def _insert(self, connection: sqlite3.Connection, run: Values, data: Values) -> None:
        try:
            connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)", run)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
                raise
            raise StorageError(f"run {run[0]} is stored in {self._path} already: append each run once") from error
        connection.execute("INSERT INTO samples VALUES (?, ?, ?)", data)

    def _record(self, row: Values) -> dict[str, Any]:
        run, result = self._whole(row)
        return {**json.loads(result), **json.loads(run)}

    def _whole(self, row: Values) -> tuple[bytes, bytes]:
        *parts, crc = row
        run_id, _, run, result = parts
        if not _is_whole(parts, crc):
            raise self._damaged(run_id or b"")
        return run, result

    def _samples(self, connection: sqlite3.Connection, run_id: str) -> pd.DataFrame:
        row = connection.execute("SELECT data, crc32 FROM samples WHERE run_id = ?", (run_id,)).fetchone()
        if row is None or not _is_whole((run_id.encode(), row[0]), row[1]):
            raise self._damaged(run_id.encode())
        return _samples_blob.decode(row[0], run_id)

    def _all_samples(self) -> Generator[pd.DataFrame]:
        with self._reading() as connection:
            for run_id in _run_ids(connection):
                yield self._samples(connection, run_id)

    def _damaged(self, run_id: bytes) -> CorruptEntryError:
        return CorruptEntryError(
            f"run {paths.printable(_text(run_id))} in {self._path} is damaged: restore the file, or delete this run by "
            f'sqlite3 {shlex.quote(str(self._path.absolute()))} "{_deletion(run_id)}"'
        )


def _run_ids(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT CAST(run_id AS BLOB) FROM runs ORDER BY started, run_id")
    return [_text(row[0]) for row in rows]


def _text(value: bytes | None) -> str:
    return (value or b"").decode(errors="replace")  # damaged text may be no UTF-8 any more


def _deletion(run_id: bytes) -> str:
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


def _is_whole(parts: Sequence[Any], crc: int | None) -> bool:
    return all(isinstance(part, bytes) for part in parts) and _crc(*parts) == crc  # damage may change types too


def _stored(runs: pd.DataFrame, samples: pd.DataFrame, results: pd.DataFrame) -> list[tuple[Values, Values]]:
    """Return the rows of both tables for each run, or raise SchemaError where the three frames do not fit."""
    for df, table in ((runs, RUNS), (samples, SAMPLES), (results, RESULTS)):
        schema.check(df, table)
    _check_keys(runs, samples, results)
    summaries = {record["run_id"]: record for record in _records.to_records(results, RESULTS)}
    queries = dict(iter(samples.groupby("run_id", observed=True)))
    nothing = samples.iloc[:0]
    return [
        (
            _run_values(run, summaries[run["run_id"]]),
            _samples_values(run["run_id"], queries.get(run["run_id"], nothing)),
        )
        for run in _records.to_records(runs, RUNS)
    ]


def _amendment(columns: Mapping[str, Any]) -> dict[str, Any]:
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


def _run_values(run: dict[str, Any], result: dict[str, Any]) -> Values:
    key, texts = (run["run_id"], run["started"]), (_records.dumps(run), _records.dumps(result))
    crc = _crc(*(text.encode() for text in (*key, *texts)))
    return *key, run["model"], run["model_sha256"], *texts, crc


def _samples_values(run_id: str, samples: pd.DataFrame) -> Values:
    data = _samples_blob.encode(samples)
    return run_id, data, _crc(run_id.encode(), data)
