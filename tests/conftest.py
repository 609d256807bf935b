"""What every test stands on: a home of its own, a still machine, models written by hand."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.inference import _models
from tpukit import host, sensors
from tpukit.host import thread_counts
from tpukit.inference import Model, _benchmark, get_device
from tpukit.testing import ManualClock

# the same examples every time, and no judgement by wall time
settings.register_profile("tpukit", derandomize=True, deadline=None, database=None)
settings.load_profile("tpukit")


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """No test writes into the home of whoever runs it."""
    home = tmp_path_factory.mktemp("state") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TPUKIT_HOME", str(home))
        yield home


@pytest.fixture(scope="session")
def measured_peaks(state_home: Path) -> Path:
    """The file of this machine's peaks, which takes seconds to measure."""
    for threads in thread_counts():
        get_device("cpu").peaks(threads)
    return state_home / "peaks.json"


@pytest.fixture
def private_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, measured_peaks: Path) -> Path:
    """A home of a test's own, where the peaks are known."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copy(measured_peaks, home)
    monkeypatch.setenv("TPUKIT_HOME", str(home))
    return home


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold the machine still, so that a result depends on the script of a fake device alone."""
    monkeypatch.setattr(host, "load_average", lambda: 0.0)
    monkeypatch.setattr(host, "cpu_use", lambda: host.CpuUse(all_s=0.0, own_s=0.0))
    monkeypatch.setattr(host, "git_revision", lambda folder: "0123abcd")
    monkeypatch.setattr(_benchmark, "find", lambda **device: sensors.find(Path("/nowhere"), **device))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def toy() -> Model:
    """A model that a fake device takes for whatever it is scripted to be."""
    return Model(name="toy", content=b"toy", sha256="70" * 32)


@pytest.fixture
def model_file(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a model of `_models` by its builder's name, and returns its path."""

    def write(builder: str, name: str | None = None, **options: object) -> Path:
        path = tmp_path / f"{name or builder}.tflite"
        path.write_bytes(getattr(_models, builder)(**options))
        return path

    return write


@pytest.fixture(scope="session")
def c_compiler() -> str:
    """A compiler for what stands in for libedgetpu."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("the stand-in for libedgetpu needs Linux and a C compiler")
    return compiler


@pytest.fixture(scope="session")
def libedgetpu(tmp_path_factory: pytest.TempPathFactory, c_compiler: str) -> Path:
    """A stand-in for libedgetpu, built by the name of the real one; what it does, the environment tells it."""
    library = tmp_path_factory.mktemp("edgetpu") / "libedgetpu.so.1"
    # without a soname: with one, the linker would find it by that for the rest of this process, wherever it lies
    command = [c_compiler, "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-o", str(library)]
    subprocess.run([*command, str(Path(__file__).parent / "inference" / "fake_edgetpu.c")], check=True, timeout=60)
    return library


@pytest.fixture
def sigint_not_ignored() -> Iterator[None]:
    """A shell starts background jobs with SIGINT ignored, which every child would inherit."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def child_environment() -> dict[str, str]:
    """The environment of a child process that must find this checkout's tpukit."""
    root = Path(__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])}
