"""What is installed, seen from metadata in folders of our own, and what is tried in a process of its own."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tpukit.doctor import Trial
from tpukit.doctor._gather_edgetpu import seen_library
from tpukit.doctor._gather_python import installed, outcome, seen_python, tried
from tpukit.doctor._tried import main
from tpukit.inference import InstalledPycoral

COMPILER = shutil.which("cc") or shutil.which("gcc")
DELEGATE = """
void *tflite_plugin_create_delegate(void) { return 0; }
void tflite_plugin_destroy_delegate(void *delegate) {}
"""
needs_a_compiler = pytest.mark.skipif(COMPILER is None or sys.platform != "linux", reason="no C compiler, or no Linux")


def install(folder: Path, name: str, version: str, *files: str) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("raise RuntimeError('nothing may import this')\n")


def test_versions_are_those_of_the_metadata(tmp_path: Path) -> None:
    install(tmp_path, "tflite-runtime", "2.14.0", "tflite_runtime/__init__.py")
    install(tmp_path, "numpy", "2.4.6", "numpy/__init__.py")
    install(tmp_path, "requests", "2.0")
    assert installed([str(tmp_path)]) == {"numpy": "2.4.6", "tflite-runtime": "2.14.0"}


def test_whose_pycoral_it_is_is_seen_without_importing_it(tmp_path: Path) -> None:
    install(tmp_path, "pycoral", "1.2.3", "pycoral/__init__.py", "pycoral/reefs.py")
    found = seen_python(Trial(), [str(tmp_path)]).pycoral
    assert found == InstalledPycoral(version="1.2.3", summary="", is_googles=False)
    assert seen_python(Trial(), []).pycoral is None
    assert "pycoral" not in sys.modules


def test_litert_is_tried_in_a_process_of_its_own() -> None:
    assert tried("litert") == Trial(said="runs a bundled model")


@pytest.mark.parametrize(
    ("code", "err", "error"),
    [
        (1, "INFO: hello\nOSError: no such thing\n", "OSError: no such thing"),
        (1, "", "it ended with 1"),
        (-11, "", "it ended its process by signal 11 (Segmentation fault)"),
    ],
)
def test_how_a_trial_ended_is_told(code: int, err: str, error: str) -> None:
    assert outcome(code, "", err) == Trial(error=error)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Return a function that builds a libedgetpu of some C and lets a child process find it by its production name."""

    def built(source: str) -> None:
        assert COMPILER is not None
        (tmp_path / "lib.c").write_text(source)
        library = tmp_path / "libedgetpu.so.1"
        subprocess.run([COMPILER, "-shared", "-fPIC", "-o", library, tmp_path / "lib.c"], check=True)
        monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))

    return built


def test_the_version_is_libedgetpus_own(libedgetpu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(libedgetpu.parent))
    monkeypatch.setenv("FAKE_EDGETPU_VERSION", "BuildLabel(N/A), RuntimeVersion(13)")
    assert tried("libedgetpu") == Trial(said=f"libedgetpu runtime 13 ({libedgetpu})")


@needs_a_compiler
@pytest.mark.parametrize(
    ("source", "told"),
    [
        (DELEGATE, "libedgetpu of unknown version ("),
        ("int nothing;\n", "this library is no TFLite delegate, for it lacks tflite_plugin_create_delegate: give"),
        (
            DELEGATE + "__attribute__((constructor)) void fall(void) { __builtin_trap(); }",
            "it ended its process by sig",
        ),
    ],
    ids=["no version", "no symbol", "crash"],
)
def test_a_library_is_tried_by_its_production_name(build, source: str, told: str) -> None:  # type: ignore[no-untyped-def]
    build(source)
    found = tried("libedgetpu")
    assert (found.said or found.error or "").startswith(told)
    assert (found.error is None) == ("unknown version" in told)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("libedgetpu.so.1: cannot open shared object file: No such file or directory", False),
        ("dlopen(libedgetpu.1.dylib, 0x0006): tried: '/usr/lib/libedgetpu.1.dylib' (no such file)", False),
        ("Could not find module 'edgetpu.dll' (or one of its dependencies). Try using the full path", False),
        ("libusb-1.0.so.0: cannot open shared object file: No such file or directory", True),
        ("/usr/lib/libedgetpu.so.1: invalid ELF header", True),
    ],
)
def test_an_absent_library_is_told_from_a_broken_one_in_one_line(
    said: str, found: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(name: str) -> None:
        raise OSError(said)

    monkeypatch.setattr(ctypes, "CDLL", refused)
    assert main("libedgetpu") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert seen_library(tmp_path, outcome(1, "", line)).found == found
