import errno
import json
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest

from tests.history._frames import frames
from tpukit import schema
from tpukit.errors import ConfigError, CorruptEntryError, StorageError
from tpukit.history import History, _history
from tpukit.schema import SAMPLES, Table

FORMATS = [".csv", ".jsonl", ".parquet"]
HISTORY = _history._BOTH


@pytest.fixture
def stored(history: History) -> History:
    """Two runs; one has texts that a format could confuse with its own signs, and an infinite number."""
    odd = frames("odd", rows=300)
    runs = odd.runs.assign(inputs='a, "quoted"\nline', governor="", os="NA")
    history.append(runs.astype(odd.runs.dtypes.to_dict()), odd.samples, odd.results.assign(speedup=float("inf")))
    history.append(*frames("2026", rows=200))
    return history


@pytest.fixture
def small_files() -> Callable[[int], AbstractContextManager[None]]:
    """Return a context in which no file of this process may grow beyond a size: the system's own refusal."""

    @contextmanager
    def limit(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limit


def _read_csv(path: Path, table: Table) -> pd.DataFrame:
    texts = {column.name: pa.string() for column in table.columns if column.dtype in ("str", "category")}
    read = pa.csv.read_csv(
        path,
        parse_options=pa.csv.ParseOptions(newlines_in_values=True),
        convert_options=pa.csv.ConvertOptions(
            column_types=texts, strings_can_be_null=True, quoted_strings_can_be_null=False
        ),
    )
    return _typed({name: read[name].to_pylist() for name in read.column_names}, table)


def _read_jsonl(path: Path, table: Table) -> pd.DataFrame:
    rows = [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]
    assert all(list(row) == table.names for row in rows)
    return _typed({name: [row[name] for row in rows] for name in table.names}, table)


def _typed(columns: dict[str, list[object]], table: Table) -> pd.DataFrame:
    return schema.frame({name: pd.Series(values, dtype="object") for name, values in columns.items()}, table)


def _read(path: Path, table: Table) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return schema.check(pd.read_parquet(path), table)  # as declared, with no help
    return {".csv": _read_csv, ".jsonl": _read_jsonl}[path.suffix](path, table)


def _same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    words = dict.fromkeys(expected.select_dtypes("category"), "str")
    pd.testing.assert_frame_equal(found.astype(words), expected.astype(words), check_exact=True)


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_reads_back_as_the_runs(stored: History, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"runs{suffix}"
    assert stored.export(out) == 2
    _same(_read(out, HISTORY), stored.to_frame())


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_reads_back_as_the_samples_of_all_runs(stored: History, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"samples{suffix}"
    assert stored.export(str(out), samples=True) == 500
    expected = pd.concat([stored.samples("2026"), stored.samples("odd")], ignore_index=True)
    _same(_read(out, SAMPLES), expected.astype({"run_id": "category", "error": "category"}))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("samples", [False, True])
def test_an_empty_history_exports_its_columns(history: History, tmp_path: Path, suffix: str, samples: bool) -> None:
    out = tmp_path / f"none{suffix}"
    assert history.export(out, samples=samples) == 0
    if suffix == ".jsonl":
        assert out.read_text() == ""
    else:
        assert list(_read(out, SAMPLES if samples else HISTORY).columns) == (SAMPLES if samples else HISTORY).names
    assert not history.path.exists()


def test_stamps_in_json_are_iso_8601_in_utc(stored: History, tmp_path: Path) -> None:
    stored.export(tmp_path / "runs.jsonl")
    first = json.loads((tmp_path / "runs.jsonl").read_text().splitlines()[0])
    assert first["started"] == "2026-11-23T10:00:00.123456+00:00"
    assert first["governor"] is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_export_replaces_the_file_and_is_private(
    stored: History, tmp_path: Path, process_umask: None, suffix: str
) -> None:
    out = tmp_path / f"runs{suffix}"
    out.write_text("old")
    stored.export(out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert len(_read(out, HISTORY)) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"home", out.name}


@pytest.mark.parametrize("name", ["runs", "runs.xlsx", "runs.CSV.gz", ".csv"])
def test_another_suffix_is_refused_with_those_that_are_known(stored: History, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"name a file that ends in \.csv, \.jsonl, \.parquet"):
        stored.export(tmp_path / name)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("place", ["absent", "a-file"])
def test_a_folder_that_cannot_be_written_is_named(stored: History, tmp_path: Path, place: str, suffix: str) -> None:
    (tmp_path / "a-file").write_text("")
    out = tmp_path / place / f"runs{suffix}"
    with pytest.raises(StorageError, match=f"cannot write .*{place}/runs{suffix}: (No such file|Not a)") as caught:
        stored.export(out)
    assert "\n" not in str(caught.value)


@pytest.mark.fault
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_leaves_the_old_file_and_no_part(
    stored: History,
    tmp_path: Path,
    suffix: str,
    small_files: Callable[[int], AbstractContextManager[None]],
) -> None:
    out = tmp_path / f"samples{suffix}"
    out.write_text("old")
    stored.append(*frames("large", rows=5000))
    with small_files(40_000), pytest.raises(StorageError, match=f"cannot write .*: {os.strerror(errno.EFBIG)}"):
        stored.export(out, samples=True)
    assert out.read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"home", out.name}


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_damaged_run_is_named_and_nothing_is_written(
    stored: History, tmp_path: Path, suffix: str, damage_samples: Callable[[History, str], None]
) -> None:
    damage_samples(stored, "odd")
    with pytest.raises(CorruptEntryError, match=r"run odd in .* is damaged"):
        stored.export(tmp_path / f"samples{suffix}", samples=True)
    assert {path.name for path in tmp_path.iterdir()} == {"home"}


def test_an_interrupted_export_leaves_no_part(stored: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        stored.export(tmp_path / "runs.csv")
    assert {path.name for path in tmp_path.iterdir()} == {"home"}
