"""environment.yml and pyproject.toml name the same things in ranges that fit each other."""

import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "environment.yml").read_text()
ENTRIES = yaml.safe_load(TEXT)["dependencies"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BY_NAME = {
    "python", "jupyterlab", "ipywidgets", "anywidget", "pandas", "plotly", "lz4", "statsmodels", "nbval", "papermill",
    "ai-edge-litert", "tflite-runtime", "numpy",
}  # fmt: skip


def pip_lines() -> list[str]:
    (section,) = [entry["pip"] for entry in ENTRIES if isinstance(entry, dict)]
    return section


def installed_extras() -> set[str]:
    (line,) = [line for line in pip_lines() if line.startswith("-e ")]
    match = re.fullmatch(r"-e \.\[([a-z,]+)\]", line)
    assert match
    return set(match[1].split(","))


def conda(entry: str) -> Requirement:
    """Return a conda entry as a requirement: its `=3.11` is `==3.11.*`."""
    return Requirement(re.sub(r"(?<![<>=!~])=([\d.]+)$", r"==\1.*", entry))


def named() -> dict[str, SpecifierSet]:
    entries = [conda(entry) for entry in ENTRIES if isinstance(entry, str)]
    entries += [Requirement(line) for line in pip_lines() if not line.startswith("-e ")]
    names = [canonicalize_name(entry.name) for entry in entries]
    assert len(set(names)) == len(names)
    return {name: entry.specifier for name, entry in zip(names, entries, strict=True)}


NAMED = named()


def project_specifiers(name: str) -> Iterator[SpecifierSet]:
    """Yield what pyproject asks of a library under Python 3.11: the core, and the extras that are installed."""
    if name == "python":
        yield SpecifierSet(PROJECT["requires-python"])
    environment = {**default_environment(), "python_version": "3.11", "python_full_version": "3.11.9", "extra": ""}
    lines = [*PROJECT["dependencies"]]
    for extra in installed_extras():
        lines += PROJECT["optional-dependencies"][extra]
    for line in lines:
        requirement = Requirement(line)
        if canonicalize_name(requirement.name) == name and (
            requirement.marker is None or requirement.marker.evaluate(environment)
        ):
            yield requirement.specifier


def probes(*specifiers: SpecifierSet) -> set[Version]:
    """Return versions on both sides of every bound."""
    bounds = {re.sub(r"\.\*$", "", part.version) for specifier in specifiers for part in specifier}
    return {Version(text) for bound in bounds for text in (bound, f"{bound}.1", f"{bound}.99", "0.0.1", "9999")}


def test_the_workstation_has_its_tools_by_name() -> None:
    assert NAMED.keys() - {"pip"} == BY_NAME
    assert "pip" in NAMED


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_what_the_file_admits_pyproject_admits(name: str) -> None:
    wanted = list(project_specifiers(name))
    assert wanted, f"{name} is no dependency of pyproject.toml"
    assert str(NAMED[name]), f"{name} has no range"
    for specifier in wanted:
        versions = probes(NAMED[name], specifier)
        admitted = {version for version in versions if NAMED[name].contains(version)}
        assert admitted
        assert {version for version in admitted if not specifier.contains(version)} == set()


def test_python_and_numpy_are_those_that_tflite_runtime_can_use() -> None:
    (tflite,) = [line for line in PROJECT["optional-dependencies"]["tflite"] if line.startswith("tflite-runtime")]
    marker = Requirement(tflite).marker
    assert marker
    assert NAMED["python"] == SpecifierSet("==3.11.*")
    assert marker.evaluate({**default_environment(), "python_version": "3.11"})
    assert not marker.evaluate({**default_environment(), "python_version": "3.12"})
    assert NAMED["numpy"] == SpecifierSet("==1.26.4.*")


def test_everything_else_that_tpukit_needs_comes_with_it() -> None:
    assert installed_extras() == {"lab", "loadgen", "tflite", "test"}
    assert installed_extras() <= PROJECT["optional-dependencies"].keys()


def test_the_tests_of_tflite_runtime_run_in_such_an_environment() -> None:
    rule = (ROOT / "Makefile").read_text().partition("\n.venv-tflite/")[2]
    assert "$(PYTHON311) -m venv .venv-tflite" in rule
    extras = re.search(r"install .*-e '\.\[([a-z,]+)\]'", rule)
    assert extras
    assert set(extras[1].split(",")) == installed_extras()


def test_googles_pycoral_is_explained_and_never_installed() -> None:
    lines = [line for line in TEXT.splitlines() if "pycoral" in line]
    assert lines
    assert all(line.startswith("#") for line in lines)
    comments = " ".join(line.lstrip("# ") for line in TEXT.splitlines() if line.startswith("#"))
    for said in (
        "google-coral.github.io/py-repo",
        "github.com/google-coral/pycoral",
        "3.9 or older",
        "coral-reef tool",
    ):
        assert said in comments
    every = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    assert not [line for line in every if "pycoral" in line]


def test_no_channel_but_conda_forge() -> None:
    assert yaml.safe_load(TEXT)["channels"] == ["conda-forge", "nodefaults"]
