"""The least time of a model on each hardware, none of which is measured here."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.inference import _models
from tpukit import paths, schema
from tpukit.inference import (
    Model,
    Peaks,
    _peaks,
    inspect_model,
    least_times,
    limit,
    stated_peaks,
    with_compiler_log,
    work,
)
from tpukit.inference._peaks import kept_peaks

MEASURED = datetime(2026, 1, 2, tzinfo=UTC)


def test_what_runs_such_models_has_its_least_time_and_what_sets_it(tmp_path: Path) -> None:
    info = inspect_model("mobilenet_v1_025_int8")
    table = schema.check(least_times(info, home=tmp_path), schema.LEAST_TIMES).set_index("hardware")
    bound = limit(work(info), stated_peaks("edgetpu usb2"))
    assert table.loc["Edge TPU, USB 2", "least_s"] == bound.seconds
    assert table.loc["Edge TPU, USB 2", "limit"] == bound.text
    assert table.loc["Edge TPU, USB 2", "least_s"] > table.loc["Edge TPU, USB 3", "least_s"]
    assert table.index[0] == "this processor"
    assert set(table.index) == {"this processor", "Edge TPU, USB 3", "Edge TPU, USB 2", "Edge TPU, PCIe"}


def test_the_processor_is_not_measured_and_counts_where_its_peaks_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(*given: object, **options: object) -> None:
        raise AssertionError("inspection must not measure")

    monkeypatch.setattr(_peaks, "_measured", measured)
    info = inspect_model("ds_cnn_int8")
    first = least_times(info, home=tmp_path).iloc[0]
    assert first["limit"] == "none: its peaks are measured by the first run of bench"
    assert kept_peaks(tmp_path) is None
    peaks = [Peaks(ops_per_s={"int8": rate}, bytes_per_s={1: 1e10}, source=f"{rate:g}") for rate in (1e9, 2e9)]
    machine = _peaks._machine()
    for threads, each in enumerate(peaks, start=1):
        kept = _peaks._Kept(machine=machine, threads=threads, measured=MEASURED, busy=False, peaks=each)
        _peaks._keep(tmp_path / "peaks.json", kept)
    found = kept_peaks(tmp_path)
    assert found is not None
    assert found.source == "2 threads (measured 2026-01-02)"
    assert least_times(info, home=tmp_path)["least_s"][0] == pytest.approx(2 * info.macs / 2e9)


def test_what_an_edge_tpu_does_not_run_whole_has_no_least_time_there(tmp_path: Path) -> None:
    floats = least_times(inspect_model("ds_cnn_float32"), home=tmp_path).set_index("hardware")
    assert floats.loc["Edge TPU, PCIe", "limit"] == "none: 0 of 12 operators are predicted to run on it"
    assert floats["least_s"].isna()["Edge TPU, PCIe"]
    compiled = inspect_model(Model(name="m", content=_models.custom_op(), sha256=""))
    assert set(least_times(compiled, home=tmp_path)["limit"][1:4]) == {"none: what was compiled cannot be counted"}


def test_a_users_own_accelerator_is_listed(tmp_path: Path) -> None:
    bundled = paths.bundled("datasets/accelerators.csv").read_text().splitlines()
    (tmp_path / "accelerators.csv").write_text(f"{bundled[0]}\nMine,my chip,int8,1e12,1e9,0,,by hand\n")
    table = least_times(inspect_model("ds_cnn_int8"), home=tmp_path)
    assert table["hardware"][1] == "Mine"


def test_hardware_that_shares_a_kind_keeps_its_own_peaks(tmp_path: Path) -> None:
    head = paths.bundled("datasets/accelerators.csv").read_text().splitlines()[0]
    (tmp_path / "accelerators.csv").write_text(f"{head}\nMine,edgetpu usb3,int8,1e3,1e3,0,,by hand\n")
    table = least_times(inspect_model("ds_cnn_int8"), home=tmp_path).set_index("hardware")
    assert table.loc["Mine", "least_s"] > 1000
    assert table.loc["Edge TPU, USB 3", "least_s"] < 0.001
    assert "Edge TPU, USB 3 (as" in table.loc["Edge TPU, USB 3", "limit"]


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        ("Total number of operations: 10\n", True),
        ("Total number of operations: 10\nNumber of operations that will run on Edge TPU: 9\n", False),
        ("Compilation failed! \n", False),
    ],
)
def test_a_compilers_log_has_the_last_word(said: str, whole: bool, tmp_path: Path) -> None:
    (tmp_path / "c.log").write_text(f"Edge TPU Compiler version 16.0\nInput model: autoencoder_int8.tflite\n{said}")
    info = with_compiler_log(inspect_model("autoencoder_int8"), tmp_path / "c.log")
    limits = least_times(info, home=tmp_path)["limit"][1:4]
    assert all(limit.startswith("memory: ") for limit in limits) is whole
    assert whole or set(limits) == {"none: its compiler left operators to the processor"}
