"""Another machine's runs: back as they were, or refused in one line."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.history._frames import Frames, frames, measured
from tpukit.errors import ConfigError, SchemaError, StorageError
from tpukit.history import History, Merged

RUN = b'{"run_id": "a", "started": "2026-01-02T03:04:05Z", "model": "m", %s}\n'
FORMATS = pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])


@pytest.fixture
def theirs(tmp_path: Path) -> History:
    """Another machine's history: one run has texts that a format could confuse with its own signs."""
    history = History(tmp_path / "theirs" / "history.db")
    odd = frames("odd", rows=30)
    runs = odd.runs.assign(inputs='a, "quoted"\nline', governor="", os="NA", seed=2**60 + 1)
    history.append(runs.astype(odd.runs.dtypes.to_dict()), odd.samples, odd.results.assign(speedup=float("inf")))
    history.append(*frames("2026", rows=20))
    return history


@pytest.fixture
def exported(theirs: History, tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Return a function that exports runs and samples in a format."""

    def export(suffix: str) -> tuple[Path, Path]:
        runs, samples = tmp_path / f"runs{suffix}", tmp_path / f"samples{suffix}"
        theirs.export(runs)
        theirs.export(samples, samples=True)
        return runs, samples

    return export


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)


@FORMATS
def test_runs_and_samples_come_back_as_they_were(
    history: History, theirs: History, exported: Callable[[str], tuple[Path, Path]], suffix: str
) -> None:
    runs, samples = exported(suffix)
    assert history.merge(runs, samples=samples) == Merged(new=2, known=0, completed=0)
    same(history.to_frame(), theirs.to_frame())
    for run_id in ("odd", "2026"):
        same(history.samples(run_id), theirs.samples(run_id))


@FORMATS
def test_what_was_imported_is_known_the_second_time_and_exports_alike(
    history: History, exported: Callable[[str], tuple[Path, Path]], suffix: str, tmp_path: Path
) -> None:
    runs, samples = exported(suffix)
    history.append(*frames("mine"))
    for new, known in ((2, 0), (0, 2)):
        assert history.merge(str(runs), samples=str(samples)) == Merged(new=new, known=known, completed=0)
    history.export(tmp_path / f"again{suffix}")
    back = History(tmp_path / "third.db")
    assert back.merge(tmp_path / f"again{suffix}").new == 3
    same(back.to_frame(), history.to_frame())


@FORMATS
def test_runs_may_come_without_their_samples_and_get_them_later(
    history: History, theirs: History, exported: Callable[[str], tuple[Path, Path]], suffix: str, tmp_path: Path
) -> None:
    runs, samples = exported(suffix)
    history.append(*frames("mine"))
    assert history.merge(runs).new == 2
    with pytest.raises(StorageError, match=r"^run odd was imported without its samples: import it again together"):
        history.samples("odd")
    history.check()
    assert history.export(tmp_path / "all.csv", samples=True) == len(history.samples("mine"))
    assert history.merge(runs, samples=samples) == Merged(new=0, known=2, completed=2)
    same(history.samples("odd"), theirs.samples("odd"))
    history.check()


def test_a_run_that_had_no_query_lacks_no_samples(history: History, tmp_path: Path) -> None:
    theirs = History(tmp_path / "theirs.db")
    theirs.append(*frames("none", rows=0))
    theirs.export(tmp_path / "runs.csv")
    history.merge(tmp_path / "runs.csv")
    assert history.samples("none").empty


def test_a_known_run_with_other_values_is_refused_with_all_others(history: History, tmp_path: Path) -> None:
    history.append(*measured("a", value=0.001))
    theirs = History(tmp_path / "theirs.db")
    theirs.append(*measured("a", value=0.002, cpu="two"))
    theirs.append(*measured("b"))
    theirs.export(tmp_path / "runs.csv")
    with pytest.raises(StorageError, match=r"^run a of .*runs\.csv is stored here with another cpu: leave it"):
        history.merge(tmp_path / "runs.csv")
    assert list(history.to_frame()["run_id"]) == ["a"]


@FORMATS
def test_columns_of_a_newer_version_are_refused_by_name(
    history: History, exported: Callable[[str], tuple[Path, Path]], suffix: str
) -> None:
    runs, _ = exported(suffix)
    change(runs, lambda df: df.assign(humidity=0.5, mood="good"))
    with pytest.raises(SchemaError, match=r"does not know, humidity, mood: a newer one wrote it; upgrade tpukit"):
        history.merge(runs)
    assert not history.path.exists()


@FORMATS
def test_columns_that_an_older_version_did_not_have_are_missing(
    history: History, theirs: History, exported: Callable[[str], tuple[Path, Path]], suffix: str
) -> None:
    runs, _ = exported(suffix)
    change(runs, lambda df: df.drop(columns=["seed", "governor", "p99_s"]))
    assert history.merge(runs).new == 2
    found = history.to_frame()
    assert found[["seed", "governor", "p99_s"]].isna().all(axis=None)
    same(found["started"].to_frame(), theirs.to_frame()["started"].to_frame())


def change(path: Path, by: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Write a file anew, as somebody with pandas would."""
    if path.suffix == ".parquet":
        by(pd.read_parquet(path)).to_parquet(path)
    elif path.suffix == ".csv":
        by(pd.read_csv(path, dtype="object", keep_default_na=False)).to_csv(path, index=False)
    else:
        rows = by(pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()], dtype="object"))
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows.to_dict("records")))


