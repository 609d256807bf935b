"""Runs that are here already: what identifies them, and what they may still get."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.history._frames import Frames, frames, measured
from tpukit.errors import StorageError
from tpukit.history import History, Merged, _samples_blob

ENERGY = {"energy_j": 3.5, "energy_source": "meter: log.csv", "idle_power_w": 1.0, "net_energy_j": 2.5}


def export(history: History, folder: Path) -> tuple[Path, Path]:
    runs, samples = folder / "runs.jsonl", folder / "samples.parquet"
    history.export(runs)
    history.export(samples, samples=True)
    return runs, samples


def energy(history: History) -> dict[str, object]:
    (row,) = history.to_frame()[list(ENERGY)].to_dict("records")
    return {str(name): value for name, value in row.items()}


@pytest.fixture
def theirs(tmp_path: Path) -> History:
    return History(tmp_path / "theirs.db")


def test_a_run_that_got_its_energy_since_is_known_and_keeps_it(history: History, tmp_path: Path) -> None:
    history.append(*frames("a"))
    runs, samples = export(history, tmp_path)
    history.amend("a", ENERGY)
    assert history.merge(runs, samples=samples) == Merged(new=0, known=1, completed=0)
    assert energy(history) == ENERGY


def test_a_run_without_energy_takes_all_that_the_file_says_of_it(
    history: History, theirs: History, tmp_path: Path
) -> None:
    history.append(*frames("a"))
    history.amend("a", {"energy_source": "none: no sensor"})
    theirs.append(*frames("a"))
    theirs.amend("a", ENERGY)
    runs, _ = export(theirs, tmp_path)
    assert history.merge(runs) == Merged(new=0, known=1, completed=1)
    assert energy(history) == ENERGY
    assert history.merge(runs).completed == 0


def test_energy_that_is_here_is_not_replaced(history: History, theirs: History, tmp_path: Path) -> None:
    other = {"energy_j": 9.0, "energy_source": "RAPL"}
    for each, columns in ((history, other), (theirs, ENERGY)):
        each.append(*frames("a"))
        each.amend("a", columns)
    history.merge(export(theirs, tmp_path)[0])
    assert (energy(history)["energy_j"], energy(history)["energy_source"]) == (9.0, "RAPL")
    assert pd.isna(energy(history)["net_energy_j"])


def test_what_an_older_version_did_not_keep_makes_no_other_run(
    history: History, theirs: History, tmp_path: Path
) -> None:
    history.append(*measured("a"))
    theirs.append(*measured("a", governor=None, host=None))
    assert history.merge(export(theirs, tmp_path)[0]).known == 1


def test_a_run_of_the_same_name_with_other_queries_is_refused(
    history: History, theirs: History, tmp_path: Path
) -> None:
    history.append(*frames("a"))
    run = frames("a")
    shifted = run.samples.assign(end_s=run.samples["end_s"] + 1e-6, latency_s=run.samples["latency_s"] + 1e-6)
    theirs.append(*Frames(run.runs, shifted, run.results))
    runs, samples = export(theirs, tmp_path)
    with pytest.raises(StorageError, match=r"^run a of .* is stored here with another samples: leave it out"):
        history.merge(runs, samples=samples)
    assert history.merge(runs).known == 1
    assert not np.isclose(history.samples("a")["latency_s"].iloc[0], shifted["latency_s"].iloc[0], atol=1e-8)


def test_the_same_queries_written_by_another_library_are_the_same(
    history: History, theirs: History, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.append(*frames("a", rows=50))
    theirs.append(*frames("a", rows=50))
    runs, samples = export(theirs, tmp_path)
    before = len(history.samples("a"))
    write = _samples_blob.pq.write_table
    monkeypatch.setattr(
        _samples_blob.pq, "write_table", lambda *given, **options: write(*given, **options | {"compression": "none"})
    )
    assert history.merge(runs, samples=samples) == Merged(new=0, known=1, completed=0)
    assert len(history.samples("a")) == before
