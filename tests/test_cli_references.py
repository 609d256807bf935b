"""What a user meets of published latencies: a line of `bench`, and a figure of the report."""

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.figures._frames import result, results
from tpukit import figures, paths
from tpukit.cli import run
from tpukit.workflows import published

QUICK = ["--duration", "0.02", "--min-queries", "64", "--baseline", "none"]
NAME = "mobilenet_v2_1.0_224_quant"
LINE = f"{NAME}: Coral published 2.6 ms (Edge TPU, USB 3.0, desktop) and 51 ms (CPU, desktop); C++, model alone"


@pytest.fixture
def mobilenet(tmp_path: Path) -> str:
    """A small model under the name of a published one."""
    path = tmp_path / f"{NAME}.tflite"
    shutil.copy(paths.bundled("datasets/models/digits_cnn_int8.tflite"), path)
    return str(path)


def test_bench_quotes_what_was_published_once_below_its_table(
    mobilenet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "digits_cnn_int8", mobilenet, *QUICK, "-s", "single_stream", "-s", "offline"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "published" in line] == [LINE]
    assert lines.index(LINE) > max(at for at, line in enumerate(lines) if "scenario " in line)


def test_bench_gives_programs_every_row_and_other_models_none(
    mobilenet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", "digits_cnn_int8", mobilenet, *QUICK, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["references"]
    assert len(told) == 9
    assert {row["model"] for row in told} == {NAME}
    assert all(row["source"].startswith("https://") for row in told)
    assert told[0]["latency_s"] == 0.0026
    assert run(["bench", "digits_cnn_int8", *QUICK, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["references"] == []


def test_a_model_whose_name_says_nothing_is_given_its_architecture(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "digits_cnn_int8", *QUICK, "--reference-of", "mobilenet V2"]) == 0
    assert LINE.replace(NAME, "digits_cnn_int8") in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["digits_cnn_int8", "--reference-of", "VGG17"], "unknown reference model 'VGG17': did you mean VGG1"),
        (
            ["digits_cnn_int8", "digits_mlp_int8", "--reference-of", "VGG16"],
            "is of one model, and 2 are to be measured",
        ),
        (["digits_cnn_int8", "--find-peak", "--reference-of", "VGG16"], "leave one of them out"),
    ],
)
def test_a_reference_that_cannot_be_is_refused_before_anything_is_measured(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tpukit.workflows.measure", None)
    monkeypatch.setattr("tpukit.workflows.measure_peak", None)
    assert run(["bench", *given, *QUICK]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def cell() -> Any:
    notebook = nbformat.read(paths.bundled("notebooks/reports/benchmark.ipynb"), as_version=4)
    (found,) = [each for each in notebook.cells if each.get("id") == "references"]
    return found


@pytest.mark.parametrize(("model", "shown"), [("digits_cnn_int8", 0), (NAME, 1)])
def test_the_report_draws_a_figure_only_where_a_model_has_references(model: str, shown: int) -> None:
    drawn: list[Any] = []
    names = {"results": results(result(model)), "figures": figures, "published": published, "display": drawn.append}
    exec(cell().source, names)
    assert len(drawn) == shown


def test_the_committed_report_is_of_models_without() -> None:
    assert cell().outputs == []
