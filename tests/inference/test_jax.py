"""The device of JAX on the CPU: what it measures, and what it says where it cannot."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")

import jax
import jax.numpy as jnp

from tests.inference._jax import PEAKS, WEIGHTS, array, dense, free, saved, set_peaks
from tpukit.errors import ConfigError, DeviceError, DeviceUnavailableError, ModelLoadError
from tpukit.inference import Device, Facts, HasSensor, Model, Tensor, _jax, benchmark, devices, get_device, jax_model
from tpukit.inference._jax import JaxDevice, JaxSession
from tpukit.inference._jax_program import Program
from tpukit.testing import DeviceContract, ManualClock


@pytest.fixture(autouse=True)
def known_peaks(monkeypatch: pytest.MonkeyPatch) -> None:
    set_peaks(monkeypatch)


class OnCpu(DeviceContract):
    address = "jax:cpu"

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self._path = saved(dense(), tmp_path)

    def device(self) -> Device:
        return get_device(self.address)

    def model(self) -> Path:
        return self._path


class TestCpu(OnCpu):
    pass


class TestResident(OnCpu):
    address = "jax:cpu,resident=true"


class TestReference(OnCpu):
    address = "jax:reference"


def load(model: Model, device: str = "jax:cpu", *, batch: int = 1, threads: int = 1) -> Any:
    return get_device(device).load(model, threads=threads, batch=batch)


@pytest.mark.parametrize("device", ["jax", "jax:cpu", "jax:reference", "jax:cpu,resident=true"])
def test_outputs_are_those_of_numpy(device: str) -> None:
    session = load(dense(), device, batch=3)
    x = np.random.default_rng(1).standard_normal((3, 8)).astype(np.float32)
    (y,) = session.bind([(x,)])(0)
    np.testing.assert_allclose(y, np.tanh(x @ WEIGHTS), rtol=1e-5)


def test_containers_are_flat_and_each_array_says_where_it_stands() -> None:
    given = {"a": array(1, 3), "b": array(2)}
    model = jax_model(lambda x: {"sum": x["a"] + 1, "n": x["b"]}, given, name="nested")
    session = load(model)
    found = [(tensor.name, tensor.shape) for tensor in session.inputs]
    assert found == [("args[0]['a']", (1, 3)), ("args[0]['b']", (2,))]
    assert [tensor.name for tensor in session.outputs] == ["result['n']", "result['sum']"]


class Pending:
    """An output that is computed when somebody waits for it, which takes 2 ms."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock, self.computed = clock, False

    def block_until_ready(self) -> "Pending":
        if not self.computed:
            self._clock.advance(0.002)
        self.computed = True
        return self

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.full((1, 2), float(self.computed), dtype=np.float32)


@pytest.mark.parametrize("resident", [False, True])
def test_a_query_waits_until_its_outputs_are_computed(
    resident: bool, toy: Model, clock: ManualClock, quiet: None
) -> None:
    one = Tensor(name="x", shape=(1, 2), dtype="float32")
    made: list[Pending] = []

    def run(*arrays: Any) -> list[Pending]:
        made.append(Pending(clock))
        return made[-1:]

    where = jax.sharding.SingleDeviceSharding(jax.devices("cpu")[0])
    program = Program(run=run, lowered=None, inputs=(one,), outputs=(one,), placements=(where,))

    class Asynchronous(JaxDevice):
        def load(self, model: Model, *, threads: int, batch: int) -> JaxSession:
            return JaxSession(program, facts=Facts(), resident=resident)

    result = benchmark(toy, Asynchronous(place="cpu"), duration_s=1.0, clock=clock)
    assert result.summary["p50_s"].item() == pytest.approx(0.002)
    assert all(output.computed for output in made)


def test_compiling_stands_apart_and_work_is_known() -> None:
    row = benchmark(dense(), "jax:cpu", duration_s=0.01, min_queries=1).summary.iloc[0]
    assert 0 < row["compile_s"] < row["load_s"]
    work = load(dense()).facts.work
    assert row["limit_value"] == pytest.approx((work.constant_bytes + work.io_bytes) / PEAKS.bandwidth(1))
    assert row["limit"].startswith("memory: ")


def test_compile_time_is_that_of_its_clock() -> None:
    class Ticking(ManualClock):
        def perf_ns(self) -> int:
            self.advance(1.5)
            return super().perf_ns()

    assert JaxDevice(place="cpu", clock=Ticking()).load(dense(), threads=1, batch=1).facts.compile_s == 1.5


