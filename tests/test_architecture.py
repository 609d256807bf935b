"""The architecture is a test: who may import whom, and that nobody sleeps."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = next(contract for contract in CONTRACTS if contract["type"] == "layers")
SEPARATORS = re.compile(r"\s*[|:]\s*")

#: The layers from which on down nothing imports what draws, and those that draw.
DRAWING = {
    "figures", "widgets", "lab", "reports", "terminal", "inspect_terminal", "results_terminal",
    "doctor_commands", "history_commands", "cli", "__main__",
}  # fmt: skip
PURE = {"tpukit.eviction", "tpukit.forecasting", "tpukit.detection", "tpukit.figures", "tpukit.simulation"} | {
    "tpukit.stats", "tpukit.series", "tpukit.inference._compiled", "tpukit.inference._native_errors",
    "tpukit.inference._roofline", "tpukit.inference._scenarios",
    "tpukit.inference._rules", "tpukit.inference._schedule", "tpukit.inference._settings", "tpukit.inference._timeline",
    "tpukit.inference._loadgen_logs", "tpukit.inference._mapping", "tpukit.inference._mapping_notes",
    "tpukit.inference._compiler_log", "tpukit.inference._compiler_check",
    "tpukit.inference._mapping_rules", "tpukit.inference._op_times", "tpukit.concurrency._scheduler",
    "tpukit.concurrency._limits", "tpukit.concurrency._prediction", "tpukit.cache._prefetch",
    "tpukit.performance._batching_policy", "tpukit.auto_scaling._decide", "tpukit.doctor._edgetpu",
    "tpukit.doctor._examine", "tpukit.doctor._machine", "tpukit.doctor._models", "tpukit.doctor._runtimes",
}  # fmt: skip


def existing() -> set[str]:
    """Return the top-level modules of the package."""
    found = {path.stem for path in (ROOT / "tpukit").glob("*.py")} | {
        path.parent.name for path in (ROOT / "tpukit").glob("*/__init__.py")
    }
    return found - {"__init__"}


def layers() -> list[list[str]]:
    return [SEPARATORS.split(layer) for layer in LAYERS["layers"]]


def below(name: str) -> set[str]:
    """Return the modules of the layers under that of `name`."""
    (at,) = [number for number, layer in enumerate(layers()) if name in layer]
    return {module.strip("()") for layer in layers()[at + 1 :] for module in layer}


def contract(phrase: str) -> dict[str, list[str]]:
    (found,) = [each for each in CONTRACTS if phrase in each["name"]]
    return found


def exists(module: str) -> bool:
    path = ROOT / Path(*module.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_every_contract_is_kept(child_environment: dict[str, str]) -> None:
    run = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", run], capture_output=True, text=True, check=False, cwd=ROOT, env=child_environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(CONTRACTS)} kept, 0 broken" in done.stdout


def test_the_contract_of_layers_leaves_nothing_out() -> None:
    assert LAYERS["exhaustive"] is True
    assert LAYERS["containers"] == ["tpukit"]
    names = [module.strip("()") for layer in layers() for module in layer]
    assert len(set(names)) == len(names)


def test_a_layer_in_parentheses_is_not_built_and_the_others_are() -> None:
    planned = {module.strip("()") for layer in layers() for module in layer if module.startswith("(")}
    built = {module for layer in layers() for module in layer if not module.startswith("(")}
    assert {name for name in planned if exists(f"tpukit.{name}")} == set()
    assert {name for name in built if not exists(f"tpukit.{name}")} == set()


def test_what_is_pure_stands_in_its_contract() -> None:
    listed = set(contract("Pure modules")["source_modules"])
    assert {module for module in PURE if exists(module)} == listed
    assert set(contract("Pure modules")["forbidden_modules"]) >= {
        "time", "random", "threading", "asyncio", "concurrent", "tpukit.clock", "tpukit.host",
    }  # fmt: skip


def test_what_does_not_draw_stands_in_its_contract() -> None:
    listed = set(contract("Only what people look at")["source_modules"])
    assert {f"tpukit.{name}" for name in existing() - DRAWING} == listed
    assert set(contract("Only what people look at")["forbidden_modules"]) >= {
        "plotly", "ipywidgets", "papermill", "nbconvert", "IPython",
    }  # fmt: skip


def test_what_lies_below_metrics_integration_knows_no_figures() -> None:
    listed = set(contract("Nothing below metrics_integration")["source_modules"])
    expected = (existing() & below("metrics_integration")) - {"figures"}
    assert {f"tpukit.{name}" for name in expected} == listed
    assert contract("Nothing below metrics_integration")["forbidden_modules"] == ["tpukit.figures"]


def sleeps(source: str) -> list[int]:
    """Return the lines of a module that sleep, under whatever name."""
    nodes = list(ast.walk(ast.parse(source)))
    aliases = [(alias, node) for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    clocks = {alias.asname or alias.name for alias, _ in aliases if alias.name in ("time", "asyncio")}
    called = [node for node in nodes if isinstance(node, ast.Attribute) and node.attr == "sleep"]
    taken = [node for node in nodes if isinstance(node, ast.ImportFrom) and node.module in ("time", "asyncio")]
    return [node.lineno for node in called if isinstance(node.value, ast.Name) and node.value.id in clocks] + [
        node.lineno for node in taken if {alias.name for alias in node.names} & {"sleep", "*"}
    ]


FILES = sorted(path for folder in ("tpukit", "tests") for path in (ROOT / folder).rglob("*.py"))


def test_nobody_sleeps_but_the_clock() -> None:
    clock = ROOT / "tpukit" / "clock.py"
    found = [f"{path.relative_to(ROOT)}:{line}" for path in FILES if path != clock for line in sleeps(path.read_text())]
    assert found == []
    assert Path(__file__) in FILES
    assert clock in FILES


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "import time as t\nt.sleep(1)",
        "from time import sleep",
        "from time import sleep as rest",
        "from asyncio import sleep\nasync def f():\n    await sleep(1)",
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)",
    ],
)
def test_a_sleep_is_found_under_any_name(source: str) -> None:
    assert sleeps(source)


def test_nothing_takes_a_name_from_the_root_package() -> None:
    found = []
    for path in FILES:
        if ROOT / "tpukit" not in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "tpukit":
                found += [f"{path}: {alias.name}" for alias in node.names if not exists(f"tpukit.{alias.name}")]
    assert found == []


def test_no_module_is_longer_than_its_budget() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
