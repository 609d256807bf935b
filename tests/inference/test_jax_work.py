"""What XLA's count of a compiled program makes of its work."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("jax")

import jax
import jax.numpy as jnp

from tests.inference._jax import array, free
from tpukit.inference import Model, Work, get_device, jax_model
from tpukit.inference._jax_work import work_of

WEIGHTS = np.random.default_rng(0).standard_normal((256, 128)).astype(np.float32)


def work(model: Model, *, batch: int = 1) -> Work:
    return get_device("jax:cpu").load(model, threads=1, batch=batch).facts.work


@pytest.mark.parametrize("batch", [1, 16])
def test_a_product_counts_its_products_weights_inputs_and_outputs(batch: int) -> None:
    found = work(jax_model(lambda x: x @ WEIGHTS, free("b, 256"), name="f"), batch=batch)
    assert found == Work(
        macs={"float32": batch * 256 * 128}, constant_bytes=4 * 256 * 128, io_bytes=4 * batch * (256 + 128)
    )


def test_a_convolution_counts_what_lies_inside_of_the_padding() -> None:
    kernel = np.random.default_rng(0).standard_normal((3, 3, 4, 8)).astype(np.float32)

    def convolve(x: Any) -> Any:
        return jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))

    found = work(jax_model(convolve, array(1, 16, 16, 4), name="f"))
    inside = (3 * 16 - 2) ** 2  # rows of the kernel over all places, less those above the first and below the last
    assert found.macs == {"float32": inside * 4 * 8}
    assert found.constant_bytes == kernel.nbytes


@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_arithmetic_is_of_the_type_of_the_products(dtype: str) -> None:
    weights = (10 * WEIGHTS).astype(dtype)

    def product(x: Any) -> Any:
        return jax.lax.dot(x, weights, preferred_element_type=jnp.int32 if dtype == "int8" else jnp.float32)

    assert set(work(jax_model(product, array(1, 256, dtype=dtype), name="f")).macs) == {dtype}


def test_of_several_types_the_narrowest_counts() -> None:
    def both(x: Any) -> Any:
        return (x @ WEIGHTS).astype(jnp.bfloat16) @ WEIGHTS.T.astype(jnp.bfloat16)

    assert set(work(jax_model(both, array(1, 256), name="f")).macs) == {"bfloat16"}


def test_of_two_types_as_narrow_it_is_the_same_one_in_every_process() -> None:
    def both(x: Any) -> Any:
        return (x.astype(jnp.float16) @ WEIGHTS.astype(jnp.float16)).astype(jnp.bfloat16) @ WEIGHTS.T.astype(
            jnp.bfloat16
        )

    assert set(work(jax_model(both, array(1, 256), name="f")).macs) == {"bfloat16"}


def test_without_products_it_is_of_the_type_of_the_output() -> None:
    assert work(jax_model(lambda x: x * 3 + 1, array(1, 256), name="f")).macs == {"float32": 256}


def test_constants_of_complex_numbers_count_both_parts() -> None:
    turns = np.exp(1j * np.arange(256)).astype(np.complex64)

    def turned(x: Any) -> Any:
        return jnp.real(x * turns * np.full(256, 2j, np.complex64))

    assert work(jax_model(turned, array(1, 256), name="f")).constant_bytes == turns.nbytes


def test_a_table_of_which_one_row_is_read_does_not_count_whole() -> None:
    table = np.random.default_rng(0).standard_normal((10_000, 16)).astype(np.float32)
    found = work(jax_model(lambda i: jnp.asarray(table)[i], array(1, dtype=np.int32), name="f"))
    assert found.constant_bytes < table.nbytes / 100


def test_a_loop_is_told_for_its_body_counts_once() -> None:
    square = WEIGHTS[:128]

    def steps(x: Any) -> Any:
        return jax.lax.scan(lambda y, _: (y @ square, None), x, None, length=5)[0]

    found = work(jax_model(steps, array(1, 128), name="f"))
    assert found.unknown_ops == 1
    assert 128 * 128 <= found.macs["float32"] < 2 * 128 * 128


def test_what_is_not_used_is_not_read() -> None:
    assert work(jax_model(lambda x, y: x + 1, array(1, 8), array(1000), name="f")).io_bytes == 2 * 8 * 4


class Program:
    """A program of which one device does 200 operations and accesses 1000 bytes."""

    inputs = outputs = (SimpleNamespace(size_bytes=64, dtype="float32"),)

    def __init__(self, counted: dict[str, float] | None) -> None:
        self.run = SimpleNamespace(cost_analysis=lambda: counted)

    @property
    def lowered(self) -> Any:
        return jax.jit(lambda x: x @ WEIGHTS).lower(array(1, 256))


def of(counted: dict[str, float] | None, platform: str, chips: int = 1) -> Work | None:
    return work_of(Program(counted), kept=[0], devices=[SimpleNamespace(platform=platform)] * chips)


def test_all_chips_work_and_each_reads_the_constants() -> None:
    counted = {"flops": 200.0, "bytes accessed": 1000.0}
    assert of(counted, "gpu", chips=4) == Work(macs={"float32": 400}, constant_bytes=4 * (1000 - 32), io_bytes=128)


def test_a_tpu_multiplies_float32_in_bfloat16() -> None:
    assert of({"flops": 200.0}, "tpu") == Work(macs={"bfloat16": 100}, constant_bytes=0, io_bytes=128)


def test_what_xla_does_not_tell_is_not_made_up() -> None:
    assert of(None, "tpu") is None
    assert of({"flops": -1.0}, "gpu") == Work(macs={}, constant_bytes=0, io_bytes=128)
