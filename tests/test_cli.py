"""The command line: what it prints, what it keeps, and how it ends."""

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpukit import History, schema
from tpukit.cli import run
from tpukit.workloads import bundled_models

pytestmark = pytest.mark.usefixtures("private_home")


def bench(*arguments: str) -> int:
    return run(["bench", "--duration", "0.02", "--min-queries", "64", *arguments])


def one_line(text: str) -> str:
    """Return the only line of `text`."""
    (line,) = text.splitlines()
    return line


def test_bench_measures_stores_and_prints_what_it_stored(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("digits_cnn_int8", "autoencoder_int8", "-s", "single_stream", "-s", "offline", "--json") == 0
    printed = json.loads(capsys.readouterr().out)["results"]
    stored = History().to_frame().set_index("run_id")
    assert [(row["model"], row["scenario"]) for row in printed] == [
        (model, scenario)
        for model in ("digits_cnn_int8", "autoencoder_int8")
        for scenario in ("single_stream", "offline")
    ]
    for row in printed:
        kept = stored.loc[row["run_id"]]
        assert (kept["n"], kept["throughput_per_s"]) == (row["n"], pytest.approx(row["throughput_per_s"]))
        assert row["verdict"] == "VALID"
        assert row["speedup"] > 0
        assert row["baseline"].startswith("reference")
    assert (stored["device"] == "reference").sum() == 2


def test_a_faster_device_has_a_speedup_above_one_in_both_scenarios(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("resnet8_int8", "-s", "single_stream", "-s", "offline", "--json") == 0
    assert all(row["speedup"] > 1 for row in json.loads(capsys.readouterr().out)["results"])


def test_bench_prints_a_table_that_names_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("digits_cnn_int8", "autoencoder_int8", "--baseline", "none") == 0
    out = capsys.readouterr().out
    assert "digits_cnn_int8" in out
    assert "autoencoder_int8" in out
    assert "device cpu" in out
    assert "of 540" in out


def test_nothing_but_the_result_reaches_a_pipe(private_home: Path) -> None:
    """LiteRT greets on file descriptor 2, and a progress bar has no place in a pipe."""
    command = [sys.executable, "-m", "tpukit", "bench", "autoencoder_int8", "--duration", "0.02", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert json.loads(done.stdout)["results"][0]["model"] == "autoencoder_int8"
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bench", "digits_cnn_in8"], "did you mean digits_cnn_int8"),
        (["bench", "missing.tflite"], "cannot read model missing.tflite: No such file"),
        (["bench", "digits_cnn_int8", "--device", "cpv"], "did you mean cpu?"),
        (["bench", "digits_cnn_int8", "--scenario", "single-stream"], "did you mean single_stream"),
        (["bench", "digits_cnn_int8", "--duration", "0"], "duration is 0.0 s: expected a number of s above 0"),
        (["bench", "digits_cnn_int8", "--duration", "-1"], "duration is -1.0 s"),
        (["bench", "digits_cnn_int8", "--duration", "nan"], "duration is nan s"),
        (["bench", "digits_cnn_int8", "--duration", "soon"], "Invalid value for '--duration'"),
        (["bench", "digits_cnn_int8", "--batch", "0"], "batch is 0: expected a whole number from 1"),
        (["bench", "digits_cnn_int8", "--threads", "0"], "threads is 0"),
        (["bench", "digits_cnn_int8", "--data", "missing.npz"], "cannot read data missing.npz: No such file"),
        (["bench", "digits_cnn_int8", "--durtion", "1"], "--duration"),
        (["bench", "digits_cnn_int8", "--threads", "2147483648"], "expected a whole number from 1 to 1024"),
        (["bench", "digits_cnn_int8", "--batch", "2147483648"], "expected a whole number from 1 to 65536"),
        (["bench", "digits_cnn_int8", "--seed", "99999999999999999999"], "seed is 99999999999999999999"),
        (["bench", "digits_cnn_int8", "--duration", "1e308"], "duration is 1e+308 s"),
        (["history", "list", "--history", "missing.db"], "history missing.db does not exist"),
        (["history", "list", "--history", "h" * 300], "hhh: File name too long; name a file that bench or report has"),
        (["inspect", "m" * 300 + ".tflite"], "mmm.tflite: File name too long"),
        (["inspect", "~nobody-of-that-name/m.tflite"], "names a user who has no home here; write the whole path"),
        (["history", "export", "x.csv", "--history", "missing.db"], "history missing.db does not exist"),
        (["inspect", "nothing_like_it"], "choose one of autoencoder_int8"),
        (["history", "export", "runs.xlsx"], ".csv"),
        (["history", "export", "missing/folder/runs.csv"], "cannot write missing/folder/runs.csv"),
        (["suite", "--only", "inferense"], "did you mean inference?"),
        (["no-such-command"], "no-such-command"),
    ],
)
def test_bad_usage_is_one_line_and_exit_2(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert says in one_line(said.err)
    assert said.out == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"not a model at all", "is not a TFLite file"),
        (b"\x20\x00\x00\x00TFL3" + bytes(40), "is damaged or truncated"),
    ],
)
def test_a_file_that_is_no_model_is_one_line_and_exit_2(
    content: bytes, says: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    for command in (["inspect", str(path)], ["bench", str(path)]):
        assert run(command) == 2
        assert says in one_line(capsys.readouterr().err)


def test_a_truncated_model_among_good_ones_costs_only_itself(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "half.tflite"
    whole = bundled_models()["autoencoder_int8"].path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert bench(str(path), "autoencoder_int8", "--json") == 2
    said = capsys.readouterr()
    bad, good = json.loads(said.out)["results"]
    assert (bad["verdict"], bad["run_id"], good["verdict"]) == ("INVALID", None, "VALID")
    assert "half" in one_line(said.err)
    assert good["run_id"] in set(History().to_frame()["run_id"])


def test_a_batch_that_the_model_cannot_take_is_a_row_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("vww_int8", "--batch", "8", "--json") == 2
    said = capsys.readouterr()
    (row,) = json.loads(said.out)["results"]
    assert row["verdict"] == "INVALID"
    assert "batch of 8" in row["reasons"]
    assert "batch of 8" in one_line(said.err)


def test_a_batch_that_it_can_take_counts_samples(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("resnet8_int8", "--batch", "8", "--baseline", "none", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["results"]
    assert row["throughput_per_s"] == pytest.approx(8 * row["n"] / row["steady_s"])


def test_data_of_a_wrong_type_is_refused_with_the_right_one_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=np.zeros((4, 8, 8, 1)), y=np.zeros(4, dtype=np.int64))
    assert bench("digits_cnn_int8", "--data", str(path)) == 2
    assert "data d is float64, the model takes int8 (or float32" in capsys.readouterr().err


def test_a_history_that_is_not_ours_is_refused_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "other.db"
    path.write_bytes(b"something else entirely, long enough to be read as a header" * 4)
    before = path.read_bytes()
    assert bench("digits_cnn_int8", "--history", str(path)) == 2
    said = capsys.readouterr()
    assert "is not a tpukit history" in one_line(said.err)
    assert said.out == ""
    assert path.read_bytes() == before


def test_a_damaged_run_is_found_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], private_home: Path
) -> None:
    assert bench("digits_cnn_int8", "--baseline", "none") == 0
    with closing(sqlite3.connect(private_home / "history.db")) as connection, connection:
        connection.execute("UPDATE runs SET result = '{}'")
    capsys.readouterr()
    for arguments in (["bench", "digits_cnn_int8"], ["history", "list"]):
        assert run(arguments) == 2
        said = capsys.readouterr()
        assert "is damaged: restore the file, or delete this run by sqlite3 " in one_line(said.err)
        assert said.out == ""


def test_history_list_and_export_tell_the_same_runs(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert bench("digits_cnn_int8", "--baseline", "none") == 0
    capsys.readouterr()
    assert run(["history", "list", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert run(["history", "export", str(tmp_path / "r.jsonl")]) == 0
    (exported,) = map(json.loads, (tmp_path / "r.jsonl").read_text().splitlines())
    assert listed["run_id"] == exported["run_id"]
    assert run(["history", "export", str(tmp_path / "s.csv"), "--samples", "--json"]) == 0
    assert len((tmp_path / "s.csv").read_text().splitlines()) - 1 == exported["n"]


def test_an_empty_history_is_no_error(capsys: pytest.CaptureFixture[str], private_home: Path) -> None:
    assert run(["history", "list"]) == 0
    assert capsys.readouterr().out.strip() == "no runs"
    assert not (private_home / "history.db").exists()


def test_devices_names_the_cpu_and_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["devices", "--json"]) == 0
    usable = {row["device"]: row["usable"] for row in json.loads(capsys.readouterr().out)["devices"]}
    assert usable["cpu"] is True
    assert usable["reference"] is True


def test_without_a_command_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    said = capsys.readouterr()
    assert "bench" in said.out + said.err
    assert run(["--help"]) == 0


@pytest.mark.fault
@pytest.mark.usefixtures("sigint_not_ignored")
def test_ctrl_c_keeps_the_run_in_progress_and_ends_with_1(private_home: Path) -> None:
    """A real process is interrupted in the middle of an hour."""
    code, out, err = bench_for_an_hour_until(signal.SIGINT, "--json")
    assert code == 1
    (row,) = json.loads(out)["results"]
    assert row["verdict"] == "INVALID"
    assert "cut short" in row["reasons"]
    assert "Traceback" not in err
    stored = History(private_home / "history.db")
    (run_id,) = stored.to_frame()["run_id"]
    assert run_id == row["run_id"]
    assert len(stored.samples(run_id)) == row["n"] > 0


@pytest.mark.fault
@pytest.mark.parametrize("ctrl_c", [signal.default_int_handler, signal.SIG_IGN], ids=["foreground", "background"])
def test_a_request_to_terminate_keeps_the_run_in_progress(
    ctrl_c: Any, private_home: Path, sigint_not_ignored: None
) -> None:
    """What `timeout` and CI send is treated as a Ctrl-C, also in a background job, which ignores Ctrl-C itself."""
    signal.signal(signal.SIGINT, ctrl_c)
    code, _, err = bench_for_an_hour_until(signal.SIGTERM)
    assert (code, err) == (1, "tpukit: stopped; what was measured is in the history\n")
    (verdict,) = History(private_home / "history.db").to_frame()["verdict"]
    assert verdict == "INVALID"


def test_the_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"{version('tpukit')}\n"


def bench_for_an_hour_until(sent: signal.Signals, *options: str) -> tuple[int, str, str]:
    """Return exit code, output and errors of a real process that is sent a signal in the middle of its run."""
    command = [sys.executable, "-m", "tpukit", "bench", "digits_cnn_int8", "--duration", "3600", "--baseline", "none"]
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_until_busy(process)
        process.send_signal(sent)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, out, err


def wait_until_busy(process: "subprocess.Popen[str]") -> None:
    """Wait, without a clock, until the process has burnt enough CPU to be in its steady state."""
    ticks = os.sysconf("SC_CLK_TCK")
    while process.poll() is None:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        if (int(fields[11]) + int(fields[12])) / ticks > 6:
            return


def test_labels_that_the_model_does_not_have_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=np.zeros((4, 8, 8, 1), dtype=np.float32), y=np.full(4, 10))
    assert bench("digits_cnn_int8", "--data", str(path)) == 2
    assert "labels run from 10 to 10, the model's from 0 to 9" in capsys.readouterr().err


def test_a_pipe_in_the_place_of_a_model_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.tflite")
    assert run(["inspect", str(tmp_path / "m.tflite")]) == 2
    assert "is no regular file" in one_line(capsys.readouterr().err)


def test_a_name_that_is_no_text_is_shown_and_stored(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad\udcff\n.tflite"
    path.write_bytes(bundled_models()["digits_cnn_int8"].path.read_bytes())
    assert bench(str(path), "--baseline", "none") == 0
    assert History().to_frame()["model"].tolist() == ["bad??"]


def test_typers_answer_to_ctrl_c_becomes_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tpukit.cli.app", lambda **options: 130)
    assert run(["devices"]) == 1
    assert "in the history" in one_line(capsys.readouterr().err)


def test_a_home_of_a_user_who_has_none_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TPUKIT_HOME", "~nobody-of-that-name")
    assert run(["history", "list"]) == 2
    assert "TPUKIT_HOME is ~nobody-of-that-name: " in one_line(capsys.readouterr().err)


def test_lab_in_a_home_that_cannot_be_written_is_one_line(
    private_home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    (private_home / "lab" / "overrides.json").mkdir(parents=True)
    assert run(["lab"]) == 2
    assert one_line(capsys.readouterr().err).endswith(
        "overrides.json: Is a directory; free it, or set TPUKIT_HOME elsewhere"
    )


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "cannot write the output: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/a/b"), "cannot use /a/b: Permission denied"),
    ],
)
def test_only_an_error_of_the_output_is_called_one(
    error: OSError, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**options: object) -> None:
        raise error

    monkeypatch.setattr("tpukit.cli.app", fail)
    assert run(["devices"]) == 2
    assert one_line(capsys.readouterr().err) == f"tpukit: {says}"


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    """As `| head -1`: the pipe has no reader before the first line is written."""
    for arguments in (["devices"], ["devices", "--json"], ["inspect", "digits_cnn_int8"]):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-m", "tpukit", *arguments]
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=100)
        os.close(writer)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_under_the_output_is_one_line_and_exit_2() -> None:
    command = [sys.executable, "-m", "tpukit", "devices"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=100)
    assert done.returncode == 2
    assert one_line(done.stderr).startswith("tpukit: cannot write the output: ")


def test_devices_says_yes_and_leaves_out_a_column_without_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"device": "cpu", "usable": True, "about": "it"}
    monkeypatch.setattr("tpukit.inference.devices", lambda: schema.frame([row], schema.DEVICES))
    assert run(["devices"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["device", "usable", "about"]
    assert [row.split() for row in rows] == [["cpu", "yes", "it"]]


def test_a_closed_standard_error_leaves_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert run(["inspect", "nothing_like_it"]) == 2
    assert run([]) == 2
    assert run(["no-such-command"]) == 2
