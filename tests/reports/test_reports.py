"""Reports: parameters are checked, the notebook is executed, one HTML file comes out."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from jupyter_client.provisioning import LocalProvisioner

from tpukit import History
from tpukit.cli import run
from tpukit.errors import ReportError, StorageError, UnknownNameError
from tpukit.reports import Report, render_report
from tpukit.terminal import notebook_progress
from tpukit.workflows import Step


def test_an_unknown_parameter_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean duration_s"):
        render_report("benchmark", {"duration": 1}, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="give another folder"):
        render_report("benchmark", {}, tmp_path / "file" / "out")


def test_a_bad_argument_is_one_line_and_nothing_is_started(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["report", "--quick", "--model", "digits_cnn_in8", "--out", str(tmp_path)]
    assert run(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tpukit: unknown model 'digits_cnn_in8': did you mean digits_cnn_int8 or ")
    assert list(tmp_path.iterdir()) == []


def test_a_failing_cell_keeps_the_notebook_and_the_report_before_it(tmp_path: Path) -> None:
    for name in ("report.html", "report.ipynb"):
        (tmp_path / name).write_text("of yesterday")
    with pytest.raises(ReportError, match=r"^unknown model 'nosuch': .* \(cell \d+ of .*failed.ipynb\)$"):
        render_report("benchmark", {"models": ["nosuch"], "history_path": str(tmp_path / "h.db")}, tmp_path)
    assert {(tmp_path / name).read_text() for name in ("report.html", "report.ipynb")} == {"of yesterday"}
    assert nbformat.read(tmp_path / "failed.ipynb", as_version=4).cells
    assert not list(tmp_path.glob(".tpukit*"))


def test_a_folder_in_the_place_of_the_page_is_refused_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(StorageError, match=r"report.html: it is a folder; move it away"):
        render_report("benchmark", {}, tmp_path)


def test_a_page_that_does_not_fit_on_the_disk_leaves_the_one_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is the larger of the two files; the disk is full in the middle of it."""
    (tmp_path / "report.html").write_text("of yesterday")
    write_text = Path.write_text

    def full(path: Path, text: str, **options: str) -> int:
        if path.name == "report.html":
            write_text(path, text[:1000], **options)
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_text(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    parameters = {"models": ["autoencoder_int8"], "threads": [1], "duration_s": 0.05}
    with pytest.raises(StorageError, match=r"No space left on device; what was measured is in the history"):
        render_report("benchmark", parameters | {"history_path": str(tmp_path / "h.db")}, tmp_path)
    assert (tmp_path / "report.html").read_text() == "of yesterday"
    assert nbformat.read(tmp_path / "failed.ipynb", as_version=4).cells[-1].outputs, "what was measured is not lost"
    assert not list(tmp_path.glob(".tpukit*"))


def test_the_executed_notebook_holds_the_parameters_and_no_widget_state(report: Report) -> None:
    notebook = nbformat.read(report.notebook, as_version=4)
    (injected,) = [cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert "duration_s = 0.1" in injected.source
    assert "widgets" not in notebook.metadata


def test_every_run_of_the_report_is_in_the_history(report: Report) -> None:
    runs = History(report.html.parent.parent / "h.db").to_frame()
    measured = runs[runs["device"] == "cpu"]
    server = measured[measured["scenario"] == "server"]
    assert len(measured) - len(server) == 2 * 2 * 2
    assert len(server) == 2 * 2, "two shares of each model's rate"
    assert runs["name"].str.match(r"report 20\d\d-\d\d-\d\d").all()
    assert (runs["device"] == "reference").sum() == 2
    assert (measured["baseline"] != "").all()


def test_the_html_has_every_figure_and_the_table(report: Report) -> None:
    html = report.html.read_text()
    assert html.count("Plotly.newPlot(") == 9
    assert "the next report is compared with this one" in html
    for text in ("digits_cnn_int8", "autoencoder_int8", "VALID", "0.956 of 540", "× baseline"):
        assert text in html


def test_the_html_shows_results_and_neither_code_nor_progress(report: Report) -> None:
    html = report.html.read_text()
    assert "inspect_model(model)" not in html
    assert "0.000 digits_cnn_int8" not in html


def test_a_server_that_has_nothing_to_take_its_rate_from_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "--scenario", "server"]) == 2
    assert capsys.readouterr().err == (
        "tpukit: server is measured at shares of single_stream's rate: add --scenario single_stream\n"
    )
    assert run(["report", "--latency-bound", "-1"]) == 2
    assert "latency bound is -1.0 s: expected a number of s above 0" in capsys.readouterr().err


