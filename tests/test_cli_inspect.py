"""`tpukit inspect`: what it tells a program, and what fits on a terminal."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.inference._mobilenet import mobilenet_v2
from tpukit import terminal
from tpukit.cli import run


def test_inspect_tells_shapes_parameters_and_operators(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "digits_cnn_int8", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["inputs"][0]["shape"] == [1, 8, 8, 1]
    assert [op["type"] for op in told["ops"]][-1] == "SOFTMAX"
    assert told["macs"] == sum(op["macs"] for op in told["ops"])
    assert told["mapping"]["mapped"] == [op["mapped"] for op in told["ops"]] == [True] * 7
    assert told["least_times"][0]["hardware"] == "this processor"
    assert told["compiler"] is None
    assert run(["inspect", "digits_cnn_int8"]) == 0
    shown = capsys.readouterr().out
    assert "CONV_2D" in shown
    assert "Edge TPU, predicted: 7 of 7 operators mapped" in shown
    assert "Edge TPU, USB 3" in shown


def test_inspect_holds_a_compilers_log_against_the_prediction(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    log = tmp_path / "ae.log"
    log.write_text(
        "Edge TPU Compiler version 16.0\nInput model: autoencoder_int8.tflite\nTotal number of operations: 10\n"
    )
    assert run(["inspect", "autoencoder_int8", "--compiler-log", str(log), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["compiler"] == [
        {
            "model": "autoencoder_int8", "type": "FULLY_CONNECTED", "ops": 10, "predicted": 10, "compiled": 10,
            "status": None,
        }
    ]  # fmt: skip
    assert run(["inspect", "autoencoder_int8", "--compiler-log", str(log)]) == 0
    assert "the compiler, 16.0, mapped 10 of 10 operators" in capsys.readouterr().out
    assert run(["inspect", "vww_int8", "--compiler-log", str(log)]) == 2
    assert capsys.readouterr().err.endswith("it is of autoencoder_int8, not of vww_int8: give the log of this model\n")


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_verdict_is_cut(
    width: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "odd.tflite").write_bytes(mobilenet_v2(odd_block=5))
    monkeypatch.setattr(terminal, "_console", lambda: Console(width=width))
    assert run(["inspect", str(tmp_path / "odd.tflite")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    ops = [line.split() for line in lines[-66:]]
    # one line an operator at either width: its verdict, and what it waits for
    assert [int(op[0]) for op in ops] == list(range(66))
    assert [("yes" in op, "no" in op) for op in ops] == [(True, False)] * 21 + [(False, True)] * 45
    assert " ".join(ops[30][-4:]) == "after op 21 NEG"
    assert ("bytes" in lines[-67]) is (width == 120)


def test_times_are_measured_where_they_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "mobilenet_v1_025_int8", "--times", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    timed = [op["time_s"] for op in told["ops"] if op["time_s"] is not None]
    # another LiteRT than the known one leaves a reason in the place of times
    assert ("operators: " in told["notes"][-1]) is not bool(timed)
    assert all(0 < seconds < 1 for seconds in timed)
