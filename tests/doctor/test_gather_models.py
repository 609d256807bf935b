"""What a model's file says of where it can run."""

from dataclasses import replace

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tflite
from hypothesis import given
from hypothesis import strategies as st

from tests.doctor import _healthy as healthy
from tests.inference import _models
from tpukit.doctor import NOT_APPLICABLE, OK, ModelFacts, _gather_models, examine
from tpukit.doctor._gather_models import min_runtime_version, seen_model
from tpukit.errors import DeviceUnavailableError
from tpukit.inference import Model, jax_model, read_model


def model(content: bytes, name: str = "m") -> Model:
    return Model(name=name, content=content, sha256="0" * 64)


def packed(flat: tflite.ModelT) -> Model:
    builder = flatbuffers.Builder(1024)
    builder.Finish(flat.Pack(builder), file_identifier=b"TFL3")
    return model(bytes(builder.Output()))


def test_a_compiled_model_says_which_runtime_it_needs() -> None:
    assert seen_model(model(healthy.compiled(14))) == ModelFacts(name="m", ops=1, compiled=1, min_runtime=14)


def test_a_partly_compiled_model_is_counted_apart() -> None:
    seen = seen_model(model(healthy.compiled(13, beside=4)))
    assert (seen.ops, seen.compiled, seen.min_runtime, seen.floats) == (5, 1, 13, 4)


def test_the_newest_runtime_that_any_operator_asks_for_counts() -> None:
    flat = tflite.ModelT.InitFromPackedBuf(healthy.compiled(13, beside=2), 0)
    other = tflite.ModelT.InitFromPackedBuf(healthy.compiled(14, beside=2), 0).subgraphs[0].operators[0]
    flat.subgraphs[0].operators.append(other)
    assert (seen_model(packed(flat)).compiled, seen_model(packed(flat)).min_runtime) == (2, 14)


def test_a_custom_operator_of_somebody_else_is_not_the_edge_tpus() -> None:
    assert seen_model(model(_models.custom_op("flex-erf"))) == ModelFacts(name="m", ops=1)


def test_one_without_options_tells_no_runtime() -> None:
    assert seen_model(model(healthy.compiled(None))) == ModelFacts(name="m", ops=1, compiled=1)


@pytest.mark.parametrize(("name", "share"), [("digits_cnn_int8", 0), ("digits_cnn_float32", 1)])
def test_operators_that_compute_in_floating_point_are_counted(name: str, share: int) -> None:
    seen = seen_model(read_model(name))
    assert (seen.damage, seen.compiled, seen.floats) == (None, 0, share * seen.ops)
    assert seen.ops > 0


def test_what_only_stands_at_the_border_of_a_type_does_not_compute_in_it() -> None:
    graph = _models.Graph()
    x, q = graph.tensor("x", [1, 4]), graph.tensor("q", [1, 4], "int8", scale=(0.5, 0))
    y = graph.tensor("y", [1, 4])
    graph.op("QUANTIZE", [x], [q])
    graph.op("DEQUANTIZE", [q], [y])
    assert seen_model(model(graph.content([x], [y]))) == ModelFacts(name="m", ops=2)


def test_a_model_without_litert_is_a_fact_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(read: Model) -> None:
        raise DeviceUnavailableError("ai-edge-litert cannot be imported")

    monkeypatch.setattr(_gather_models, "inspect_model", absent)
    assert seen_model(model(b"")).damage == "ai-edge-litert cannot be imported"


def test_an_input_with_a_free_axis_is_named_with_its_shape() -> None:
    assert seen_model(model(_models.negated((1, 8), (-1, 8)))).free == ("x (-1, 8)",)
    assert seen_model(model(_models.negated((1, 8), (1, 8)))).free == ()
    assert seen_model(model(_models.negated((1, 8)))).free == ()


@pytest.mark.parametrize("content", [b"rubbish of some length", _models.dense()[:200]])
def test_damage_is_a_fact_and_raises_nothing(content: bytes) -> None:
    assert "model m" in (seen_model(model(content)).damage or "")


def test_an_input_that_is_no_tensor_is_damage_that_litert_lets_pass() -> None:
    whole = _models.negated((1, 8))
    flat = tflite.ModelT.InitFromPackedBuf(whole, 0)
    flat.subgraphs[0].inputs = [99]
    assert seen_model(model(whole)).damage is None
    assert "model m is damaged" in (seen_model(packed(flat)).damage or "")


def test_a_package_of_another_kind_tells_no_runtime() -> None:
    assert min_runtime_version(healthy.options(13)) == 13
    assert min_runtime_version(healthy.options(13, b"DWN2")) == 0


@given(st.binary(max_size=64))
def test_any_bytes_are_read_without_an_error(content: bytes) -> None:
    assert min_runtime_version(content) == 0


@given(st.integers(0, 300), st.integers(1, 255))
def test_options_with_a_damaged_byte_are_read_without_an_error(place: int, by: int) -> None:
    options = np.frombuffer(healthy.options(13), np.uint8).copy()
    options[place % len(options)] ^= by
    assert isinstance(min_runtime_version(options.tobytes()), int)


def test_a_jax_export_is_no_damage() -> None:
    pytest.importorskip("jax")
    seen = seen_model(jax_model(lambda x: 2 * x, np.zeros((1, 4), np.float32), name="double"))
    assert seen == ModelFacts(name="double", jax=True)
    table = examine(replace(healthy.HEALTHY, models=(seen,))).query("part == 'models'")
    assert table["verdict"].tolist() == [OK] + [NOT_APPLICABLE] * 4
    assert table["found"].iloc[0] == "a JAX export, for the devices jax, jax:cpu, jax:gpu and jax:tpu"
    assert set(table["found"].iloc[1:]) == {"it is a JAX export"}
