"""Every example in a docstring does what it shows."""

import doctest
import pkgutil
from importlib import import_module

import pytest

import tpukit

SKIPPED = {"tpukit.cli", "tpukit.__main__"}
FOUND = {module.name for module in pkgutil.walk_packages(tpukit.__path__, "tpukit.") if "._data" not in module.name}
MODULES = ["tpukit", *sorted(FOUND - SKIPPED)]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    module = import_module(name)
    monkeypatch.chdir(tmp_path_factory.mktemp("examples"))
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    for example in doctest.DocTestFinder().find(module, name):
        runner.run(example, out=said.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(said)


def test_there_are_examples_to_run() -> None:
    finder = doctest.DocTestFinder()
    found = {name for name in MODULES for test in finder.find(import_module(name), name) if test.examples}
    assert found >= {
        "tpukit.stats._sample",
        "tpukit.schema._frame",
        "tpukit.registry",
        "tpukit.testing",
        "tpukit.inference._benchmark",
    }
