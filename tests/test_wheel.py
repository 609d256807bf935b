"""The wheel: bundled models, notebooks and the report's template come along and are found where it is installed."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the wheel's contents, as an installation would."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_what_the_checkout_bundles_is_in_the_wheel(installed: Path) -> None:
    for folder in ("notebooks", "datasets"):
        bundled = {
            path.relative_to(ROOT)
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
        }
        shipped = {path.relative_to(installed / "tpukit/_data") for path in (installed / "tpukit/_data").rglob("*.*")}
        assert bundled <= shipped
    assert (installed / "tpukit/py.typed").exists()
    assert not (installed / "tests").exists()


def test_the_installed_package_finds_its_models_and_template(installed: Path, tmp_path: Path) -> None:
    program = """
import json, tpukit.cli
from tpukit import paths
found = [str(paths.bundled(p)) for p in ("datasets/models/models.json", "notebooks/reports/templates/tpukit")]
print(json.dumps({"package": tpukit.__file__, "found": found}))
raise SystemExit(tpukit.cli.run(["bench", "digits_cnn_int8", "--duration", "0.02", "--baseline", "none"]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed), "TPUKIT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    told = json.loads(done.stdout.splitlines()[0])
    for path in (told["package"], *told["found"]):
        assert Path(path).is_relative_to(installed)
    assert "digits_cnn_int8" in done.stdout
    assert (tmp_path / "home/history.db").exists()
