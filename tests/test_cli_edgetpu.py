"""The Edge TPU on the command line: libedgetpu by its production name, found by the system's linker."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.inference import _edgetpu_tree as tree
from tpukit.cli import run
from tpukit.history import History
from tpukit.inference import edge_tpus

Tpukit = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tpukit(libedgetpu: Path, child_environment: dict[str, str], private_home: Path, tmp_path: Path) -> Tpukit:
    """Return a function that runs tpukit where the stand-in is installed, and does what it is told."""

    def call(*arguments: str, **told: object) -> subprocess.CompletedProcess[str]:
        what = {f"FAKE_EDGETPU_{name.upper()}": str(value) for name, value in told.items()}
        where = {"LD_LIBRARY_PATH": str(libedgetpu.parent), "TPUKIT_HOME": str(private_home)}
        return _run([sys.executable, "-m", "tpukit", *arguments], child_environment | where | what, tmp_path)

    return call


def _run(command: Sequence[str], environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=100, env=environment, cwd=folder
    )


@pytest.fixture
def compiled(model_file: Callable[..., Path]) -> str:
    model_file("quantised", name="x")
    return str(model_file("compiled", name="x_edgetpu"))


def test_a_latency_asked_for_is_the_one_reported(tpukit: Tpukit, compiled: str) -> None:
    """2000 us asked of the stand-in; a busy machine may add to the median, but not to every query."""
    done = tpukit("bench", compiled, "--device", "edgetpu", "--duration", "0.3", "--json", latency_us=2000)
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = json.loads(done.stdout)["results"]
    assert row["device"] == "edgetpu"
    assert 0.002 <= row["min_s"] < 0.0022
    assert row["p50_s"] >= 0.002
    assert row["baseline"] == "reference, 1 thread, of x"
    assert row["limit"].startswith("memory: 8 B at 500 MB/s, Edge TPU")


def test_a_device_taken_away_ends_with_1_and_the_run_is_in_the_history(
    tpukit: Tpukit, compiled: str, private_home: Path
) -> None:
    given = (
        "bench",
        compiled,
        "--device",
        "edgetpu",
        "--duration",
        "0.2",
        "--min-queries",
        "3000",
        "--baseline",
        "none",
    )
    done = tpukit(*given, "--json", latency_us=200, gone_after=1500)
    assert done.returncode == 1
    (row,) = json.loads(done.stdout)["results"]
    assert row["verdict"] == "INVALID"
    assert "the Edge TPU stopped answering" in row["reasons"]
    assert row["n"] > 900
    kept = History(private_home / "history.db")
    assert kept.to_frame()["run_id"].tolist() == [row["run_id"]]
    assert (kept.samples(row["run_id"])["status"] == "ok").sum() == row["n"]


def test_a_failed_delegate_is_one_line_and_exit_2(tpukit: Tpukit, compiled: str) -> None:
    """LiteRT's own noise of it, several lines of a traceback, must not reach the user."""
    done = tpukit("bench", compiled, "--device", "edgetpu:usb:0", "--baseline", "none", create="no memory")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line == "tpukit: x_edgetpu on edgetpu:usb:0: libedgetpu opens no Edge TPU: no memory"


def test_without_the_library_it_is_one_line_and_exit_2(
    child_environment: dict[str, str], private_home: Path, compiled: str, tmp_path: Path
) -> None:
    device = "edgetpu,library=/nowhere/libedgetpu.so.1"
    command = [sys.executable, "-m", "tpukit", "bench", compiled, "--device", device, "--baseline", "none"]
    done = _run(command, child_environment | {"TPUKIT_HOME": str(private_home)}, tmp_path)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "is not installed, or not where libraries are searched" in line


def test_devices_finds_it_by_its_name(tpukit: Tpukit) -> None:
    done = tpukit("devices", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = [row for row in json.loads(done.stdout)["devices"] if row["device"] == "edgetpu"]
    assert (row["usable"], row["reason"]) == (True, None)
    assert "libedgetpu runtime 14, build 12345" in row["runtime"]


def test_devices_shows_what_is_plugged_in_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.usb(tmp_path, "2-1", speed="480")
    tree.pci(tmp_path, 0)
    monkeypatch.setattr("tpukit.inference.edge_tpus", lambda: edge_tpus(tmp_path))
    assert run(["devices"]) == 0
    _, _, plugged = capsys.readouterr().out.partition("Edge TPUs that are plugged in:\n")
    heading, usb, pci = plugged.splitlines()
    assert heading.split()[:2] == ["kind", "path"]
    assert "USB 2 port" in usb
    assert "0.48" in usb
    assert "/dev/apex_0" in pci
    assert "48.05" in pci
    assert run(["devices", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["edge_tpus"]
    assert [row["path"] for row in told] == ["/sys/bus/usb/devices/2-1", "/dev/apex_0"]


def test_devices_says_nothing_of_edge_tpus_where_none_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tpukit.inference.edge_tpus", lambda: edge_tpus(Path("/nowhere")))
    assert run(["devices"]) == 0
    assert "plugged in:" not in capsys.readouterr().out
