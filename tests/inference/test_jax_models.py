"""JAX exports as models: one identity, a format told by the content, one line for what is none."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("jax")

import jax
import jax.numpy as jnp

from tests.inference._jax import array, dense, saved, set_peaks
from tpukit.errors import ConfigError, ModelLoadError
from tpukit.history import History
from tpukit.inference import Model, benchmark, get_device, inspect_model, jax_model, read_model
from tpukit.workflows import Load, measure


def load(model: Model) -> Any:
    return get_device("jax:cpu").load(model, threads=1, batch=1)


def changed(model: Model, content: bytes) -> Model:
    return Model(name=model.name, content=content, sha256="0" * 64)


def test_one_function_is_one_model_and_another_is_another() -> None:
    def double(x: Any) -> Any:
        return 2 * x

    one, same = (jax_model(double, array(1, 4)) for _ in range(2))
    assert one == same
    assert one.name == "double"
    assert one.sha256 != jax_model(lambda x: 3 * x, array(1, 4)).sha256


def test_a_jitted_function_and_example_arrays_will_do() -> None:
    model = jax_model(jax.jit(jnp.sum), np.zeros((2, 2), np.float32), name="total")
    assert load(model).bind([(np.ones((2, 2), np.float32),)])(0) == (4.0,)


def test_it_is_exported_for_every_platform_unless_told_otherwise() -> None:
    assert jax.export.deserialize(bytearray(dense().content)).platforms == ("cpu", "cuda", "tpu")
    assert jax.export.deserialize(bytearray(dense(platforms=["tpu"]).content)).platforms == ("tpu",)


def test_what_jax_cannot_export_is_one_line() -> None:
    def prints(x: Any) -> Any:
        return jax.pure_callback(np.sin, x, x)

    with pytest.raises(ConfigError, match=r"^JAX cannot export prints for cpu, cuda, tpu: ") as refused:
        jax_model(prints, array(1, 4))
    assert "\n" not in str(refused.value)


def test_what_the_function_raises_passes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        jax_model(lambda x: 1 / 0, array(1, 4))


@pytest.mark.parametrize("suffix", [".jax", ".stablehlo", ".tflite", ""])
def test_the_content_tells_the_format_and_not_the_suffix(suffix: str, tmp_path: Path) -> None:
    model = dense()
    read = read_model(saved(model, tmp_path, suffix))
    assert (read.format, read.sha256) == ("jax", model.sha256)
    assert load(read).inputs[0].shape == (1, 8)


def test_formats() -> None:
    assert read_model("digits_cnn_int8").format == "tflite"
    assert [changed(dense(), content).format for content in (b"toy", b"ML\xefR and more")] == ["", ""]


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_devices_of_tflite_refuse_an_export(device: str) -> None:
    with pytest.raises(ModelLoadError, match=r"^model dense is a JAX export: measure it on jax or jax:cpu"):
        benchmark(dense(), device)


def test_an_export_is_not_inspected() -> None:
    with pytest.raises(ModelLoadError, match=r"^model dense is a JAX export: .* bench shows its work"):
        inspect_model(dense())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1c\x00\x00\x00TFL3", "is a TFLite file, and JAX runs exports only: measure it on cpu"),
        (b"ML\xefR" + bytes(99), "is a bare MLIR module: export it with jax.export, which adds"),
        (b"\x89PNG\r\n\x1a\n" * 99, r"is no JAX export: expected what jax.export.export(function)(…).serialize()"),
        (bytes(99) + b"ML\xefR" + bytes(99), "is a damaged or truncated JAX export, or newer than JAX "),
        (b"\xff" * 99 + b"ML\xefR" + bytes(99), "is a damaged or truncated JAX export, or newer than JAX "),
    ],
)
def test_what_is_no_export_says_what_it_is(content: bytes, message: str) -> None:
    with pytest.raises(ModelLoadError) as refused:
        load(changed(dense(), content))
    assert str(refused.value).startswith(f"model dense {message}")
    assert "\n" not in str(refused.value)


def test_a_truncated_export_is_refused_at_every_length() -> None:
    model = dense(array(1, 8), platforms=["cpu"])
    whole = len(model.content) - len("<lambda>" + 4 * "0")  # it ends with the function's name, which nobody misses
    for length in [*range(1, whole, 29), whole - 1]:
        with pytest.raises(ModelLoadError, match=r"^model dense is (a damaged or truncated|no) JAX export"):
            load(changed(model, model.content[:length]))


class Pair(NamedTuple):
    a: Any
    b: Any


@pytest.fixture(scope="module")
def paired() -> Model:
    jax.export.register_namedtuple_serialization(Pair, serialized_name="tests.Pair")
    return jax_model(lambda x: x.a + x.b, Pair(array(1, 2), array(1, 2)), name="paired")


def test_a_container_of_a_type_of_its_own_is_looked_up_and_never_unpickled(paired: Model) -> None:
    assert len(load(paired).inputs) == 2
    with pytest.raises(ModelLoadError, match=r"^model paired is a damaged .* JAX export, or newer .*tests\.Pain"):
        load(changed(paired, paired.content.replace(b"tests.Pair", b"tests.Pain")))


def test_a_call_back_into_python_is_refused() -> None:
    model = jax_model(jnp.linalg.cholesky, array(3, 3), name="f", platforms=["cpu"])
    assert b"lapack_spotrf_ffi" in model.content
    # what a file of another process would name
    with pytest.raises(ModelLoadError, match=r"^model f calls back into Python \(\"xla_python_call_f\"\)"):
        load(changed(model, model.content.replace(b"lapack_spotrf_ffi", b"xla_python_call_f")))


def test_a_sweep_compares_an_export_with_jax_and_a_file_with_litert(
    tmp_path: Path, model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_peaks(monkeypatch)
    history = History(tmp_path / "runs.db")
    quick = Load(duration_s=0.02, min_queries=64)
    found = measure(
        [dense(), model_file("dense", name="file")], devices=["jax:cpu", "cpu"], history=history, load=quick
    )
    assert found.baselines["device"].tolist() == ["jax:reference", "reference"]
    rows = found.results.set_index(["model", "device"])
    assert rows.loc[("dense", "jax:cpu"), "baseline"] == "jax:reference"
    assert rows.loc[("dense", "jax:cpu"), "speedup"] > 0
    assert rows.loc[("file", "cpu"), "baseline"] == "reference, 1 thread"
    assert "measure it on jax" in rows.loc[("dense", "cpu"), "reasons"]
    assert "is a TFLite file" in rows.loc[("file", "jax:cpu"), "reasons"]
    stored = history.to_frame().set_index(["model", "device"])
    assert stored.loc[("dense", "jax:cpu"), "compile_s"] > 0
