import json
import sqlite3
import stat
import tempfile
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.history._frames import Frames, frames, together
from tpukit import paths, schema, sqlite
from tpukit.errors import CorruptEntryError, SchemaError, StorageError, UnknownNameError
from tpukit.history import History, _database
from tpukit.history import _rows as stored_rows
from tpukit.schema import RESULTS, RUNS, SAMPLES, Column, Table

_OTHERS = [name for name in RESULTS.names if name not in RUNS.names]
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_VALUES = {
    "str": st.none() | _TEXT,
    "Int64": st.none() | st.integers(-(2**63), 2**63 - 1),
    "float64": st.none() | st.floats(),
    "datetime64[us, UTC]": st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
}


def _rows(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({column.name: _VALUES[column.dtype] for column in table.columns})


def _table(table: Table, rows: list[dict[str, Any]]) -> pd.DataFrame:
    # as objects: pandas would make floats of integers beside a None
    return schema.frame({name: pd.Series([row[name] for row in rows], dtype="object") for name in table.names}, table)


def _same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_categorical=False)


def test_a_history_without_a_file_is_empty_and_reading_creates_none(history: History) -> None:
    df = history.to_frame()
    assert list(df.columns) == RUNS.names + _OTHERS
    assert df.empty
    dtypes = {column.name: column.dtype for table in (RESULTS, RUNS) for column in table.columns}
    assert df.dtypes.astype(str).to_dict() == dtypes
    with pytest.raises(UnknownNameError, match="unknown run 'a'"):
        history.samples("a")
    assert not history.path.parent.exists()


def test_the_default_file_lies_in_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TPUKIT_HOME", str(tmp_path / "state"))
    assert History().path == paths.home() / "history.db" == tmp_path / "state" / "history.db"
    assert list(tmp_path.iterdir()) == []


def test_a_run_comes_back_as_it_went_in(history: History) -> None:
    run = frames("2026-a", rows=1000)
    history.append(*run)
    df = history.to_frame()
    _same(df[RUNS.names], run.runs)
    _same(df[_OTHERS], run.results[_OTHERS])
    _same(history.samples("2026-a"), run.samples)
    schema.check(history.samples("2026-a"), SAMPLES)


