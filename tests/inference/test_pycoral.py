"""Google's pycoral as a device, on a stand-in with its layout and signatures, and what is not Google's."""

import shutil
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.inference import _edgetpu_tree, _models
from tests.inference._installed import distribution, untouchable
from tpukit.errors import ConfigError, DeviceUnavailableError, ModelLoadError
from tpukit.inference import DEVICES, Device, HasSensor, benchmark, devices, get_device, read_model, stated_peaks
from tpukit.inference._pycoral import PycoralDevice, installed_pycoral
from tpukit.testing import DeviceContract

STAND_IN = Path(__file__).parent / "stand_ins/pycoral"
REEFS = "Simple CLI for Allen Coral Atlas"
FAILED = "Failed to load delegate from libedgetpu.so.1\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder at the front of `sys.path`, where what Google's pycoral needs is installed."""
    folder = tmp_path / "site"
    distribution(folder, "tflite-runtime", "2.14.0")
    distribution(folder, "numpy", "1.26.4")
    monkeypatch.syspath_prepend(folder)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "pycoral"]:
        del sys.modules[name]


@pytest.fixture
def edgetpu(site: Path) -> Any:
    """The stand-in's pycoral.utils.edgetpu, whose Edge TPU computes a product for `custom_op`."""
    distribution(site, "pycoral", "2.0.0", summary="Coral Python API")
    shutil.copytree(STAND_IN, site / "pycoral")
    module = import_module("pycoral.utils.edgetpu")
    module.uncompiled = _models.dense(n=8, m=4)
    return module


class TestPycoral(DeviceContract):
    @pytest.fixture(autouse=True)
    def _file(self, edgetpu: Any, model_file: Callable[..., Path]) -> None:
        self._path = model_file("custom_op")

    def device(self) -> Device:
        return DEVICES["pycoral"]

    def model(self) -> Path:
        return self._path


def partly_compiled() -> bytes:
    """One operator for the Edge TPU, then two for the processor."""
    graph = _models.Graph()
    tensors = [graph.tensor(name, [1, 4]) for name in "xabc"]
    graph.op("CUSTOM", tensors[:1], tensors[1:2], custom="edgetpu-custom-op")
    for into, out in pairwise(tensors[1:]):
        graph.op("NEG", [into], [out])
    return graph.content(tensors[:1], tensors[-1:])


@pytest.mark.parametrize(
    ("given", "name", "opened"),
    [
        ("pycoral", "pycoral", None),
        ("pycoral:usb", "pycoral:usb", "usb"),
        ("pycoral:usb:1", "pycoral:usb:1", "usb:1"),
        ("pycoral:pci", "pycoral:pci", "pci"),
        ("pycoral:pci:0", "pycoral:pci:0", "pci:0"),
        ("pycoral:2", "pycoral:2", ":2"),
        ("pycoral::2", "pycoral:2", ":2"),
    ],
)
def test_a_place_reaches_pycoral_as_it_writes_it(
    given: str, name: str, opened: str | None, edgetpu: Any, model_file: Callable[..., Path]
) -> None:
    device = get_device(given)
    assert (device.name, get_device(device.name).name) == (name, name)
    get_device(device.name).load(read_model(model_file("custom_op")), threads=1, batch=1).close()
    assert edgetpu.opened == [opened]


@pytest.mark.parametrize("place", ["isa", "usb:x", "usb0", "usb:0:1", "usb:-1", ":", "²"])
def test_a_place_that_there_cannot_be_is_refused(place: str) -> None:
    with pytest.raises(ConfigError, match=r"^device pycoral has no place .*: expected usb, usb:N, pci, pci:N or N$"):
        get_device(f"pycoral:{place}")


def test_options_are_those_of_another_device() -> None:
    with pytest.raises(ConfigError, match=r"^device pycoral takes no options, got performance: .*edgetpu has them$"):
        get_device("pycoral:usb,performance=low")


