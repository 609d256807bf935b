"""Every way in which an Edge TPU fails that a stand-in can fail in too: recognised, with what to do."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.inference import _edgetpu_tree as tree
from tpukit.errors import DeviceError, DeviceUnavailableError, ModelLoadError
from tpukit.inference import EdgeTPU, Model, benchmark, devices, read_model
from tpukit.inference._edgetpu_library import EdgeTPULibrary

HOLD = """
import sys
from pathlib import Path
from tpukit.inference import EdgeTPU, read_model
held = EdgeTPU(library=sys.argv[1], root=Path("/nowhere")).load(read_model(sys.argv[2]), threads=1, batch=1)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def tpu(libedgetpu: Path, tmp_path: Path) -> EdgeTPU:
    """The stand-in, on a machine whose sysfs a test writes."""
    (tmp_path / "sys/bus").mkdir(parents=True)
    return EdgeTPU(library=str(libedgetpu), root=tmp_path)


@pytest.fixture
def compiled(model_file: Callable[..., Path]) -> Model:
    return read_model(model_file("compiled"))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that tells the stand-in what to do."""

    def tell(**what: object) -> None:
        for name, value in what.items():
            monkeypatch.setenv(f"FAKE_EDGETPU_{name.upper()}", str(value))

    return tell


@pytest.fixture
def without_symbol(tmp_path: Path, c_compiler: str) -> Path:
    """A library that is no delegate."""
    path = tmp_path / "libother.so"
    subprocess.run([c_compiler, "-shared", "-fPIC", "-x", "c", "-o", str(path), "-"], input=b"int x;", check=True)
    return path


def load(device: EdgeTPU, model: Model) -> None:
    device.load(model, threads=1, batch=1).close()


# ---- the library ----


def test_a_missing_library_is_said_in_one_sentence(compiled: Model) -> None:
    absent = EdgeTPU(library="/nowhere/libedgetpu.so.1")
    for use in (absent.runtime, lambda: load(absent, compiled)):
        with pytest.raises(
            DeviceUnavailableError, match=r"^/nowhere/libedgetpu\.so\.1 is not installed.*libedgetpu1-std"
        ):
            use()


def test_a_library_without_the_symbol_is_no_delegate(without_symbol: Path, compiled: Model) -> None:
    device = EdgeTPU(library=str(without_symbol))
    for use in (device.runtime, lambda: load(device, compiled)):
        with pytest.raises(DeviceUnavailableError, match=r"is no TFLite delegate.*give the path of libedgetpu"):
            use()


def test_a_library_in_the_home_of_nobody_is_said(compiled: Model) -> None:
    device = EdgeTPU(library="~nobody-of-that-name/libedgetpu.so.1")
    for use in (device.runtime, lambda: load(device, compiled)):
        with pytest.raises(DeviceUnavailableError, match=r"^~nobody-of-that-name/libedgetpu\.so\.1 is not installed"):
            use()


@pytest.mark.parametrize("content", [b"", b"no library at all", b"\x7fELF\x01" + b"\0" * 99])
def test_a_file_that_is_no_library_says_so(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "libedgetpu.so.1"
    path.write_bytes(content)
    with pytest.raises(DeviceUnavailableError, match=r"libedgetpu\.so\.1 is no library for this processor \(.*install"):
        EdgeTPU(library=str(path)).runtime()


# ---- opening the device ----


def test_a_reason_of_the_library_is_passed_on(tpu: EdgeTPU, compiled: Model, fake: Callable[..., None]) -> None:
    fake(create="Failed to open the device: no memory")
    with pytest.raises(DeviceUnavailableError, match=r"opens no Edge TPU: Failed to open the device: no memory$"):
        load(tpu, compiled)


def test_nothing_plugged_in_is_said_without_a_reason_from_the_library(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None]
) -> None:
    fake(devices="")
    for use in (tpu.runtime, lambda: load(tpu, compiled)):
        with pytest.raises(DeviceUnavailableError, match="no Edge TPU is plugged in: plug one in"):
            use()


def test_a_kernel_without_the_driver_is_said(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None], tmp_path: Path
) -> None:
    tree.undriven(tmp_path)
    fake(devices="")
    for use in (tpu.runtime, lambda: load(tpu, compiled)):
        with pytest.raises(DeviceUnavailableError, match=r"kernel module apex.*gasket-dkms.*modprobe apex"):
            use()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Give up root's right to open whatever it wants; another user has none to give up."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_no_permission_is_the_same_system_call_and_names_rule_and_group(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None], open_folder: Path
) -> None:
    node, device = tree.usb(open_folder), replace(tpu, root=open_folder)
    assert device.runtime()
    node.chmod(0)
    fake(node=node)
    with as_nobody():
        for use in (device.runtime, lambda: load(device, compiled)):
            with pytest.raises(DeviceUnavailableError, match=r"may not open /dev/bus/usb/\S+ \(-{10} .*-aG plugdev"):
                use()


def test_a_device_held_by_another_process_names_it(
    tpu: EdgeTPU,
    compiled: Model,
    fake: Callable[..., None],
    tmp_path: Path,
    model_file: Callable[..., Path],
    child_environment: dict[str, str],
) -> None:
    node = tree.pci(tmp_path)
    (tmp_path / "proc").symlink_to("/proc")
    fake(node=node)
    environment = child_environment | {"FAKE_EDGETPU_NODE": str(node)}
    command = [sys.executable, "-c", HOLD, str(tpu.library), str(model_file("compiled", name="held"))]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(DeviceUnavailableError, match=rf"/dev/apex_0 is held by process {other.pid} \(.*\): end it"):
            load(tpu, compiled)
        other.communicate("")
    load(tpu, compiled)


def test_a_device_that_is_listed_and_not_shown_is_not_said_to_be_missing(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "sys/bus").mkdir(parents=True, exist_ok=True)
    fake(node=tmp_path)  # a folder, which nobody can open for writing
    with pytest.raises(DeviceUnavailableError, match=r"gives no reason: see that .* no other process uses it"):
        load(tpu, compiled)


def test_a_library_that_lists_nothing_is_taken_at_the_kernels_word(
    tpu: EdgeTPU, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EdgeTPULibrary, "devices", lambda library: None)
    with pytest.raises(DeviceUnavailableError, match="no Edge TPU is plugged in"):
        tpu.runtime()
    for number in (1, 2):
        tree.usb(tmp_path, f"2-{number}", number=number)
    assert replace(tpu, place="usb:1").runtime()


def test_where_nothing_shows_what_is_left_is_said(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None], tmp_path: Path
) -> None:
    tree.usb(tmp_path, "2-1")
    fake(node=tmp_path)  # a folder, which nobody can open for writing
    with pytest.raises(DeviceUnavailableError, match="although /sys/bus/usb/devices/2-1 may be opened"):
        load(tpu, compiled)


def test_where_the_kernel_shows_nothing_nothing_is_claimed(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None], tmp_path: Path
) -> None:
    fake(node=tmp_path)
    with pytest.raises(DeviceUnavailableError, match="gives no reason: see that it is plugged in"):
        load(replace(tpu, root=tmp_path / "nowhere"), compiled)


# ---- handing the model over ----


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"prepare": "Internal: none"}, "^model compiled: libedgetpu refuses it: Internal: none: compile it again"),
        ({"kernel": "Internal: Unsupported data type in custom op handler: 0"}, "does not fit the runtime.*feranick"),
        (
            {"kernel": "Failed precondition: Package requires runtime version (14), which is newer than this runtime "
             "version (13)."},
            "runtime 14, and the libedgetpu here has 13: update libedgetpu.*--min_runtime_version 13",
        ),
        ({"kernel": "Something new"}, "libedgetpu refuses it: Something new: compile it again"),
        ({"claim": 0}, "^model compiled: libedgetpu took none of its operators"),
    ],
    ids=["Prepare", "data type", "newer runtime", "unknown", "none taken"],
)  # fmt: skip
def test_a_refused_model_says_why_also_in_a_benchmark(
    told: dict[str, object], says: str, tpu: EdgeTPU, compiled: Model, fake: Callable[..., None]
) -> None:
    fake(**told)
    for use in (lambda: load(tpu, compiled), lambda: benchmark(compiled, tpu, duration_s=0.01)):
        with pytest.raises(ModelLoadError, match=says) as caught:
            use()
        assert "\n" not in str(caught.value)
        assert "Node number" not in str(caught.value)


@pytest.mark.parametrize("content", [b"hello world this is not a model", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 99])
def test_what_is_no_model_is_refused_as_anywhere(content: bytes, tpu: EdgeTPU) -> None:
    with pytest.raises(ModelLoadError, match=r"is not a TFLite file|is damaged or truncated"):
        load(tpu, Model(name="broken", content=content, sha256="0"))


@pytest.mark.parametrize(
    ("sample", "says"),
    [
        (np.zeros((1, 4), np.float64), "^input 0 takes int8, and was given float64: convert the data to int8$"),
        (np.zeros((1, 9), np.int8), "^axis 1 of input 0 has 4 elements, and was given 9: give data of its shape$"),
    ],
)
def test_data_that_does_not_fit_says_what_would(sample: np.ndarray, says: str, tpu: EdgeTPU, compiled: Model) -> None:
    session = tpu.load(compiled, threads=1, batch=1)
    with pytest.raises(DeviceError, match=says):
        session.bind([(sample,)])(0)
    session.close()


# ---- running ----


def test_a_device_taken_away_leaves_what_was_measured(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None], quiet: None
) -> None:
    # a warm-up of five parts of 0.02 s holds 500 queries of 0.2 ms at most
    fake(latency_us=200, gone_after=1500)
    result = benchmark(compiled, tpu, duration_s=0.2, min_queries=3000)
    assert result.verdict == "INVALID"
    assert "the Edge TPU stopped answering" in "; ".join(result.reasons)
    *ended, last = result.samples["status"]
    assert (set(ended), last) == ({"ok"}, "error")
    assert "plug it in again" in str(result.samples["error"].iloc[-1])
    assert 900 < len(ended) < 1500
    assert result.summary["min_s"].item() >= 200e-6
    assert result.run["runtime"].item().startswith("ai-edge-litert")


def test_what_was_known_before_it_was_taken_away_is_kept_too(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None], quiet: None
) -> None:
    """After the run nothing is asked of the device any more."""
    fake(gone_after=5000)
    answers = iter([True])

    class Once(EdgeTPU):
        def runtime(self) -> str:
            assert next(answers, False), "it was asked again"
            return "once"

    once = Once(library=tpu.library, root=tpu.root)
    assert benchmark(compiled, once, duration_s=60).run["runtime"].item() == "once"


def test_a_device_gone_at_the_first_inference_is_an_error(
    tpu: EdgeTPU, compiled: Model, fake: Callable[..., None]
) -> None:
    fake(gone_after=0)
    with pytest.raises(DeviceError, match="the Edge TPU stopped answering"):
        benchmark(compiled, tpu, duration_s=0.01)


def test_the_table_of_devices_says_why_it_is_not_usable() -> None:
    row = devices().set_index("device").loc["edgetpu"]
    if row["usable"]:
        pytest.skip("this machine has an Edge TPU")
    assert row["reason"]
    assert "\n" not in row["reason"]
