"""`tpukit doctor`: what it prints, and how it ends."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.doctor import _healthy as healthy
from tests.doctor._healthy import HEALTHY, USB, with_tpu
from tpukit import doctor
from tpukit.cli import run
from tpukit.doctor import NOT_APPLICABLE, TROUBLE, Library, examine
from tpukit.doctor_commands import page

ILL = replace(with_tpu(USB, openable=False, link_bits_per_s=4.8e8), library=Library(found=False))


def seen(facts: doctor.Facts, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Let the doctor see these facts, and return its table."""
    monkeypatch.setattr(doctor, "checkup", lambda models: examine(facts))
    return examine(facts)


def test_a_healthy_machine_ends_with_0_and_reads_ok(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = seen(HEALTHY, monkeypatch)
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "\n  trouble" not in out
    assert "\n  warning" not in out
    assert out.count("\n  ok ") == (table["verdict"] == "ok").sum()
    assert "->" not in out
    assert out.splitlines()[-1].startswith("0 in trouble, 0 warnings, ")


def test_trouble_ends_with_1_and_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = seen(ILL, monkeypatch)
    assert run(["doctor"]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    for row in table[table["verdict"] == TROUBLE].itertuples():
        assert row.found in captured.out
        assert all(f"-> {step}\n" in captured.out for step in row.remedy.splitlines())


def test_a_warning_is_no_failure(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen(with_tpu(USB, link_bits_per_s=4.8e8), monkeypatch)
    assert run(["doctor"]) == 0
    assert "warning  2-1, USB speed: 480 Mbit/s" in capsys.readouterr().out


def test_json_has_every_check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    table = seen(ILL, monkeypatch)
    assert run(["doctor", "--json"]) == 1
    printed = pd.DataFrame(json.loads(capsys.readouterr().out))
    assert list(printed.columns) == ["part", "check", "subject", "verdict", "found", "remedy"]
    assert printed["found"].tolist() == table["found"].tolist()


def test_this_machine_and_a_model_are_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    ended = run(["doctor", "digits_cnn_int8", "--json"])
    table = pd.DataFrame(json.loads(capsys.readouterr().out)).set_index("check")
    assert ended == (table["verdict"] == TROUBLE).any()
    assert table.loc["LiteRT", "found"].endswith("runs a bundled model")
    assert table.loc["file", "subject"] == "digits_cnn_int8"
    assert table.loc["TPUKIT_HOME", "verdict"] == "ok"


@pytest.mark.parametrize("model", ["digits_cn_int8", "nowhere/m.tflite"])
def test_a_model_that_does_not_exist_is_bad_input(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", model]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1


def test_a_damaged_model_is_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.tflite").write_bytes(b"no model at all, though of some length")
    assert run(["doctor", str(tmp_path / "m.tflite")]) == 1
    assert "trouble  m, file: model m is not a TFLite file" in capsys.readouterr().out


@pytest.mark.parametrize("width", [40, 80, 120])
@pytest.mark.parametrize("facts", [HEALTHY, ILL], ids=["healthy", "ill"])
def test_the_page_keeps_to_its_width_and_loses_no_word(facts: doctor.Facts, width: int) -> None:
    table = examine(facts)
    lines = list(page(table, width))
    longest = max(len(word) for text in [*table["found"], *table["remedy"].dropna()] for word in text.split())
    assert max(map(len, lines)) <= max(width, longest + 15)
    assert [line for line in lines if len(line) > width and len(line.split()) > 2] == []
    words = " ".join(lines).split()
    judged = table[table["verdict"] != NOT_APPLICABLE]
    assert all(word in words for text in [*judged["found"], *judged["remedy"].dropna()] for word in text.split())


def test_what_does_not_apply_is_summed_up_with_its_reason() -> None:
    table = examine(replace(HEALTHY, edge_tpus=()))
    (line,) = [line for line in page(table, 10_000) if line.startswith("Not applicable: ")]
    reasons = line.removeprefix("Not applicable: ").split("; ")
    assert "(no Edge TPU on USB or PCIe)" in reasons[0]
    assert reasons[0].count(",") == 7  # all that is judged of an Edge TPU, that there is one, and its driver


def test_what_does_not_apply_to_one_edge_tpu_names_it() -> None:
    (line,) = [line for line in page(examine(HEALTHY), 10_000) if line.startswith("Not applicable: ")]
    assert "USB speed of apex_0, firmware of apex_0 (it is on PCIe)" in line


def test_text_of_others_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen(healthy.with_model(name="m\x1b[31m"), monkeypatch)
    run(["doctor"])
    assert "\x1b" not in capsys.readouterr().out
