"""The command line's sweeps: the frontier of several settings, and the search for the highest rate."""

import json
from pathlib import Path

import pytest

from tpukit import History
from tpukit.cli import run

QUICK = ["--duration", "0.02", "--min-queries", "64"]
SEARCH = ["bench", "--find-peak", "--tolerance", "1", "--duration", "0.3", "--latency-bound", "0.1"]


def test_bench_says_what_several_settings_serve(capsys: pytest.CaptureFixture[str]) -> None:
    batches = ["--batch", "1", "--batch", "64", "--baseline", "none"]
    assert run(["bench", "digits_cnn_int8", *QUICK, *batches, "-s", "single_stream", "-s", "offline"]) == 0
    _, below = capsys.readouterr().out.split("throughput against p99: ")
    heading, columns, *rows = below.splitlines()
    assert heading.startswith("model digits_cnn_int8, device cpu, scenario single_stream, threads 1, runs 1")
    assert "offline samples/s " in heading
    assert columns.split() == ["batch", "samples/s", "p99", "ms", "frontier"]
    assert [row.split()[0] for row in rows] == ["1", "64"]
    assert any(row.split()[-1] == "yes" for row in rows)


def test_one_setting_of_each_model_has_no_frontier_for_people_and_one_for_programs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = ["digits_cnn_int8", "autoencoder_int8", "--baseline", "none"]
    assert run(["bench", *models, *QUICK]) == 0
    assert "throughput against p99" not in capsys.readouterr().out
    assert run(["bench", *models, *QUICK, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(row["model"], row["on_frontier"]) for row in told["frontier"]] == [
        ("digits_cnn_int8", True),
        ("autoencoder_int8", True),
    ]
    for point, row in zip(told["frontier"], told["results"], strict=True):
        assert (point["p99_s"], point["throughput_per_s"]) == (row["p99_s"], row["throughput_per_s"])


def test_a_search_prints_what_it_found_and_stores_its_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    assert run([*SEARCH, "digits_cnn_int8", "--history", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (peak,) = told["peaks"]
    assert peak["rate_hz"] < peak["too_high_hz"] <= 2 * peak["rate_hz"]
    assert peak["capacity_hz"] == pytest.approx(told["baselines"][0]["throughput_per_s"])
    assert len(History(path).to_frame()) == peak["runs"] == 1 + len(told["results"])


def test_a_rate_that_cannot_be_held_ends_with_1_and_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SEARCH[:-1], "1e-9", "digits_cnn_int8"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert out.startswith("highest rate of server, in queries: device cpu, threads 1, batch 1, ")
    assert "is VALID: the bound is too short for the device" in out


def test_a_model_that_cannot_be_loaded_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*SEARCH, "vww_int8", "--batch", "8"]) == 2
    assert "batch of 8" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--find-peak", "--baseline", "none"], "--baseline does not go with --find-peak"),
        (["--find-peak", "--cross-check"], "--cross-check does not go with --find-peak"),
        (["--find-peak", "--rate", "5"], "--rate does not go with --find-peak"),
        (["--find-peak", "--repeat", "2"], "--repeat does not go with --find-peak"),
        (["--find-peak", "--samples-per-query", "8"], "--samples-per-query does not go with --find-peak"),
        (["--find-peak", "-s", "offline"], "scenario does not go with --find-peak"),
        (["--find-peak", "--tolerance", "2"], "tolerance is 2.0: expected a share from 0.001 to 1"),
        (["--tolerance", "0.1"], "--tolerance does not go without --find-peak"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "digits_cnn_int8", *options]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert says in line
    assert said.out == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["-s", "server"], "server needs --rate, "),
        (["--rate", "200"], "--rate does not go with single_stream"),
        (["--repeat", "999999999"], "--repeat is 999999999: expected a whole number from 1 to 1000"),
        (["--name", "latest"], "name is 'latest', which names other runs already"),
    ],
)
def test_a_message_names_the_option_that_was_typed(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "digits_cnn_int8", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line
