"""`bench --cross-check`: both harnesses in one table, and one line where LoadGen is missing."""

import json
import sys

import pytest

from tpukit import History
from tpukit.cli import run

pytestmark = pytest.mark.usefixtures("private_home")
BENCH = ["bench", "digits_cnn_int8", "--duration", "0.05", "--baseline", "none", "--cross-check"]


def test_both_harnesses_stand_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(BENCH) == 0
    shown = capsys.readouterr().out
    assert "digits_cnn_int8 single_stream  tpukit" in shown
    assert "digits_cnn_int8 single_stream  LoadGen " in shown


def test_json_holds_the_table_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*BENCH, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["harness"].split()[0] for row in printed["cross_check"]] == ["tpukit", "LoadGen"]
    assert {row["run_id"] for row in printed["cross_check"]} == {row["run_id"] for row in printed["results"]}


def test_a_missing_loadgen_is_said_before_anything_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    assert run(BENCH) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "tpukit: mlcommons-loadgen is not installed: pip install 'tpukit[loadgen]'"
    assert not History().path.exists()