@pytest.mark.parametrize(
    ("name", "content", "error", "says"),
    [
        ("r.xlsx", b"", ConfigError, "name a file that ends in .csv, .jsonl, .parquet"),
        ("r.csv", b"", SchemaError, "r.csv is not what its name says, or is damaged: Empty CSV file"),
        ("r.csv", b"a,b\n1,2\n", ConfigError, "r.csv is no export of runs, it has no such columns"),
        ("r.csv", b"run_id,humidity\n1,2\n", ConfigError, "is no export of runs"),
        ("r.csv", b"run_id,started\na,b,c\n", SchemaError, "Expected 2 columns, got 3"),
        ("r.csv", b"run_id,started,n\na,2026-01-02T03:04:05Z,2.5\n", SchemaError, "invalid value '2.5'"),
        ("r.csv", b"run_id,started\na,yesterday\n", SchemaError, "invalid value 'yesterday'"),
        ("r.csv", b"run_id,started,model\na,,m\n", SchemaError, "a run in RUNS has no started: a"),
        ("r.csv", b"run_id,run_id,model\na,b,m\n", SchemaError, "two columns run_id"),
        ("r.csv", b"run_id,model\n\xff\xfe,m\n", SchemaError, "is not what its name says"),
        ("r.parquet", b"PAR1 or so", SchemaError, "r.parquet is not what its name says"),
        ("r.jsonl", b'{"run_id": "a"}\n{"run_id": \n', SchemaError, "line 2 is no JSON"),
        ("r.jsonl", b"[1]\n", SchemaError, "line 1 is no JSON object"),
        ("r.jsonl", b"\xff\n", SchemaError, "is not what its name says"),
        ("r.jsonl", b'{"run_id": "a", "model": 5, "started": "2026-01-02"}\n', SchemaError, "column model of RUNS"),
        ("r.jsonl", b"[" * 200_000, SchemaError, "r.jsonl is not what its name says, or is damaged: maximum recursion"),
        ("r.jsonl", RUN % b'"started": 5', SchemaError, "column started holds a number: expected a stamp such as"),
        ("r.jsonl", RUN % b'"started": true', SchemaError, "column started holds a number"),
        ("r.jsonl", RUN % b'"started": "0970-01-02"', SchemaError, "started is '0970-01-02"),
        ("r.jsonl", RUN % b'"started": "99999-01-02"', SchemaError, "r.jsonl cannot be imported: column started"),
        ("r.jsonl", RUN % b'"seed": 99999999999999999999', SchemaError, "r.jsonl cannot be imported: "),
        ("r.jsonl", RUN % b'"run_id": "a\\u0000b"', SchemaError, "run_id is 'a?b', expected text that can be printed"),
        ("r.jsonl", RUN % b'"run_id": "a\\u001b[31m"', SchemaError, "run_id is 'a?[31m', expected text"),
        ("r.jsonl", RUN % b'"run_id": ""', SchemaError, "run_id is '', expected text"),
        ("r.jsonl", RUN % b'"metric": "joy_s"', SchemaError, "metric is 'joy_s', expected one of p50_s, p90_s"),
        ("r.jsonl", RUN % b'"versions": "2.1"', SchemaError, "versions is '2.1', expected a JSON object of texts"),
        ("r.jsonl", RUN % b'"versions": "{\\"a\\": 1}"', SchemaError, "expected a JSON object of texts"),
        ("r.jsonl", RUN % b'"versions": "[not JSON"', SchemaError, "expected a JSON object of texts"),
    ],
)
def test_what_is_no_export_is_one_line(
    history: History, tmp_path: Path, name: str, content: bytes, error: type[Exception], says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error) as caught:
        history.merge(path)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not history.path.exists()