def test_the_next_report_says_what_changed_since_the_last(report: Report) -> None:
    """Its runs are one a setting, so nothing can be told, and the page says what would do."""
    history = report.html.parent.parent / "h.db"
    parameters = {"models": ["autoencoder_int8"], "threads": [1], "duration_s": 0.05, "scenarios": ["single_stream"]}
    names = {"name": "the second", "history_path": str(history)}
    html = render_report("benchmark", parameters | names, report.html.parent.parent / "second").html.read_text()
    assert re.search(r"Compared with report 20[-: 0-9]+: of 1 settings 1 cannot be told", html)
    assert "1 and 1 runs allow no interval" in html
    assert "Whether autoencoder_int8 (1 thread) changed from report 20" in html.replace("\\u003cbr\\u003e", " ")
    assert set(History(history).to_frame().query("name == 'the second'")["scenario"]) == {"single_stream"}


def test_progress_lines_of_the_notebook_become_steps() -> None:
    steps: list[Step] = []
    take = notebook_progress(steps.append)
    assert take is not None
    take("0.000 a cpu\n0.500 b cpu\n")
    take("something else\n")
    assert [(step.share, step.label) for step in steps] == [(0.0, "a cpu"), (0.5, "b cpu")]


def test_the_command_names_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--model", "autoencoder_int8", "--duration", "0.05", "--threads", "1", "--scenario", "single_stream"]
    assert run(["report", *arguments, "--out", str(tmp_path), "--history", str(tmp_path / "h.db"), "--json"]) == 0
    assert Path(json.loads(capsys.readouterr().out)["html"]).exists()


def test_a_notebook_that_ended_is_not_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that gets SIGINT while it ends can abort, and say so on the user's terminal."""
    sent: list[int] = []

    async def send_signal(self: LocalProvisioner, number: int) -> None:
        sent.append(number)

    monkeypatch.setattr(LocalProvisioner, "send_signal", send_signal)
    parameters = {"models": ["autoencoder_int8"], "threads": [1], "duration_s": 0.05}
    render_report("benchmark", parameters | {"history_path": str(tmp_path / "h.db")}, tmp_path / "out")
    assert signal.SIGINT not in sent


@pytest.mark.fault
@pytest.mark.usefixtures("sigint_not_ignored")
def test_ctrl_c_ends_the_sweep_and_renders_what_was_measured(tmp_path: Path) -> None:
    """The baseline's run is awaited in the history; the long one that follows it is interrupted."""
    history = History(tmp_path / "h.db")
    command = [sys.executable, "-m", "tpukit", "report", "--out", str(tmp_path), "--history", str(history.path)]
    command += [
        "--model",
        "autoencoder_int8",
        "--model",
        "vww_int8",
        "--threads",
        "1",
        "--scenario",
        "single_stream",
        "--duration",
        "36",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and (not history.path.exists() or history.to_frame().empty):
            pass
        process.send_signal(signal.SIGINT)
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0
    assert err == "tpukit: stopped early: the report shows what was measured until then\n"
    assert str(tmp_path / "report.html") in out
    # the rest was not waited for, and the page says so
    html = (tmp_path / "report.html").read_text()
    assert "Stopped early" in html
    assert "Not measured: vww_int8 cpu single_stream 1 thread" in html


def test_a_report_of_nothing_but_failures_is_still_a_report(tmp_path: Path, model_file: Callable[..., Path]) -> None:
    """A sweep whose every cell failed has no run, no sample and no machine to show, and says why."""
    custom = model_file("custom_op", code="<img src=http://example.org onerror=alert(1)>")
    parameters = {"models": [str(custom)], "threads": [1], "duration_s": 0.05}
    report = render_report("benchmark", parameters | {"history_path": str(tmp_path / "h.db")}, tmp_path / "out")
    html = report.html.read_text()
    assert "has an operator that LiteRT lacks" in html
    assert "<img src=http" not in html
    assert html.count("Plotly.newPlot(") == 9


def test_a_run_that_history_cannot_take_is_named_in_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills up in the middle of a sweep."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "sitecustomize.py").write_text(
        "import errno, tpukit.history._history as h\n"
        "from tpukit.errors import StorageError\n"
        "def append(self, *tables):\n    raise StorageError(errno.ENOSPC, 'the disk is full')\n"
        "h.History.append = append\n"
    )
    parameters = {
        "models": ["autoencoder_int8"],
        "threads": [1],
        "duration_s": 0.05,
        "history_path": str(tmp_path / "h"),
    }
    html = render_report("benchmark", parameters, tmp_path / "out").html.read_text()
    assert "the disk is full" in html
    assert "the last run lies in" in html
