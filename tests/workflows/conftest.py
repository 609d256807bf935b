"""A sweep on the manual clock."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from tests.workflows._devices import Named
from tpukit.history import History
from tpukit.inference import Device, Model
from tpukit.testing import ManualClock
from tpukit.workflows import Load, Measured, measure
from tpukit.workflows import _sweep as module


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "runs.db")


@pytest.fixture
def sweep(toy: Model, clock: ManualClock, history: History, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Measured]:
    """Return `measure` on the manual clock, its baseline taking 40 ms a query."""
    benchmark = module.benchmark
    monkeypatch.setattr(module, "benchmark", lambda *given, **options: benchmark(*given, **options, clock=clock))

    def run(*devices: Device, models: tuple[object, ...] = (toy,), **options: object) -> Measured:
        axes = {field.name for field in fields(Load)}
        load = {"duration_s": 1.0, "min_queries": 64} | {name: options.pop(name) for name in axes & options.keys()}
        given = {"history": history, "baseline": Named("slow", 0.04, clock)}
        return measure(models, devices=devices, load=Load(**load), **given | options)

    return run
