"""The open database of a history: rows put in, and rows taken out whole or refused."""

import json
import shlex
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tpukit import paths, sqlite
from tpukit.errors import CorruptEntryError, StorageError, UnknownNameError
from tpukit.history import _rows
from tpukit.history._rows import Values

# crc32 covers the other values of a row: SQLite does not notice a flipped bit inside a value, and of 3111 flips in a
# Parquet blob 50 gave other samples without an error though its pages carry checksums (its footer has none)
LAYOUT = sqlite.Layout(
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
_SELECT = """
    SELECT CAST(run_id AS BLOB), CAST(started AS BLOB), CAST(run AS BLOB), CAST(result AS BLOB), crc32 FROM runs
"""

_OFFERED = 10  # newest runs that an error offers


@contextmanager
def writing(path: Path) -> "Iterator[Database]":
    """Open the history's file for one transaction that is kept on leaving without an error; creates it if need be."""
    with sqlite.writing(path, LAYOUT) as connection:
        yield Database(connection, path)


@contextmanager
def reading(path: Path) -> "Iterator[Database]":
    """Open it as of one moment, for reading; the pages of the runs are looked through."""
    with sqlite.reading(path, LAYOUT) as connection:
        database = Database(connection, path)
        database.check_pages("quick_check(runs)")  # 2 ms for 1000 runs
        yield database


class Database:
    """A history's rows within one transaction. Methods raise CorruptEntryError where a row is damaged."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection, self._path = connection, path

    def check_pages(self, pragma: str) -> None:
        """Look for damage that checksums of rows cannot show: a flipped bit in a page's header drops whole rows."""
        found = self._connection.execute(f"PRAGMA {pragma}").fetchone()[0]
        if found != "ok":
            raise CorruptEntryError(f"{self._path} is damaged ({found.splitlines()[-1]}): {sqlite.RESCUE}")

    def insert(self, run: Values, samples: Values) -> None:
        """Put in a run's two rows. Raises StorageError where it is stored already."""
        try:
            self._connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)", run)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
                raise
            raise StorageError(f"run {run[0]} is stored in {self._path} already: append each run once") from error
        self._connection.execute("INSERT INTO samples VALUES (?, ?, ?)", samples)

    def delete(self, run_id: str) -> None:
        """Take out a run's two rows."""
        for table in ("samples", "runs"):
            self._connection.execute(f"DELETE FROM {table} WHERE run_id = ?", (run_id,))  # noqa: S608 of our own names

    def amend(self, run_id: str, columns: Mapping[str, Any]) -> None:
        """Replace columns of a run's result. Raises UnknownNameError where there is no such run."""
        self.check_known(run_id)
        row = self._connection.execute(f"{_SELECT} WHERE run_id = ?", (run_id,)).fetchone()
        run, result = map(json.loads, self._whole(row))
        *_, amended, crc = _rows.run_values(run, result | columns)
        self._connection.execute("UPDATE runs SET result = ?, crc32 = ? WHERE run_id = ?", (amended, crc, run_id))

    def complete(self, samples: Values) -> None:
        """Replace a run's row of samples."""
        run_id, data, crc = samples
        self._connection.execute("UPDATE samples SET data = ?, crc32 = ? WHERE run_id = ?", (data, crc, run_id))

    def run_ids(self) -> list[str]:
        """Return the runs in order of start."""
        rows = self._connection.execute("SELECT CAST(run_id AS BLOB) FROM runs ORDER BY started, run_id")
        return [_rows.text(row[0]) for row in rows]

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each run with its result, in order of start."""
        for row in self._connection.execute(f"{_SELECT} ORDER BY started, run_id"):
            run, result = self._whole(row)
            yield {**json.loads(result), **json.loads(run)}

    def check_runs(self) -> None:
        """Take the checksum of each run."""
        for row in self._connection.execute(_SELECT):
            self._whole(row)

    def samples(self, run_id: str) -> bytes:
        """Return what `_samples_blob.encode` made of them; nothing for a run that was imported without."""
        row = self._connection.execute("SELECT data, crc32 FROM samples WHERE run_id = ?", (run_id,)).fetchone()
        if row is None or not _rows.is_whole((run_id.encode(), row[0]), row[1]):
            raise self._damaged(run_id.encode())
        return bytes(row[0])

    def check_known(self, run_id: str) -> None:
        """Raise UnknownNameError where there is no such run."""
        known = self.run_ids()
        if run_id not in known:
            raise UnknownNameError("run", run_id, known[-_OFFERED:])

    def _whole(self, row: Sequence[Any]) -> tuple[bytes, bytes]:
        *parts, crc = row
        run_id, _, run, result = parts
        if not _rows.is_whole(parts, crc):
            raise self._damaged(run_id or b"")
        return run, result

    def _damaged(self, run_id: bytes) -> CorruptEntryError:
        return CorruptEntryError(
            f"run {paths.printable(_rows.text(run_id))} in {self._path} is damaged: restore the file, or delete this "
            f'run by sqlite3 {shlex.quote(str(self._path.absolute()))} "{_rows.deletion(run_id)}"'
        )
