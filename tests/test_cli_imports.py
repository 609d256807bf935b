"""An import that fails: by Ctrl-C, or of itself."""

import pytest

from tpukit import cli
from tpukit.cli import run


def test_ctrl_c_behind_an_import_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library written in C that is interrupted while it is imported says that it cannot be."""

    def interrupted(*given: object, **options: object) -> int:
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr(cli, "app", interrupted)
    assert run(["devices"]) == 1
    assert capsys.readouterr().err.startswith("tpukit: stopped; ")


def test_an_import_that_fails_of_itself_is_not_taken_for_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: object, **options: object) -> int:
        raise ImportError("no module named this")

    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(ImportError, match="no module named this"):
        run(["devices"])