def test_a_run_says_on_what_it_was(quiet: None) -> None:
    run = benchmark(dense(), "jax:cpu,resident=true", batch=4, duration_s=0.01, min_queries=1).run.iloc[0]
    assert run["device"] == "jax:cpu,resident=true"
    assert run["runtime"] == f"jax {jax.__version__} (cpu)"
    assert (run["threads"], run["batch"]) == (1, 4)


@pytest.mark.parametrize("address", ["jax", "jax:cpu", "jax:reference", "jax:tpu,chips=4", "jax:gpu,resident=true"])
def test_a_name_is_an_address(address: str) -> None:
    assert get_device(address).name == address


def test_one_chip_and_an_empty_place_are_left_out_of_the_name() -> None:
    assert get_device("jax:cpu,resident=true,chips=2").name == "jax:cpu,chips=2,resident=true"
    assert get_device("jax,chips=1").name == "jax"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("jax:npu", "jax has no place 'npu': expected cpu, gpu, tpu, reference, or jax alone"),
        ("jax:gpu:1", "CUDA_VISIBLE_DEVICES"),
        ("jax,chip=4", "jax has no option 'chip': expected chips=4, say, or resident=true"),
        ("jax,chips=0", "chips is '0': expected a whole number from 1 to 1024"),
        ("jax,chips=two", "chips is 'two'"),
        ("jax,resident=yes", "resident is 'yes': expected true"),
    ],
)
def test_what_is_no_address_is_refused(address: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        get_device(address)
    assert message in str(refused.value)


def test_threads_cannot_be_set() -> None:
    with pytest.raises(ConfigError, match=r"^threads is 2: JAX has no such setting, .* taskset"):
        load(dense(), threads=2)


@pytest.mark.parametrize(("address", "remedy"), [("jax:tpu", "Cloud TPU VM"), ("jax:gpu", "nvidia-smi")])
def test_a_platform_that_is_not_there_is_said_with_the_remedy(address: str, remedy: str) -> None:
    with pytest.raises(DeviceUnavailableError, match=rf"^JAX finds no {address[4:]}: .*{remedy}") as refused:
        get_device(address).runtime()
    assert "\n" not in str(refused.value)


def test_more_chips_than_there_are() -> None:
    with pytest.raises(DeviceUnavailableError, match=r"^jax:cpu,chips=64: JAX finds \d+ of kind cpu here"):
        load(dense(), "jax:cpu,chips=64")


def test_without_jax_the_device_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", None)
    row = devices().set_index("device").loc["jax"]
    assert (row["usable"], row["reason"]) == (False, "jax is not installed: pip install 'tpukit[jax]'")


def test_a_jax_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax.export", None)
    monkeypatch.delattr(jax, "export")
    with pytest.raises(DeviceUnavailableError, match=r"^jax cannot be imported: "):
        get_device("jax").runtime()


def test_the_table_of_devices_shows_jax() -> None:
    row = devices().set_index("device").loc["jax"]
    assert row["usable"]
    assert row["runtime"].startswith(f"jax {jax.__version__} (")


def test_a_fixed_export_has_one_batch() -> None:
    model = dense(array(2, 8))
    assert load(model).inputs[0].shape == load(model, batch=2).inputs[0].shape == (2, 8)
    with pytest.raises(
        ModelLoadError, match=r"^model dense is exported for inputs of the shape \(2, 8\), not for .* 3:"
    ):
        load(model, batch=3)


def test_a_free_export_takes_any_batch_and_inputs_without_one() -> None:
    model = jax_model(lambda x, scale: x @ WEIGHTS * scale, free("b, 8"), array(4), name="scaled")
    session = load(model, batch=5)
    assert [tensor.shape for tensor in (*session.inputs, *session.outputs)] == [(5, 8), (4,), (5, 4)]
    assert benchmark(model, "jax:cpu", batch=5, duration_s=0.01, min_queries=1).verdict == "VALID"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (lambda: [free("b, n")], r"^input args\[0\] of model f has the shape \(b, n\): fix all but the first"),
        (lambda: [free("2*b, 8")], r"^model f has the free dimensions 2\*b: export it with one name"),
        (list, r"^model f takes no inputs"),
        (lambda: [jax.eval_shape(lambda: jax.random.key(0))], r"^args\[0\] of model f is of type key<fry>: "),
    ],
)
def test_shapes_and_types_that_cannot_be_filled_in_are_refused(inputs: Any, message: str) -> None:
    model = jax_model(lambda *x: x or 1.0, *inputs(), name="f")
    with pytest.raises(ModelLoadError, match=message):
        load(model)


