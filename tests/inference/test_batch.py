"""A batch is as many samples at once, and must give what its rows give."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tpukit.errors import ModelLoadError
from tpukit.inference import VALID, Model, benchmark, get_device, read_model
from tpukit.inference._inputs import random_samples
from tpukit.testing import FakeDevice, ManualClock

MODELS = ["identity", "dense", "quantised", "two_by_two", "digits_cnn_int8", "digits_cnn_float32"]


@pytest.fixture(params=MODELS)
def model(request: pytest.FixtureRequest, model_file: Callable[..., Path]) -> Model:
    return read_model(request.param if request.param.startswith("digits") else model_file(request.param))


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_a_batch_of_8_gives_what_its_rows_give(model: Model, device: str) -> None:
    one, eight = (get_device(device).load(model, threads=1, batch=batch) for batch in (1, 8))
    assert [tensor.shape[0] for tensor in (*eight.inputs, *eight.outputs)] == [8] * len(eight.inputs + eight.outputs)
    sample = random_samples(eight.inputs, np.random.default_rng(0))[0]
    whole = eight.bind([sample])(0)
    query = one.bind([tuple(array[row : row + 1] for array in sample) for row in range(8)])
    for tensor, found, *parts in zip(one.outputs, whole, *[query(row) for row in range(8)], strict=True):
        assert found.shape == (8, *tensor.shape[1:])
        np.testing.assert_allclose(found, np.concatenate(parts), rtol=1e-4, atol=1e-6)


def test_a_batch_of_a_good_model_is_valid(model: Model) -> None:
    result = benchmark(model, duration_s=0.001, min_queries=64, batch=8)
    assert (result.verdict, result.run["batch"].item()) == (VALID, 8)


def test_throughput_counts_the_samples_of_a_batch(toy: Model, clock: ManualClock, quiet: None) -> None:
    device = FakeDevice([0.01], clock=clock)
    row = benchmark(toy, device, duration_s=1.0, batch=8, clock=clock).summary.iloc[0]
    assert (row["n"], row["throughput_per_s"]) == (101, pytest.approx(800))
    # the session of the batch, and one that ran its rows
    assert (len(device.loaded), device.closed) == (2, 2)


@pytest.mark.parametrize("device", ["cpu", "reference"])
@pytest.mark.parametrize(
    ("builder", "options", "message"),
    [
        ("reshaped", {"shape": (1, 8)}, r"^LiteRT refuses a batch of 8 for model reshaped: "),
        ("reshaped", {"shape": (1, -1)}, r"^a batch of 8 gives other results in output y than row by row: "),
        ("summed_over_batch", {}, r"^a batch of 8 gives other results in output y than row by row: "),
    ],
)
def test_a_model_that_fixes_its_batch_says_so(
    builder: str, options: dict[str, object], message: str, device: str, model_file: Callable[..., Path]
) -> None:
    path = model_file(builder, **options)
    assert benchmark(path, device, duration_s=0.001, min_queries=1).verdict == VALID
    with pytest.raises(ModelLoadError, match=message):
        benchmark(path, device, duration_s=0.001, batch=8)


def test_a_device_that_takes_no_such_batch_says_so(toy: Model, clock: ManualClock, quiet: None) -> None:
    device = FakeDevice([0.01], clock=clock, max_batch=4)
    assert benchmark(toy, device, duration_s=0.1, batch=4, clock=clock).verdict == VALID
    with pytest.raises(ModelLoadError, match=r"a batch of 4 at most, got 5"):
        benchmark(toy, device, duration_s=0.1, batch=5, clock=clock)


def test_a_number_without_a_shape_has_no_batch(model_file: Callable[..., Path]) -> None:
    path = model_file("negated")
    assert benchmark(path, duration_s=0.001, min_queries=1).verdict == VALID
    with pytest.raises(ModelLoadError, match=r"^LiteRT refuses a batch of 2 for model negated: input x is a scalar"):
        benchmark(path, duration_s=0.001, batch=2)


@pytest.mark.parametrize("shape", [(8,), (4, 8), (32, 32, 3), (1, 8)])
def test_without_a_batch_the_model_is_measured_as_its_file_has_it(
    shape: tuple[int, ...], model_file: Callable[..., Path]
) -> None:
    """A first axis of another size than 1 may be no batch at all: a waveform, a picture, a fixed batch."""
    result = benchmark(model_file("negated", shape=shape), duration_s=0.001, min_queries=1)
    assert result.verdict == VALID
    for column in ("inputs", "outputs"):
        assert json.loads(result.run[column].item())[0]["shape"] == list(shape)


def test_a_batch_that_the_file_has_already_counts_its_samples(model_file: Callable[..., Path]) -> None:
    result = benchmark(model_file("negated", shape=(4, 8)), duration_s=0.001, min_queries=1, batch=4)
    row = result.summary.iloc[0]
    assert result.verdict == VALID
    assert row["throughput_per_s"] == pytest.approx(4 * row["n"] / row["steady_s"])


@pytest.mark.parametrize("shape", [(8,), (4, 8), (32, 32, 3)])
def test_a_first_axis_that_is_no_batch_of_one_is_not_resized(
    shape: tuple[int, ...], model_file: Callable[..., Path]
) -> None:
    with pytest.raises(ModelLoadError, match=r"input x has the shape \([\d, ]+\) and no batch of 1 to enlarge$"):
        benchmark(model_file("negated", shape=shape), duration_s=0.001, batch=2)


def test_a_free_batch_is_one_sample_or_as_many_as_asked_for(model_file: Callable[..., Path]) -> None:
    path = model_file("negated", shape=(1, 8), signature=(-1, 8))
    for batch in (1, 3):
        result = benchmark(path, duration_s=0.001, min_queries=1, batch=batch)
        assert json.loads(result.run["inputs"].item())[0]["shape"] == [batch, 8]


def test_other_free_axes_are_refused_instead_of_measured_at_one(model_file: Callable[..., Path]) -> None:
    path = model_file("negated", shape=(1, 1, 1, 3), signature=(-1, -1, -1, 3))
    with pytest.raises(ModelLoadError, match=r"input x has the shape \(-1, -1, -1, 3\): fix all but the first"):
        benchmark(path, duration_s=0.001)
