"""`History`: the runs on disk."""

from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from tpukit import paths
from tpukit.errors import StorageError
from tpukit.history import _comparison, _database, _export, _import, _lookup, _merge, _records, _rows, _samples_blob
from tpukit.history._merge import Merged
from tpukit.schema import RESULTS, RUNS, SAMPLES, Table

_BOTH = Table(
    name="HISTORY",
    row="one run with its result",
    columns=(*RUNS.columns, *(column for column in RESULTS.columns if column.name not in RUNS.names)),
)

_TRIAL = "trial of History.check"


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
        with _database.writing(self._path) as database:
            for run, data in stored:
                database.insert(run, data)

    def amend(self, run_id: str, columns: Mapping[str, Any]) -> None:
        """Replace columns of a stored run's RESULTS; the others stay as they are.

        For what becomes known after a run, such as the energy in a meter's log. Once this returns the change is as
        durable as the run. Raises UnknownNameError where there is no such run, and SchemaError for a column that
        RESULTS lacks or that says what the run was, which RUNS has too.
        """
        new = _rows.amendment(columns)
        with _database.writing(self._path) as database:
            database.amend(run_id, new)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per run in order of start: the columns of RUNS, then those of RESULTS that RUNS lacks.

        A column that a run was stored without is missing there.
        """
        with _database.reading(self._path) as database:
            return _records.from_records(database.records(), _BOTH)

    def samples(self, run_id: str) -> pd.DataFrame:
        """Return the SAMPLES of a run.

        Raises UnknownNameError where there is no such run, and StorageError where it was imported without its samples.
        """
        with _database.reading(self._path) as database:
            database.check_known(run_id)
            data = database.samples(run_id)
        if not data:
            raise StorageError(f"run {run_id} was imported without its samples: import it again together with them")
        return _samples_blob.decode(data, run_id)

    def check(self) -> None:
        """Raise now what `append` and `to_frame` would raise after an hour of measuring.

        That is StorageError, or CorruptEntryError which names the damaged run and how to be rid of it. The whole file
        is looked through (0.05 s for 200 MB) and the checksum of each run is taken (3 ms for 1000), though not those of
        its samples; then a trial run is written and deleted in one transaction.
        """
        with _database.writing(self._path) as database:
            database.check_pages("quick_check")
            database.check_runs()
            database.insert((_TRIAL, "", None, None, "", "", 0), (_TRIAL, b"", 0))
            database.delete(_TRIAL)

    def export(self, out: Path | str, *, samples: bool = False) -> int:
        """Write `to_frame()`, or with `samples` every run's queries, and return the number of rows.

        The suffix names the format: .csv, .jsonl or .parquet. The file appears whole or not at all, readable by its
        owner alone. The queries of a run that was imported without them are left out. Raises ConfigError on another
        suffix, StorageError where the file cannot be written.
        """
        out = Path(out)
        write = _export.writer(out)
        with paths.replacing(out) as file:
            if not samples:
                return write(file, [self.to_frame()], _BOTH)
            with closing(self._all_samples()) as frames:
                return write(file, frames, SAMPLES)

    def merge(self, path: Path | str, *, samples: Path | str | None = None) -> Merged:
        """Take the runs that another history exported, and with the export of its samples those too; all or none.

        `path` is what `export` wrote, or the folder that a sweep left where history could not take its last run, which
        has its samples in it. Runs that are here already stay as they are, except that they get the samples and the
        energy that they lack. Columns that an older version did not have are missing.

        Raises StorageError where a run that is here was another in the file, by its RUNS or its samples, or a file
        cannot be read, ConfigError for a file that is no export, and SchemaError for one that a newer tpukit wrote,
        that is damaged, or that holds what no run has.
        """
        path = Path(path)
        imported = _import.read(path, None if samples is None else Path(samples), _BOTH)
        given = _rows.imported(imported.runs, imported.samples, imported.results)
        with _database.writing(self._path) as database:
            return _merge.merge(database, given, path)

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

        Both are what `find` takes. The unit is the run. Runs measured in turn (base, new, new, base, …), each side
        first in every other pair and no more than 10 minutes between the two, are compared in pairs, by the signed-rank
        test, from 6 pairs on; others as two sets, by the Mann-Whitney test. A cell is *same* where the whole interval
        (of `level`) of the ratio lies within `margin` to either side of 1. Else it is *slower* or *faster* where the
        ratio lies beyond the margin and its interval beyond 1; for sets measured apart beyond the margin or 2 %,
        whichever is more, because the machine itself changes by so much in between. The p values of several cells are
        corrected (Holm 1979), so that a comparison of which no cell changed calls one different in 1 - level of cases
        at most. Where neither holds it is *cannot tell*, with what would do.

        Only VALID runs count; but where all runs of one side are over their latency bound and none of the other is,
        they are slower. A cell is the same model, device, settings, data and processor, and in server the same seed;
        versions, revision, host, governor and run length may differ, and are told. A cell that one side lacks is a row
        without a ratio.

        Raises IncomparableRunsError, which names the fields that differ, where no cell is common to both, what `find`
        raises, and ConfigError for a run that is on both sides, a margin below 0 or a level outside (0, 1).
        """
        limits = _comparison.limits(margin=margin, level=level)
        return _comparison.compare(_comparison.sides(base, new, self.to_frame()), limits)

    def _all_samples(self) -> Generator[pd.DataFrame]:
        with _database.reading(self._path) as database:
            for run_id in database.run_ids():
                if data := database.samples(run_id):
                    yield _samples_blob.decode(data, run_id)