@settings(max_examples=30)
@given(st.lists(st.tuples(_rows(RUNS), _rows(RESULTS)), min_size=1, max_size=3))
def test_any_values_come_back(rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    runs = _table(RUNS, [run | {"run_id": f"{i}"} for i, (run, _) in enumerate(rows)])
    results = _table(RESULTS, [result | {"run_id": f"{i}"} for i, (_, result) in enumerate(rows)])
    with tempfile.TemporaryDirectory() as folder:
        history = History(Path(folder) / "history.db")
        history.append(runs, schema.frame([], SAMPLES), results.iloc[::-1])
        found = history.to_frame().sort_values("run_id", ignore_index=True)
        with closing(sqlite3.connect(history.path)) as connection:
            stored = connection.execute("SELECT run, result FROM runs").fetchall()
    _same(found[RUNS.names], runs)
    _same(found[_OTHERS], results[_OTHERS])
    for text in (text for row in stored for text in row):
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_runs_are_ordered_by_their_start(history: History) -> None:
    starts = {"c": "2026-01-03", "a": "2026-01-02T00:00:00.000001", "b": "2026-01-02"}
    for run_id, started in starts.items():
        run = frames(run_id)
        runs = run.runs.assign(started=pd.Series([started]).astype(run.runs["started"].dtype))
        history.append(runs, run.samples, run.results)
    assert list(history.to_frame()["run_id"]) == ["b", "a", "c"]


def test_several_runs_keep_their_own_samples_in_order(history: History) -> None:
    runs = [frames(name, rows) for name, rows in (("b", 7), ("a", 3), ("c", 0))]
    several = together(*runs)
    mixed = several.samples.sort_values("start_s", kind="stable", ignore_index=True)
    history.append(several.runs, mixed, several.results)
    for run in runs:
        _same(history.samples(run.runs["run_id"].item()).astype(str), run.samples.astype(str))


def test_a_stored_run_is_refused_with_everything_beside_it(history: History) -> None:
    history.append(*frames("a", rows=3))
    with pytest.raises(StorageError, match=r"run a is stored in .* already"):
        history.append(*together(frames("new"), frames("a")))
    assert list(history.to_frame()["run_id"]) == ["a"]
    assert len(history.samples("a")) == 3


def test_an_error_between_run_and_samples_leaves_neither(history: History) -> None:
    history.check()
    with sqlite3.connect(history.path) as connection:
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON samples BEGIN SELECT RAISE(ABORT, 'no samples'); END")
    connection.close()
    with pytest.raises(StorageError, match="no samples"):
        history.append(*frames("a"))
    assert history.to_frame().empty


@pytest.mark.parametrize(
    ("broken", "trouble"),
    [
        (lambda f: (f.runs.drop(columns="cpu"), f.samples, f.results), "RUNS table needs the columns cpu"),
        (lambda f: (f.runs, f.samples.drop(columns="error"), f.results), "SAMPLES table needs the columns error"),
        (lambda f: (f.runs, f.samples, f.results.astype({"n": "float64"})), "column n of a RESULTS table"),
        (
            lambda f: (pd.concat([f.runs, f.runs]), f.samples, pd.concat([f.results] * 2)),
            "RUNS has two rows of one run: a",
        ),
        (
            lambda f: (f.runs.assign(run_id=pd.Series([None], dtype="str")), f.samples, f.results),
            "run_id in RUNS is missing",
        ),
        (lambda f: (f.runs.assign(started=f.runs["started"].where([False])), f.samples, f.results), "no started: a"),
        (lambda f: (f.runs, f.samples, f.results.iloc[:0]), "RESULTS has no row of a run: a"),
        (lambda f: (f.runs, f.samples, pd.concat([f.results] * 2)), "RESULTS has 2 rows for 1 runs"),
        (lambda f: (f.runs, f.samples, pd.concat([f.results, frames("x").results])), "RESULTS has 2 rows for 1 runs"),
        (lambda f: (f.runs, frames("x").samples, f.results), "SAMPLES has rows of runs that RUNS lacks: x"),
    ],
)
def test_tables_that_do_not_fit_are_refused_by_name(history: History, broken: Any, trouble: str) -> None:
    with pytest.raises(SchemaError, match=trouble):
        history.append(*broken(frames("a")))
    assert not history.path.exists()


def test_samples_without_a_run_id_are_refused(history: History) -> None:
    run = frames("a")
    nameless = run.samples.assign(run_id=pd.Categorical.from_codes([0, 0, -1, 0, 0], ["a"]))
    with pytest.raises(SchemaError, match="RUNS lacks: nan"):
        history.append(run.runs, nameless, run.results)


def test_a_category_that_no_row_uses_is_no_stranger(history: History) -> None:
    run = frames("a")
    samples = run.samples.assign(run_id=run.samples["run_id"].cat.add_categories(["unused"]))
    history.append(run.runs, samples, run.results)
    assert len(history.samples("a")) == 5


def test_an_unknown_run_is_told_apart_with_an_offer(history: History) -> None:
    history.append(*frames("20261123T100000-aa"))
    with pytest.raises(UnknownNameError, match="unknown run '20261123T100000-ab': did you mean 20261123T100000-aa"):
        history.samples("20261123T100000-ab")


def test_runs_of_an_older_version_lack_a_column(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    older = replace(RUNS, columns=tuple(column for column in RUNS.columns if column.name not in ("seed", "governor")))
    run = frames("old")
    with monkeypatch.context() as patch:
        patch.setattr(stored_rows, "RUNS", older)
        history.append(run.runs[older.names], run.samples, run.results)
    history.append(*frames("young"))
    df = history.to_frame().set_index("run_id")
    assert df["seed"].isna().to_dict() == {"old": True, "young": False}
    assert df.loc["young", "seed"] == 2**60 + 1
    assert df["seed"].dtype == "Int64"


def test_columns_of_a_younger_version_are_passed_over(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    younger = replace(RUNS, columns=(*RUNS.columns, Column(name="humidity", dtype="float64", doc="of the room")))
    run = frames("young")
    with monkeypatch.context() as patch:
        patch.setattr(stored_rows, "RUNS", younger)
        history.append(run.runs.assign(humidity=0.5), run.samples, run.results)
    _same(history.to_frame()[RUNS.names], run.runs)


def test_files_are_private_whatever_the_umask(history: History, process_umask: None) -> None:
    with sqlite.writing(history.path, _database.LAYOUT) as connection:
        connection.execute("DELETE FROM runs")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in history.path.parent.iterdir()}
    assert modes == {"history.db": 0o600, "history.db-shm": 0o600, "history.db-wal": 0o600}
    assert stat.S_IMODE(history.path.parent.stat().st_mode) == 0o700


def test_check_leaves_no_run_and_can_be_repeated(history: History) -> None:
    history.check()
    history.append(*frames("a"))
    history.check()
    assert list(history.to_frame()["run_id"]) == ["a"]


@pytest.mark.parametrize("table", ["runs", "samples"])
def test_check_finds_a_table_that_takes_no_rows(history: History, table: str) -> None:
    history.check()
    connection = sqlite3.connect(history.path)
    connection.execute(f"CREATE TRIGGER no BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'none taken'); END")
    connection.close()
    with pytest.raises(StorageError, match="none taken"):
        history.check()


@pytest.mark.parametrize("table", ["runs", "samples"])
def test_a_damaged_value_names_the_run(history: History, table: str) -> None:
    history.append(*together(frames("good"), frames("bad")))
    connection = sqlite3.connect(history.path)
    change = {"runs": "result = replace(result, '0.3000', '0.2000')", "samples": "data = CAST(substr(data, 2) AS BLOB)"}
    assert connection.execute(f"UPDATE {table} SET {change[table]} WHERE run_id = 'bad'").rowcount == 1
    connection.commit()
    connection.close()
    with pytest.raises(CorruptEntryError, match=r"run bad in .* is damaged"):
        history.to_frame() if table == "runs" else history.samples("bad")
    assert len(history.samples("good")) == 5


def test_a_run_whose_samples_vanished_is_damaged(history: History) -> None:
    history.append(*frames("a"))
    connection = sqlite3.connect(history.path)
    connection.execute("DELETE FROM samples")
    connection.commit()
    connection.close()
    with pytest.raises(CorruptEntryError, match=r"run a in .* is damaged"):
        history.samples("a")


def test_the_path_may_hold_any_character(tmp_path: Path) -> None:
    history = History(str(tmp_path / "a ?mode=memory#%41 é" / "h.db"))
    history.append(*frames("a"))
    assert history.path.is_file()
    assert len(History(history.path).to_frame()) == 1
    assert repr(history) == f"History({str(history.path)!r})"


def test_frames_hold_what_these_tests_stand_on() -> None:
    run: Frames = frames("a", rows=4)
    assert run.samples["end_s"].isna().sum() == 1
    assert run.samples["error"].notna().sum() == 1
    assert run.results["n"].item() == 4
