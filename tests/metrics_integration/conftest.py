"""A suite without the cells of tpukit."""

import pytest

from tpukit.metrics_integration import Cell, _suite
from tpukit.registry import Registry


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Registry[Cell]:
    """A suite of its own, without the cells of tpukit."""
    registry = Registry[Cell]("suite cell", entry_point="tpukit.none")
    monkeypatch.setattr(_suite, "SUITE", registry)
    monkeypatch.setattr(_suite, "_OWN", ())
    return registry
