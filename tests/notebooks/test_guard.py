"""What a committed notebook must be, so that nbval compares something and a reader sees something."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
MAX_BYTES = 300_000
PLOTLY = "application/vnd.plotly.v1+json"
ABSOLUTE = re.compile(r"(?<![\w.:/\\])/(?:home|root|tmp|work|usr|var|opt|mnt|Users|private)/|[A-Z]:\\\\")

by_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def load(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in load(path).cells if cell.cell_type == "code"]


def compared(path: Path) -> list[Any]:
    """Return the outputs that nbval holds against a fresh execution."""
    return [
        output
        for cell in code_cells(path)
        if "nbval-ignore-output" not in cell.metadata.get("tags", []) and "NBVAL_IGNORE_OUTPUT" not in cell.source
        for output in cell.outputs
    ]


def test_the_promised_notebooks_stand_there() -> None:
    names = {str(path.relative_to(ROOT / "notebooks")) for path in NOTEBOOKS}
    assert names >= {"00_tour.ipynb", "01_inference.ipynb", "05_history.ipynb", "reports/benchmark.ipynb"}


@by_notebook
def test_every_code_cell_was_executed_in_order(path: Path) -> None:
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@by_notebook
def test_a_cell_that_ends_in_an_expression_has_its_output(path: Path) -> None:
    for cell in code_cells(path):
        last = cell.source.rstrip().splitlines()[-1]
        if re.fullmatch(r"figures\.\w+\(.*\)|widgets\.\w+\(.*\)|\w+\.style\.hide\(\)|tpukit\.devices\(\)", last):
            assert cell.outputs, last


@by_notebook
def test_a_table_and_a_figure_are_compared_strictly(path: Path) -> None:
    shown = [output.data for output in compared(path) if "data" in output]
    assert any("text/html" in data and "<table" in data["text/html"] for data in shown)
    assert any(PLOTLY in data for data in shown)


@by_notebook
def test_no_output_is_an_error(path: Path) -> None:
    assert not [output for cell in code_cells(path) for output in cell.outputs if output.output_type == "error"]


@by_notebook
def test_it_is_small_and_holds_neither_widget_state_nor_times(path: Path) -> None:
    assert path.stat().st_size < MAX_BYTES
    notebook = load(path)
    assert "widgets" not in notebook.metadata
    assert "papermill" not in notebook.metadata
    assert not [cell for cell in notebook.cells if "execution" in cell.metadata]


@by_notebook
def test_it_holds_no_absolute_path(path: Path) -> None:
    assert ABSOLUTE.search(path.read_text()) is None


@by_notebook
def test_it_is_thin(path: Path) -> None:
    """Functions and classes belong into the library."""
    for cell in code_cells(path):
        assert not re.search(r"^\s*(def|class) ", cell.source, flags=re.MULTILINE)
        assert len(cell.source.splitlines()) <= 20


@pytest.mark.parametrize("text", ['"/home/me/x"', "'/tmp/report'", '"C:\\\\Users\\\\me"'])
def test_the_guard_sees_an_absolute_path(text: str) -> None:
    assert ABSOLUTE.search(text)


@pytest.mark.parametrize("text", ["https://example.org/home/x", "notebooks/tmp/x", "a/b"])
def test_the_guard_lets_others_pass(text: str) -> None:
    assert ABSOLUTE.search(text) is None