@pytest.mark.parametrize("given", ["pycoral:usb:2", "pycoral:pci:1", "pycoral:3"])
def test_where_nothing_is_plugged_in_says_what_is(given: str, edgetpu: Any, model_file: Callable[..., Path]) -> None:
    message = (
        f"^no Edge TPU is at {given}: pycoral lists pci /dev/apex_0, "
        r"usb /sys/bus/usb/devices/2-1, usb /sys/bus/usb/devices/2-2$"
    )
    with pytest.raises(DeviceUnavailableError, match=message):
        get_device(given).runtime()
    with pytest.raises(DeviceUnavailableError, match=message):
        get_device(given).load(read_model(model_file("custom_op")), threads=1, batch=1)


def test_without_an_edge_tpu_the_table_says_so(edgetpu: Any) -> None:
    assert devices().set_index("device").loc["pycoral", "runtime"] == "pycoral 2.0.0, libedgetpu RuntimeVersion(14)"
    edgetpu.listed = []
    row = devices().set_index("device").loc["pycoral"]
    assert not row["usable"]
    assert row["reason"].startswith("no Edge TPU is plugged in: plug one in")


def test_a_run_tells_what_ran_on_the_tpu(edgetpu: Any, tmp_path: Path, private_home: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(partly_compiled())
    edgetpu.uncompiled = _models.identity()
    _edgetpu_tree.pci(tmp_path, 0)
    result = benchmark(path, PycoralDevice(place="pci", root=tmp_path), duration_s=0.001, min_queries=1)
    run = result.run.iloc[0]
    assert run[["device", "ops", "ops_on_device"]].tolist() == ["pycoral:pci", 3, 1]
    assert run["runtime"] == "pycoral 2.0.0, libedgetpu RuntimeVersion(14)"
    assert "2 of 3 ops ran on the CPU" in result.warnings
    assert "Edge TPU, PCIe (as stated by its maker)" in result.summary["limit"].item()


@pytest.mark.parametrize(("place", "kind"), [("usb:0", "edgetpu usb2"), ("2", "edgetpu usb3"), ("0", "edgetpu pci")])
def test_the_link_is_that_of_the_device_that_pycoral_names(
    place: str, kind: str, edgetpu: Any, tmp_path: Path, model_file: Callable[..., Path]
) -> None:
    model = read_model(model_file("custom_op"))
    root = tmp_path / "root"
    _edgetpu_tree.usb(root, "2-1", speed="480", number=3)
    _edgetpu_tree.usb(root, "2-2", speed="5000", number=4)
    _edgetpu_tree.pci(root, 0)
    known = PycoralDevice(place=place, root=root).load(model, threads=1, batch=1).facts.peaks
    assert known == stated_peaks(kind)
    unknown = PycoralDevice(place=place, root=tmp_path / "nothing").load(model, threads=1, batch=1).facts.peaks
    assert unknown.bytes_per_s == stated_peaks("edgetpu usb3").bytes_per_s
    assert unknown.source.endswith("the fastest link, for its own is not known")


@pytest.mark.parametrize(("place", "sensor"), [("", "apex_0"), ("pci", "apex_0"), ("usb", "cpu")])
def test_energy_and_heat_are_those_of_the_driver_on_pcie(place: str, sensor: str, tmp_path: Path) -> None:
    _edgetpu_tree.usb(tmp_path)
    _edgetpu_tree.pci(tmp_path, 0)
    device = PycoralDevice(place=place, root=tmp_path)
    assert isinstance(device, HasSensor)
    assert device.sensor == sensor


def test_a_model_that_is_not_compiled_is_refused(edgetpu: Any) -> None:
    with pytest.raises(ModelLoadError, match=r"^model digits_cnn_int8: 0 of \d+ ops on the TPU: .*edgetpu_compiler"):
        benchmark("digits_cnn_int8", "pycoral")
    assert edgetpu.opened == []


@pytest.mark.parametrize(("threads", "batch", "message"), [(2, 1, "runs in 1 thread, got 2"), (1, 2, "batch of 2")])
def test_what_pycoral_cannot_do_is_refused(
    threads: int, batch: int, message: str, edgetpu: Any, model_file: Callable[..., Path]
) -> None:
    edgetpu.uncompiled = _models.reshaped()  # refuses another batch, as a compiled model does
    with pytest.raises(ModelLoadError, match=message):
        get_device("pycoral").load(read_model(model_file("custom_op")), threads=threads, batch=batch)


def test_a_damaged_file_never_reaches_pycoral(edgetpu: Any, tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(_models.custom_op()[:-40])
    with pytest.raises(ModelLoadError, match=r"^model broken is damaged or truncated: "):
        benchmark(path, "pycoral")
    assert edgetpu.opened == []


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (ValueError(FAILED), DeviceUnavailableError, "libedgetpu opens no Edge TPU and gives no reason: see that it"),
        (ValueError(f"{FAILED}no firmware"), DeviceUnavailableError, "libedgetpu opens no Edge TPU: no firmware$"),
        (RuntimeError("bad\nop"), ModelLoadError, "model custom_op: bad op$"),
        (
            RuntimeError("Unsupported data type in custom op handler"),
            ModelLoadError,
            "model custom_op: libedgetpu does",
        ),
    ],
)
def test_a_failure_is_one_line(
    failure: Exception, kind: type[Exception], message: str, edgetpu: Any, model_file: Callable[..., Path]
) -> None:
    def fail(content: bytes, device: str | None = None) -> Any:
        raise failure

    edgetpu.make_interpreter = fail
    with pytest.raises(kind, match=f"^{message}"):
        benchmark(model_file("custom_op"), "pycoral")


