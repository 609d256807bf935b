"""How JupyterLab is started; the browser tests open it."""

import os

import pytest

from tpukit.lab import notebooks_folder, run_lab


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What this process would be replaced by."""
    command: list[str] = []
    monkeypatch.setattr(os, "execv", lambda program, arguments: command.extend(arguments))
    return command


def test_it_opens_the_notebooks_that_come_with_tpukit(started: list[str]) -> None:
    run_lab(["--no-browser"])
    assert f"--notebook-dir={notebooks_folder()}" in started
    assert started[-1] == "--no-browser"


@pytest.mark.parametrize("option", ["--notebook-dir=mine", "--ServerApp.root_dir=mine"])
def test_another_folder_takes_its_place(started: list[str], option: str) -> None:
    """Jupyter refuses to start where the folder is named twice."""
    run_lab([option])
    assert [argument for argument in started if "dir=" in argument and "settings" not in argument] == [option]
