"""The devices that come with tpukit: their contract, their table, their answers, their silence."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, version
from pathlib import Path

import numpy as np
import pytest

from tests.inference import _models
from tpukit import registry, schema
from tpukit.errors import DeviceError, DeviceUnavailableError, ModelLoadError
from tpukit.inference import DEVICES, Device, Model, _devices, benchmark, devices, get_device, read_model
from tpukit.inference._inputs import random_samples
from tpukit.registry import Registry
from tpukit.testing import DeviceContract, FakeDevice, ManualClock


class TestCpu(DeviceContract):
    def device(self) -> Device:
        return DEVICES["cpu"]

    def model(self) -> str:
        return "digits_cnn_int8"


class TestReference(DeviceContract):
    def device(self) -> Device:
        return DEVICES["reference"]

    def model(self) -> str:
        return "digits_cnn_float32"


class TestCpuWithSeveralInputs(DeviceContract):
    @pytest.fixture(autouse=True)
    def _file(self, model_file: Callable[..., Path]) -> None:
        self._path = model_file("two_by_two")

    def device(self) -> Device:
        return DEVICES["cpu"]

    def model(self) -> Path:
        return self._path


class TestFake(DeviceContract):
    def device(self) -> Device:
        return FakeDevice([0.001], clock=ManualClock())

    def model(self) -> str:
        return "digits_cnn_int8"


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("dense", 0),
        ("two_by_two", 0),
        ("digits_cnn_float32", 0),
        ("quantised", 1),
        ("autoencoder_int8", 1),
        ("ds_cnn_int8", 1),
        ("resnet8_int8", 1),
    ],
)
def test_cpu_and_reference_agree(name: str, steps: int, tmp_path: Path) -> None:
    if hasattr(_models, name):
        (tmp_path / name).write_bytes(getattr(_models, name)())
        model = read_model(tmp_path / name)
    else:
        model = read_model(name)
    sessions = [DEVICES[device].load(model, threads=1, batch=1) for device in ("cpu", "reference")]
    samples = random_samples(sessions[0].inputs, np.random.default_rng(0))[:16]
    queries = [session.bind(samples) for session in sessions]
    varied = set()
    for index in range(len(samples)):
        for optimised, plain in zip(*[query(index) for query in queries], strict=True):
            varied.add(plain.tobytes())
            if plain.dtype.kind in "iu":
                assert np.abs(optimised.astype(int) - plain.astype(int)).max() <= steps
            else:
                np.testing.assert_allclose(optimised, plain, rtol=1e-4, atol=1e-5)
    assert len(varied) > 1


def test_cpu_and_reference_meet_the_same_labels() -> None:
    # the softmax of a trained model makes many steps of one step of a logit, but no other class
    found = [
        benchmark("digits_cnn_int8", device, duration_s=0.001, min_queries=1).summary["accuracy"].item()
        for device in ("cpu", "reference")
    ]
    assert found[0] == pytest.approx(found[1], abs=0.01)
    assert min(found) > 0.9


def test_a_product_is_the_one_that_numpy_computes(model_file: Callable[..., Path]) -> None:
    x = np.arange(8, dtype=np.float32)[None]
    weights = np.random.default_rng(3).standard_normal((4, 8))
    for name in ("cpu", "reference"):
        session = DEVICES[name].load(read_model(model_file("dense", seed=3)), threads=1, batch=1)
        (y,) = session.bind([(x,)])(0)
        np.testing.assert_allclose(y, x @ weights.T, rtol=1e-5)


def test_outputs_of_one_query_are_not_overwritten_by_the_next(model_file: Callable[..., Path]) -> None:
    session = DEVICES["cpu"].load(read_model(model_file("identity")), threads=1, batch=1)
    query = session.bind([(np.full((1, 4), value, dtype=np.float32),) for value in (1, 2)])
    (first,), _ = query(0), query(1)
    np.testing.assert_array_equal(first, np.ones((1, 4)))


def test_the_table_says_what_can_run() -> None:
    table = schema.check(devices(), schema.DEVICES).set_index("device")
    assert table.index.tolist() == list(DEVICES)
    assert table.loc[["cpu", "reference"], "usable"].all()
    assert table.loc["cpu", "runtime"] == f"ai-edge-litert {version('ai-edge-litert')}"
    assert table["reason"][table["usable"]].isna().all()
    assert table["about"].str.len().min() > 10


def test_the_table_says_why_others_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    class Absent(FakeDevice):
        def runtime(self) -> str:
            raise DeviceUnavailableError("no driver: install it")

    points = [EntryPoint(name="plug", value="no_such_module:device", group="tpukit.devices")]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    known = Registry[Device]("device", entry_point="tpukit.devices")
    known.add("absent", Absent([1.0], clock=ManualClock()))
    known.add("fake", FakeDevice([1.0], clock=ManualClock()))
    monkeypatch.setattr(_devices, "DEVICES", known)
    table = schema.check(devices(), schema.DEVICES).set_index("device")
    assert table["usable"].to_dict() == {"absent": False, "fake": True, "plug": False}
    assert table.loc["absent", "reason"] == "no driver: install it"
    assert "no_such_module" in table.loc["plug", "reason"]


def test_without_litert_the_device_is_unavailable(monkeypatch: pytest.MonkeyPatch, toy: Model) -> None:
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(DeviceUnavailableError, match=r"^ai-edge-litert cannot be imported: "):
        DEVICES["cpu"].runtime()
    assert not devices().set_index("device")["usable"]["cpu"]


def test_a_device_is_found_by_name_or_taken_as_it_is(clock: ManualClock) -> None:
    assert get_device("cpu") is DEVICES["cpu"]
    fake = FakeDevice([1.0], clock=clock)
    assert get_device(fake) is fake


def test_a_sample_of_another_type_is_a_device_error(model_file: Callable[..., Path]) -> None:
    for builder, sample in (
        ("identity", (np.zeros((1, 4), dtype=np.int8),)),
        ("two_by_two", (np.zeros((1, 4), dtype=np.float32),)),
    ):
        session = DEVICES["cpu"].load(read_model(model_file(builder)), threads=1, batch=1)
        with pytest.raises(DeviceError):
            session.bind([sample])(0)


def test_nothing_is_written_and_what_is_written_later_arrives(
    model_file: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    benchmark(model_file("dense"), duration_s=0.001, min_queries=1, batch=2)
    with pytest.raises(ModelLoadError):
        benchmark(model_file("custom_op"))
    os.write(2, b"still here")
    assert capfd.readouterr() == ("", "still here")


def test_a_process_that_only_measures_has_nothing_on_its_streams(
    model_file: Callable[..., Path], child_environment: dict[str, str]
) -> None:
    # LiteRT greets on the first use in a process only
    script = "import os, sys, tpukit; tpukit.benchmark(sys.argv[1], duration_s=0.001); os.write(2, b'still here')"
    command = [sys.executable, "-c", script, str(model_file("dense"))]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100, env=child_environment)
    assert (done.stdout, done.stderr) == (b"", b"still here")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_loading_leaves_no_file_open(model_file: Callable[..., Path]) -> None:
    good, bad = read_model(model_file("dense")), read_model(model_file("custom_op"))

    def load_both() -> int:
        DEVICES["cpu"].load(good, threads=1, batch=1).close()
        with pytest.raises(ModelLoadError):
            DEVICES["cpu"].load(bad, threads=1, batch=1)
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 a listing opens one file of its own either way

    before = load_both()
    assert [load_both() for _ in range(5)] == [before] * 5