def unusable() -> str:
    row = devices().set_index("device").loc["pycoral"]
    assert not row["usable"]
    return str(row["reason"])


@pytest.mark.parametrize(
    ("summary", "what"), [(REEFS, "a coral-reef tool"), ("Corals", "which has no pycoral.utils.edgetpu")]
)
def test_a_package_of_that_name_is_not_googles(site: Path, summary: str, what: str) -> None:
    distribution(site, "pycoral", "0.2.0", summary=summary)
    untouchable(site, "pycoral/__init__.py", "pycoral/pycoral.py")
    assert unusable() == (
        f"the pycoral installed here (version 0.2.0, {what}) is not Google's; "
        "tpukit does not need it: use device edgetpu"
    )


def test_looking_at_googles_imports_nothing(site: Path) -> None:
    untouchable(site, "pycoral/__init__.py", "pycoral/utils/__init__.py", "pycoral/utils/edgetpu.py")
    found = installed_pycoral()
    assert found is not None
    assert (found.is_googles, found.version) == (True, "")


def test_a_folder_of_that_name_is_no_package(tmp_path: Path) -> None:
    (tmp_path / "pycoral" / "docs").mkdir(parents=True)
    assert installed_pycoral([str(tmp_path)]) is None


def test_without_pycoral_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpukit.inference._pycoral.installed_pycoral", lambda: None)
    assert unusable() == "Google's pycoral is not installed; tpukit does not need it: use device edgetpu"


def test_googles_pycoral_needs_a_tflite_runtime_that_works(site: Path) -> None:
    untouchable(site, "pycoral/__init__.py", "pycoral/utils/__init__.py", "pycoral/utils/edgetpu.py")
    for info in site.glob("numpy-*"):
        shutil.rmtree(info)
    distribution(site, "numpy", "2.1.0")
    assert unusable().startswith("tflite-runtime 2.14.0 needs NumPy 1 and would fail with NumPy 2.1.0")


def test_a_pycoral_that_cannot_be_imported_says_why(site: Path) -> None:
    untouchable(site, "pycoral/__init__.py", "pycoral/utils/__init__.py")
    for module in ("__init__", "utils/__init__"):
        (site / f"pycoral/{module}.py").write_text("")
    (site / "pycoral/utils/edgetpu.py").write_text("raise ImportError('libedgetpu.so.1: cannot open shared object')")
    assert unusable() == "pycoral cannot be imported: libedgetpu.so.1: cannot open shared object"
