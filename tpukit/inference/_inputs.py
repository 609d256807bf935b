"""What goes into a model and what is expected to come out: random samples, or a data set with labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpukit import stats
from tpukit.errors import ConfigError, ModelLoadError
from tpukit.inference._types import Arrays, Query, Session, Tensor
from tpukit.interrupts import Cancel
from tpukit.workloads import Data

_ROTATION = 64
_ROTATION_MAX_BYTES = 64 * 2**20
# float kernels of another batch may add in another order
_RTOL, _ATOL = 1e-3, 1e-5
# two or three decimals
_BYTES_OF_HALF, _RTOL_OF_HALF = 2, 2e-2


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """How many of `n` labels were met, and the share with its interval."""

    estimate: stats.Estimate
    n: int


def random_samples(inputs: Sequence[Tensor], rng: np.random.Generator) -> list[Arrays]:
    """Return up to 64 samples (64 MiB at most, two at least): integers over their whole range, floats in [-1, 1)."""
    size = sum(tensor.size_bytes for tensor in inputs)
    count = max(2, min(_ROTATION, _ROTATION_MAX_BYTES // max(1, size)))
    return [tuple(_random(tensor, rng) for tensor in inputs) for _ in range(count)]


def _random(tensor: Tensor, rng: np.random.Generator) -> NDArray[Any]:
    dtype = np.dtype(tensor.dtype)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        # named, since the types of some NumPy versions say no more than Any
        whole: NDArray[Any] = rng.integers(limits.min, limits.max, size=tensor.shape, dtype=dtype, endpoint=True)
        return whole
    if _is_float(dtype):
        return rng.uniform(-1, 1, size=tensor.shape).astype(dtype)
    if dtype.kind == "b":
        return rng.integers(0, 2, size=tensor.shape).astype(dtype)
    raise ConfigError(f"input {tensor.name} is of type {tensor.dtype}: give data for it, none can be made up")


def data_samples(data: Data, inputs: Sequence[Tensor]) -> list[Arrays]:
    """Return the data's rows in batches of the input's shape; the last batch is filled up from the first rows.

    Float32 rows are quantised by the model's own scale. Raises ConfigError where type or shape do not fit.
    """
    if len(inputs) != 1:
        raise ConfigError(
            f"data {data.name} has one array of inputs, the model takes {len(inputs)}: measure without it"
        )
    (tensor,) = inputs
    batch, shape = (tensor.shape or (1,))[0], tensor.shape[1:]
    if not tensor.shape or data.x.shape[1:] != shape:
        raise ConfigError(f"data {data.name}: a sample has shape {data.x.shape[1:]}, the model takes {shape}")
    rows = _converted(data, tensor)
    filled = np.resize(rows, (math.ceil(len(rows) / batch) * batch, *shape))
    return [(part,) for part in filled.reshape(-1, batch, *shape)]


def _converted(data: Data, tensor: Tensor) -> NDArray[Any]:
    wanted = np.dtype(tensor.dtype)
    if data.x.dtype == wanted:
        return data.x
    if data.x.dtype == np.float32 and tensor.scale and tensor.zero_point is not None:
        limits = np.iinfo(wanted)
        scaled = np.round(data.x / tensor.scale + tensor.zero_point)
        return np.clip(scaled, limits.min, limits.max).astype(wanted)
    quantised = " (or float32, which is quantised by the model's scale)" if tensor.scale else ""
    raise ConfigError(f"data {data.name} is {data.x.dtype}, the model takes {wanted}{quantised}")


def check_classes(output: NDArray[Any], data: Data, *, batch: int) -> None:
    """Raise ConfigError unless an output has a row of classes for each sample of a batch."""
    if output.ndim == 1 or output.shape[:1] != (batch,):
        raise ConfigError(f"data {data.name}: an output of shape {output.shape} is not (batch, classes)")
    classes = output[0].size
    if data.y.min() < 0 or data.y.max() >= classes:
        raise ConfigError(
            f"data {data.name}: labels run from {data.y.min()} to {data.y.max()}, the model's from 0 to {classes - 1}"
        )


def accuracy(query: Query, samples: Sequence[Arrays], data: Data, cancel: Cancel | None) -> Accuracy | None:
    """Run every sample once and compare the largest output's index with the label; None where `cancel` was set.

    Raises DeviceError.
    """
    batch = len(samples[0][0])
    found = []
    for index in range(len(samples)):
        if cancel and cancel.is_set():
            return None
        found.append(query(index)[0].reshape(batch, -1).argmax(axis=1))
    hits = int((np.concatenate(found)[: len(data.y)] == data.y).sum())
    return Accuracy(estimate=stats.proportion(hits, len(data.y)), n=len(data.y))


def check_batch(batched: Arrays, sample: Arrays, single: Session, cancel: Cancel | None) -> None:
    """Raise ModelLoadError unless a batch's outputs are those of its rows, run one by one in `single`.

    A model whose file has this batch already cannot run a row, and nothing is checked; nor is it once `cancel` is set.
    """
    if [tensor.shape for tensor in single.inputs] == [array.shape for array in sample]:
        return
    batch = len(sample[0])
    query = single.bind([_row(sample, row, single.inputs) for row in range(batch)])
    one_by_one = []
    for row in range(batch):
        if cancel and cancel.is_set():
            return
        one_by_one.append(query(row))
    for tensor, whole, *parts in zip(single.outputs, batched, *one_by_one, strict=True):
        expected = np.concatenate(parts)
        if whole.shape != expected.shape or not _same(whole, expected):
            raise ModelLoadError(
                f"a batch of {batch} gives other results in output {tensor.name} than row by row: "
                "the model fixes its batch, measure it with batch 1"
            )


def _row(sample: Arrays, row: int, inputs: Sequence[Tensor]) -> Arrays:
    """Return one row of each input, and the whole of one that has no batch."""
    return tuple(
        array if array.shape == tensor.shape else array[row : row + 1]
        for array, tensor in zip(sample, inputs, strict=True)
    )


def _same(found: NDArray[Any], expected: NDArray[Any]) -> bool:
    if not _is_float(found.dtype):
        return np.array_equal(found, expected)
    rtol, atol = (_RTOL, _ATOL) if found.dtype.itemsize > _BYTES_OF_HALF else (_RTOL_OF_HALF, _RTOL_OF_HALF)
    return np.allclose(found.astype(float), expected.astype(float), rtol=rtol, atol=atol, equal_nan=True)


def _is_float(dtype: np.dtype[Any]) -> bool:
    # by name: NumPy does not count bfloat16, which comes with JAX, among its floats
    return dtype.name.startswith(("float", "bfloat"))