def test_two_free_names_are_refused() -> None:
    b, c = jax.export.symbolic_shape("b, c")
    given = [jax.ShapeDtypeStruct((size, 8), np.float32) for size in (b, c)]
    with pytest.raises(ModelLoadError, match=r"^model f has the free dimensions b, c: "):
        load(jax_model(lambda x, y: (x, y), *given, name="f"))


def test_an_export_for_another_platform_says_so() -> None:
    with pytest.raises(
        ModelLoadError, match=r"^model dense is exported for tpu, not for cpu: export it with .*platforms"
    ):
        load(dense(platforms=["tpu"]))


def test_types_of_64_bits_need_a_setting() -> None:
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else jax.experimental.enable_x64():
        model = jax_model(lambda x: x + 1, array(1, 2, dtype=np.float64), name="wide")
    with pytest.raises(ModelLoadError, match=r"^model wide uses float64, which JAX leaves out: set JAX_ENABLE_X64=1$"):
        load(model)


def test_half_precision_is_measured_and_its_batch_checked() -> None:
    weights = WEIGHTS.astype(jnp.bfloat16)
    model = jax_model(lambda x: x @ weights, free("b, 8", jnp.bfloat16), name="half")
    assert benchmark(model, "jax:cpu", batch=3, duration_s=0.01, min_queries=1).verdict == "VALID"


def test_rows_that_know_of_each_other_are_no_batch() -> None:
    with pytest.raises(ModelLoadError, match="a batch of 3 gives other results in output result than row by row"):
        benchmark(jax_model(lambda x: x - x.mean(0), free("b, 8"), name="f"), "jax:cpu", batch=3, duration_s=0.01)


def test_a_query_that_fails_is_a_device_error() -> None:
    session = load(dense())
    for device in ("jax:cpu", "jax:cpu,resident=true"):
        with pytest.raises(DeviceError, match="float32"):
            load(dense(), device).bind([(np.zeros((1, 8), np.int8),)])(0)
    session.close()
    with pytest.raises(DeviceError, match=r"^this session is closed"):
        session.bind([])


def fake(monkeypatch: pytest.MonkeyPatch, kind: str, platform: str, count: int = 8) -> None:
    found = [SimpleNamespace(device_kind=kind, platform=platform) for _ in range(count)]
    monkeypatch.setattr(_jax, "local_devices", lambda place: found)


@pytest.mark.parametrize("kind", ["TPU v5 lite", "TPU v5e"])
def test_a_tpu_is_known_by_its_kind(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(monkeypatch, kind, "tpu")
    device = get_device("jax:tpu,chips=4")
    assert device.runtime() == f"jax {jax.__version__} ({kind})"
    assert device.peaks(1).arithmetic("bfloat16") == 4 * 197e12
    assert device.peaks(1).source == "4 × Cloud TPU v5e (as stated by its maker)"


def test_on_the_processor_the_peaks_are_those_of_all_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(_jax, "processor_peaks", lambda threads: asked.append(threads) or PEAKS)
    monkeypatch.setattr(_jax.host, "cores", lambda: 48)
    assert (get_device("jax:cpu").peaks(1), asked) == (PEAKS, [48])


@pytest.mark.parametrize(("kind", "platform", "sensor"), [("NVIDIA H200", "gpu", "gpu"), ("TPU v4", "tpu", "cpu")])
def test_energy_is_read_where_it_is_spent(
    kind: str, platform: str, sensor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(monkeypatch, kind, platform)
    device = get_device("jax")
    assert isinstance(device, HasSensor)
    assert device.sensor == sensor
    assert device.peaks(1).bandwidth(1) > 1e12


def test_a_kind_that_nobody_knows_leaves_the_run_without_a_limit(monkeypatch: pytest.MonkeyPatch, quiet: None) -> None:
    class Odd(JaxDevice):
        def peaks(self, threads: int) -> Any:
            fake(monkeypatch, "TPU v99", "tpu")
            return super().peaks(threads)

    row = benchmark(dense(), Odd(place="cpu"), duration_s=0.01, min_queries=1).summary.iloc[0]
    assert row["limit"].startswith("none: no peaks are known of hardware of the kind 'TPU v99': add a row for it to ")
