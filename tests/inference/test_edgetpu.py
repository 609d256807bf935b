"""The device edgetpu, against a stand-in for libedgetpu that makes the system calls of the real one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.inference import _edgetpu_tree as tree
from tests.inference import _models
from tpukit.errors import ConfigError, DeviceUnavailableError, ModelLoadError
from tpukit.inference import Addressed, Device, EdgeTPU, HasFacts, Model, benchmark, get_device, read_model
from tpukit.inference._edgetpu_library import version_text
from tpukit.testing import DeviceContract


@pytest.fixture
def tpu(libedgetpu: Path, tmp_path: Path) -> EdgeTPU:
    """The stand-in, on a machine that shows nothing of its own."""
    return EdgeTPU(library=str(libedgetpu), root=tmp_path / "nowhere")


class TestStandIn(DeviceContract):
    @pytest.fixture(autouse=True)
    def _device(self, tpu: EdgeTPU, model_file: Callable[..., Path]) -> None:
        self._tpu, self._path = tpu, model_file("compiled")

    def device(self) -> Device:
        return self._tpu

    def model(self) -> Path:
        return self._path


class TestPartlyCompiled(TestStandIn):
    @pytest.fixture(autouse=True)
    def _partly(self, _device: None, model_file: Callable[..., Path]) -> None:
        self._path = model_file("compiled", name="partly", tpu_ops=2, cpu_ops=3)


@pytest.mark.parametrize(
    ("given", "name", "options"),
    [
        ("edgetpu", "edgetpu", {}),
        ("edgetpu:usb", "edgetpu:usb", {"device": "usb"}),
        ("edgetpu:usb:0", "edgetpu:usb:0", {"device": "usb:0"}),
        ("edgetpu:pci:1", "edgetpu:pci:1", {"device": "pci:1"}),
        ("edgetpu:1", "edgetpu:1", {"device": ":1"}),
        ("edgetpu::1", "edgetpu:1", {"device": ":1"}),
        ("edgetpu:usb:1,performance=low", "edgetpu:usb:1,performance=low", {"device": "usb:1", "Performance": "Low"}),
        # libedgetpu reads options of a device with a number alone
        ("edgetpu,performance=max", "edgetpu:0,performance=max", {"device": ":0", "Performance": "Max"}),
        (
            "edgetpu:usb,usb_max_bulk_in_queue_length=0,usb_always_dfu=false",
            "edgetpu:usb:0,usb_always_dfu=false,usb_max_bulk_in_queue_length=0",
            {"device": "usb:0", "Usb.AlwaysDfu": "False", "Usb.MaxBulkInQueueLength": "0"},
        ),
        ("edgetpu:pci,performance=low", "edgetpu:pci:0,performance=low", {"device": "pci:0", "Performance": "Low"}),
        ("edgetpu,library=/l.so", "edgetpu,library=/l.so", {}),
    ],
)  # fmt: skip
def test_a_place_and_options_become_those_of_libedgetpu(given: str, name: str, options: Mapping[str, str]) -> None:
    device = get_device(given)
    assert isinstance(device, EdgeTPU)
    assert (device.name, device.delegate_options()) == (name, options)
    # what stands in a history names the same device again
    again = get_device(name)
    assert isinstance(again, EdgeTPU)
    assert (again.name, again.delegate_options()) == (name, options)


def test_it_is_addressed_and_known_by_its_name() -> None:
    assert isinstance(EdgeTPU(), Addressed)
    assert get_device("edgetpu") == EdgeTPU()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("edgetpu:gpu", "expected usb, pci, usb:0, pci:0 or :0"),
        ("edgetpu:usb:x", "expected usb, pci"),
        ("edgetpu:usb:-1", "expected usb, pci"),
        ("edgetpu,performance=fast", "performance is 'fast': expected low, medium, high, max"),
        ("edgetpu,performance=Low", "performance is 'Low': expected low"),
        ("edgetpu,usb_always_dfu=yes", "usb_always_dfu is 'yes': expected true or false"),
        ("edgetpu,usb_max_bulk_in_queue_length=256", "is 256: expected 0 to 255"),
        ("edgetpu,usb_max_bulk_in_queue_length=-1", "is '-1': expected 0 to 255"),
        ("edgetpu:pci,usb_always_dfu=true", "options of USB do not go with the place pci"),
        ("edgetpu,speed=9", "edgetpu has no option 'speed': it has performance, usb_always_dfu"),
    ],
)
def test_what_there_cannot_be_is_refused(given: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        get_device(given)


def test_options_reach_the_library_verbatim(tpu: EdgeTPU, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_EDGETPU_LOG", str(tmp_path / "log"))
    given = {"performance": "high", "usb_always_dfu": "true", "usb_max_bulk_in_queue_length": "64"}
    device = tpu.at("usb:0", given)
    device.load(_compiled(tmp_path), threads=1, batch=1).close()
    assert (tmp_path / "log").read_text().splitlines() == [
        "device=usb:0",
        "Performance=High",
        "Usb.AlwaysDfu=True",
        "Usb.MaxBulkInQueueLength=64",
    ]


def test_the_runtime_names_both_versions_and_the_file(tpu: EdgeTPU, libedgetpu: Path) -> None:
    said = tpu.runtime()
    assert said.startswith("ai-edge-litert ")
    assert said.endswith(f", libedgetpu runtime 14, build 12345 ({libedgetpu.resolve()})")


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("BuildLabel(N/A), RuntimeVersion(14)", "runtime 14"),
        ("BuildLabel(COMPILER=6,CL_NUMBER=317268237), RuntimeVersion(13)", "runtime 13, build 317268237"),
        ("something else", "something else"),
        ("", "of unknown version"),
    ],
)
def test_a_version_is_read_as_far_as_it_is_told(said: str, text: str) -> None:
    assert version_text(said) == text


@pytest.mark.parametrize(
    ("plugged", "place", "says"),
    [
        ("", "", "no Edge TPU is plugged in"),
        ("", "usb", "no Edge TPU is plugged in"),
        ("usb=/u", "pci", "no Edge TPU is at pci: libedgetpu lists 1, counted from 0: /u"),
        ("usb=/u;pci=/p", "usb:1", "no Edge TPU is at usb:1: libedgetpu lists 2, counted from 0: /u, /p"),
        ("usb=/u;pci=/p", ":2", "no Edge TPU is at :2"),
        ("usb=/u;pci=/p", ":1", None),
        ("usb=/u;pci=/p", "pci:0", None),
        ("usb=/u;pci=/p", "", None),
    ],
)
def test_what_libedgetpu_does_not_list_is_not_usable(
    plugged: str, place: str, says: str | None, tpu: EdgeTPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_EDGETPU_DEVICES", plugged)
    device = replace(tpu, place=place)
    if says is None:
        assert device.runtime()
        return
    with pytest.raises(DeviceUnavailableError, match=says):
        device.runtime()


def test_a_batch_goes_to_the_device_at_once(tpu: EdgeTPU, tmp_path: Path) -> None:
    model = _compiled(tmp_path)
    many, one = (tpu.load(model, threads=1, batch=batch) for batch in (3, 1))
    assert [tensor.shape for tensor in (*many.inputs, *many.outputs)] == [(3, 4), (3, 4)]
    rows = np.arange(12, dtype=np.int8).reshape(3, 4)
    (together,) = many.bind([(rows,)])(0)
    alone = [one.bind([(row[None],)])(0)[0] for row in rows]
    np.testing.assert_array_equal(together, np.concatenate(alone))
    assert len({tuple(row) for row in together}) == 3


def test_where_the_operators_run_is_known(tpu: EdgeTPU, model_file: Callable[..., Path]) -> None:
    partly = read_model(model_file("compiled", tpu_ops=2, cpu_ops=3))
    session = tpu.load(partly, threads=1, batch=1)
    assert isinstance(session, HasFacts)
    assert (session.facts.ops, session.facts.ops_on_device) == (5, 2)


@pytest.mark.parametrize("name", ["autoencoder_int8", "digits_cnn_int8"])
def test_a_model_that_is_not_compiled_is_refused(name: str, tpu: EdgeTPU) -> None:
    with pytest.raises(ModelLoadError, match=rf"^model {name}: 0 of \d+ ops on the TPU: .* --device cpu$"):
        benchmark(name, tpu, duration_s=0.01)


def test_a_run_is_kept_with_what_ran_on_the_processor(
    tpu: EdgeTPU, model_file: Callable[..., Path], quiet: None
) -> None:
    result = benchmark(model_file("compiled", tpu_ops=2, cpu_ops=3), tpu, duration_s=0.02)
    assert result.verdict == "VALID"
    assert result.warnings[0] == "3 of 5 ops ran on the CPU"
    assert result.summary["warnings"].item().startswith("3 of 5 ops ran on the CPU")
    assert result.run[["ops", "ops_on_device"]].iloc[0].tolist() == [5, 2]
    whole = benchmark(model_file("compiled"), tpu, duration_s=0.02)
    assert whole.run[["ops", "ops_on_device"]].iloc[0].tolist() == [1, 1]
    assert not any("on the CPU" in warning for warning in whole.warnings)


def test_of_the_processor_nobody_counts_operators(quiet: None) -> None:
    result = benchmark("digits_cnn_int8", "cpu", duration_s=0.01)
    assert result.run[["ops", "ops_on_device"]].isna().all(axis=None)


def test_a_process_shares_its_device_until_the_last_session_is_closed(
    tpu: EdgeTPU, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tree.pci(tmp_path)
    monkeypatch.setenv("FAKE_EDGETPU_NODE", str(node))
    sessions = [tpu.load(_compiled(tmp_path), threads=1, batch=batch) for batch in (1, 2)]
    for session in sessions:
        assert _is_open(node)
        session.close()
    assert not _is_open(node)


def test_a_batch_is_checked_on_the_device_that_its_process_holds(
    tpu: EdgeTPU, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quiet: None
) -> None:
    node = tree.pci(tmp_path)
    monkeypatch.setenv("FAKE_EDGETPU_NODE", str(node))
    assert benchmark(_compiled(tmp_path), tpu, batch=2, duration_s=0.02).verdict == "VALID"
    assert not _is_open(node)


def test_a_device_is_not_opened_for_a_model_that_it_does_not_run(
    tpu: EdgeTPU, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_EDGETPU_LOG", str(tmp_path / "log"))
    with pytest.raises(ModelLoadError, match="0 of 1 ops on the TPU"):
        tpu.load(_named(tmp_path, _models.quantised()), threads=1, batch=1)
    assert not (tmp_path / "log").exists()


def test_a_refused_model_leaves_the_device_free_while_its_error_is_kept(
    tpu: EdgeTPU, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tree.pci(tmp_path)
    monkeypatch.setenv("FAKE_EDGETPU_NODE", str(node))
    monkeypatch.setenv("FAKE_EDGETPU_KERNEL", "no memory")
    with pytest.raises(ModelLoadError) as kept:
        tpu.load(_compiled(tmp_path), threads=1, batch=1)
    assert "no memory" in str(kept.value)
    assert not _is_open(node)


def _compiled(folder: Path) -> Model:
    return _named(folder, _models.compiled())


def _named(folder: Path, content: bytes) -> Model:
    path = folder / "c.tflite"
    path.write_bytes(content)
    return read_model(path)


def _is_open(node: Path) -> bool:
    """Return whether this process has a file open."""
    return any(link.exists() and link.samefile(node) for link in Path("/proc/self/fd").iterdir())