def test_a_run_with_none_of_these_faults_is_taken(history: History, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(RUN % b'"metric": "percentile_s", "versions": "{\\"numpy\\": \\"2.1\\"}", "seed": 1')
    assert history.merge(path).new == 1


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (pa.ArrowNotImplementedError("no such type"), "no such type"),
        (pa.ArrowException("odd"), "odd"),
        (OverflowError("too large"), "too large"),
        (OSError("Couldn't deserialize thrift: TProtocolException\n"), "Couldn't deserialize thrift"),
    ],
)
def test_whatever_a_library_says_of_damage_is_one_line(
    history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    def fail(file: object) -> object:
        raise error

    (tmp_path / "r.parquet").write_bytes(b"")
    monkeypatch.setattr(pq, "ParquetFile", fail)
    with pytest.raises(SchemaError, match=f"r.parquet is not what its name says, or is damaged: {says}") as caught:
        history.merge(tmp_path / "r.parquet")
    assert "\n" not in str(caught.value)


@pytest.mark.fault
@FORMATS
def test_a_flipped_bit_is_one_line_or_another_run(
    history: History, exported: Callable[[str], tuple[Path, Path]], suffix: str
) -> None:
    """Fifty damaged files of each format: nothing but the errors that are promised."""
    runs, _ = exported(suffix)
    whole, rng, said = runs.read_bytes(), np.random.default_rng(1), []
    for place in rng.integers(0, len(whole), 50):
        runs.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << int(rng.integers(8))]) + whole[place + 1 :])
        history.path.unlink(missing_ok=True)
        try:
            history.merge(runs)
            history.to_frame()
        except (ConfigError, SchemaError, StorageError) as error:
            said.append(str(error))
    assert len(said) >= 5
    assert not [line for line in said if "\n" in line]


def test_a_file_that_is_not_there_is_named(history: History, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^cannot read .*none\.csv: No such file or directory$"):
        history.merge(tmp_path / "none.csv")


def test_samples_in_the_place_of_runs_are_told_apart(
    history: History, exported: Callable[[str], tuple[Path, Path]]
) -> None:
    runs, samples = exported(".csv")
    with pytest.raises(ConfigError, match="holds samples: give it as samples beside the export of the runs"):
        history.merge(samples)
    with pytest.raises(ConfigError, match="is no export of samples"):
        history.merge(runs, samples=runs)


def test_samples_of_other_runs_are_refused(history: History, tmp_path: Path) -> None:
    theirs = History(tmp_path / "theirs.db")
    theirs.append(*frames("a"))
    theirs.export(tmp_path / "runs.csv")
    theirs.append(*frames("b"))
    theirs.export(tmp_path / "samples.csv", samples=True)
    with pytest.raises(SchemaError, match="SAMPLES has rows of runs that RUNS lacks: b"):
        history.merge(tmp_path / "runs.csv", samples=tmp_path / "samples.csv")


def rescue(folder: Path, run: Frames) -> Path:
    """Put a run aside as a sweep does where history cannot take it."""
    folder.mkdir()
    for name, table in zip(("run.parquet", "samples.parquet", "result.parquet"), run, strict=True):
        table.to_parquet(folder / name)
    return folder


def test_a_run_put_aside_comes_back_whole(history: History, tmp_path: Path) -> None:
    run = frames("aside", rows=50)
    folder = rescue(tmp_path / "tpukit-x", run)
    assert history.merge(folder) == Merged(new=1, known=0, completed=0)
    same(history.samples("aside"), run.samples)
    assert history.merge(folder).known == 1


def test_a_folder_of_something_else_is_refused(history: History, tmp_path: Path) -> None:
    folder = rescue(tmp_path / "tpukit-x", frames("aside"))
    with pytest.raises(ConfigError, match=r"brings its own samples: leave s\.csv out$"):
        history.merge(folder, samples="s.csv")
    (folder / "result.parquet").unlink()
    with pytest.raises(ConfigError, match=r"tpukit-x holds no result\.parquet: name an export, or a folder that bench"):
        history.merge(folder)


class Trap:
    """What unpickling runs."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (os.environ["TRAP"],)


@FORMATS
def test_nothing_is_unpickled(history: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setenv("TRAP", str(tmp_path / "sprung"))
    path = tmp_path / f"runs{suffix}"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises((ConfigError, SchemaError)):
        history.merge(path)
    assert not (tmp_path / "sprung").exists()
