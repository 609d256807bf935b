"""`History`: the runs on disk."""

import json
import shlex
import sqlite3
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from tpukit import paths, sqlite
from tpukit.errors import ConfigError, CorruptEntryError, StorageError, UnknownNameError
from tpukit.history import _comparison, _export, _import, _lookup, _records, _rows, _samples_blob
from tpukit.history._rows import Values
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What an import did: runs that are new here, runs that were known, and those of them that got their samples."""

    new: int
    known: int
    completed: int


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
        stored = _rows.stored(runs, samples, results)  # before the file is locked: others wait for the writing alone
        with sqlite.writing(self._path, _LAYOUT) as connection:
            for run, data in stored:
                self._insert(connection, run, data)

    def amend(self, run_id: str, columns: Mapping[str, Any]) -> None:
        """Replace columns of a stored run's RESULTS; the others stay as they are.

        For what becomes known after a run, such as the energy in a meter's log. Once this returns the change is as
        durable as the run. Raises UnknownNameError where there is no such run, and SchemaError for a column that
        RESULTS lacks or that says what the run was, which RUNS has too.
        """
        new = _rows.amendment(columns)
        with sqlite.writing(self._path, _LAYOUT) as connection:
            known = _run_ids(connection)
            if run_id not in known:
                raise UnknownNameError("run", run_id, known[-_OFFERED:])
            row = connection.execute(_SELECT_RUN, (run_id,)).fetchone()
            run, result = map(json.loads, self._whole(row))
            *_, amended, crc = _rows.run_values(run, result | new)
            connection.execute("UPDATE runs SET result = ?, crc32 = ? WHERE run_id = ?", (amended, crc, run_id))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per run in order of start: the columns of RUNS, then those of RESULTS that RUNS lacks.

        A column that a run was stored without is missing there.
        """
        with self._reading() as connection:
            return _records.from_records((self._record(row) for row in connection.execute(_SELECT_RUNS)), _BOTH)

    def samples(self, run_id: str) -> pd.DataFrame:
        """Return the SAMPLES of a run.

        Raises UnknownNameError where there is no such run, and StorageError where it was imported without its samples.
        """
        with self._reading() as connection:
            known = _run_ids(connection)
            if run_id not in known:
                raise UnknownNameError("run", run_id, known[-_OFFERED:])
            data = self._samples(connection, run_id)
        if not data:
            raise StorageError(f"run {run_id} was imported without its samples: import it again together with them")
        return _samples_blob.decode(data, run_id)

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
        owner alone. The queries of a run that was imported without them are left out. Raises ConfigError on another
        suffix, StorageError where the file cannot be written.
        """
        out = Path(out)
        write = _export.writer(out)
        with _export.replacing(out) as file:
            if not samples:
                return write(file, [self.to_frame()], _BOTH)
            with closing(self._all_samples()) as frames:
                return write(file, frames, SAMPLES)

    def merge(self, path: Path | str, *, samples: Path | str | None = None) -> Merged:
        """Take the runs that another history exported, and with the export of its samples those too; all or none.

        `path` is what `export` wrote, or the folder that a sweep left where history could not take its last run, which
        has its samples in it. Runs that are here already stay as they are, except that they get the samples that they
        lack. Columns that an older version did not have are missing.

        Raises StorageError where a run that is here has other values in the file or a file cannot be read, ConfigError
        for a file that is no export, and SchemaError for one that a newer tpukit wrote or that is damaged.
        """
        imported = _import.read(Path(path), None if samples is None else Path(samples), _BOTH)
        given = _rows.imported(imported.runs, imported.samples, imported.results)
        with sqlite.writing(self._path, _LAYOUT) as connection:
            here = {record["run_id"]: record for record in map(self._record, connection.execute(_SELECT_RUNS))}
            new = [row for row in given if row[0][0] not in here]
            for run, data in new:
                self._insert(connection, run, data)
            known = [row for row in given if row[0][0] in here]
            for run, _ in known:
                self._check_same(run, here[run[0]], path)
            completed = [data for _, data in known if data[1] and not self._samples(connection, data[0])]
            connection.executemany(
                "UPDATE samples SET data = ?, crc32 = ? WHERE run_id = ?",
                [(data, crc, run_id) for run_id, data, crc in completed],
            )
        return Merged(new=len(new), known=len(known), completed=len(completed))

    def find(self, reference: str) -> list[str]:
        """Return the ids of the runs that `reference` means, in order of start.

        Tried in this order: a run's id; `latest` or `latest~N`, the newest run or the Nth before it; a name, which
        means all runs of that name; a model's name, which means its newest run, or, where that has a name, all of this
        model's runs of that name; the beginning of one run's id, at least 8 characters.

        Raises UnknownNameError where it means none, and ConfigError where it is the beginning of several.
        """
        return _lookup.find(reference, self.to_frame())

    def compare(self, base: str, new: str, *, margin: float = 0.02, level: float = 0.95) -> pd.DataFrame:
        """Return COMPARISON: for each cell that both sets of runs have, whether it became slower or faster.

        Both are what `find` takes. The unit is the run. Runs measured in turn (base, new, base, new, …) are compared in
        pairs, by the signed-rank test, from 6 pairs on; others as two sets, by the Mann-Whitney test. A cell is *same*
        where the whole interval (of `level`) of the ratio lies within `margin` to either side of 1. Else it is *slower*
        or *faster* where the ratio lies beyond the margin and its interval beyond 1, for sets measured apart beyond the
        margin too, because the machine itself changes by that much in between. Where neither holds it is *cannot tell*,
        with what would do.

        Only VALID runs count. A cell is the same model, device, settings, data and machine; versions, revision,
        governor and run length may differ, and are told. A cell that one side lacks is a row without a ratio.

        Raises IncomparableRunsError, which names the fields that differ, where no cell is common to both, what `find`
        raises, and ConfigError for a run that is on both sides, a margin below 0 or a level outside (0, 1).
        """
        if not margin >= 0:
            raise ConfigError(f"margin is {margin}: expected a share from 0 up, such as 0.02")
        if not 0 < level < 1:
            raise ConfigError(f"level is {level}: expected a share between 0 and 1, such as 0.95")
        runs = self.to_frame()
        sides = [runs[runs["run_id"].isin(_lookup.find(reference, runs))] for reference in (base, new)]
        if twice := sorted(set(sides[0]["run_id"]) & set(sides[1]["run_id"])):
            raise ConfigError(f"{base} and {new} are both run {twice[0]}: name runs that are on one side only")
        return _comparison.compare(
            _comparison.Sides(base_name=base, new_name=new, base=sides[0], new=sides[1]), margin=margin, level=level
        )

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

    def _check_same(self, run: Values, here: Mapping[str, Any], path: Path | str) -> None:
        given = {**json.loads(run[5]), **json.loads(run[4])}
        if other := [name for name in _BOTH.names if given.get(name) != here.get(name)]:
            raise StorageError(
                f"run {run[0]} of {path} is stored in {self._path} with another {', '.join(other)}: leave it "
                "out of the file"
            )

    def _record(self, row: Values) -> dict[str, Any]:
        run, result = self._whole(row)
        return {**json.loads(result), **json.loads(run)}

    def _whole(self, row: Values) -> tuple[bytes, bytes]:
        *parts, crc = row
        run_id, _, run, result = parts
        if not _rows.is_whole(parts, crc):
            raise self._damaged(run_id or b"")
        return run, result

    def _samples(self, connection: sqlite3.Connection, run_id: str) -> bytes:
        """Return what `_samples_blob.encode` made of them; nothing for a run that was imported without."""
        row = connection.execute("SELECT data, crc32 FROM samples WHERE run_id = ?", (run_id,)).fetchone()
        if row is None or not _rows.is_whole((run_id.encode(), row[0]), row[1]):
            raise self._damaged(run_id.encode())
        return bytes(row[0])

    def _all_samples(self) -> Generator[pd.DataFrame]:
        with self._reading() as connection:
            for run_id in _run_ids(connection):
                if data := self._samples(connection, run_id):
                    yield _samples_blob.decode(data, run_id)

    def _damaged(self, run_id: bytes) -> CorruptEntryError:
        return CorruptEntryError(
            f"run {paths.printable(_rows.text(run_id))} in {self._path} is damaged: restore the file, or delete this "
            f'run by sqlite3 {shlex.quote(str(self._path.absolute()))} "{_rows.deletion(run_id)}"'
        )


def _run_ids(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute("SELECT CAST(run_id AS BLOB) FROM runs ORDER BY started, run_id")
    return [_rows.text(row[0]) for row in rows]
