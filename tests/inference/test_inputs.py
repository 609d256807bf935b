"""What goes into a model: random samples by a seed, or a user's data."""

import numpy as np
import pytest

from tests.inference._devices import RecordingDevice
from tpukit.errors import ConfigError
from tpukit.inference import Arrays, Model, Tensor, benchmark
from tpukit.inference._inputs import data_samples, random_samples
from tpukit.testing import ManualClock
from tpukit.workloads import Data

pytestmark = pytest.mark.usefixtures("quiet")

INT8 = Tensor(name="x", shape=(1, 4), dtype="int8", scale=0.5, zero_point=-10)


def given(toy: Model, seed: int) -> RecordingDevice:
    clock = ManualClock()
    inputs = (INT8, Tensor(name="z", shape=(1, 3), dtype="float32"))
    device = RecordingDevice([0.01], clock=clock, inputs=inputs)
    benchmark(toy, device, duration_s=1.0, seed=seed, clock=clock)
    return device


def same(a: list[Arrays], b: list[Arrays]) -> bool:
    return all(np.array_equal(x, y) for one, two in zip(a, b, strict=True) for x, y in zip(one, two, strict=True))


def test_the_same_seed_gives_the_same_inputs_and_another_one_others(toy: Model) -> None:
    first, again, other = (given(toy, seed).samples for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)


def test_a_run_rotates_over_many_different_samples(toy: Model) -> None:
    device = given(toy, 0)
    assert len(device.samples) == 64
    assert len({sample[0].tobytes() + sample[1].tobytes() for sample in device.samples}) == 64
    # the first inference, ten of the warm-up, then the steady state: from the first sample on, round and round
    assert device.asked == [0, *range(10), *(i % 64 for i in range(101))]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32"])
def test_integers_cover_their_whole_range_and_no_more(dtype: str) -> None:
    tensor = Tensor(name="x", shape=(1, 4000), dtype=dtype)
    values = np.concatenate([sample[0] for sample in random_samples([tensor], np.random.default_rng(0))])
    limits = np.iinfo(dtype)
    assert values.dtype == dtype
    assert values.min() < limits.min + 0.01 * (float(limits.max) - limits.min)
    assert values.max() > limits.max - 0.01 * (float(limits.max) - limits.min)
    if limits.bits == 8:
        assert (values.min(), values.max()) == (limits.min, limits.max)


def test_floats_lie_around_zero_and_truth_values_are_both() -> None:
    tensors = [Tensor(name="f", shape=(1, 500), dtype="float32"), Tensor(name="b", shape=(1, 9), dtype="bool")]
    samples = random_samples(tensors, np.random.default_rng(0))
    floats, truths = (np.concatenate(arrays) for arrays in zip(*samples, strict=True))
    assert (floats.dtype, truths.dtype) == (np.float32, np.bool_)
    assert -1 <= floats.min() < -0.99
    assert 0.99 < floats.max() < 1
    assert abs(floats.mean()) < 0.05
    assert set(truths.ravel().tolist()) == {False, True}


def test_large_inputs_make_fewer_samples_but_two_at_least() -> None:
    rng = np.random.default_rng(0)
    assert len(random_samples([Tensor(name="x", shape=(1, 4, 2**20), dtype="int8")], rng)) == 16
    assert len(random_samples([Tensor(name="x", shape=(1, 48, 2**20), dtype="int8")], rng)) == 2


def test_a_type_that_cannot_be_made_up_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^input x is of type complex64: give data for it"):
        random_samples([Tensor(name="x", shape=(1,), dtype="complex64")], np.random.default_rng(0))


def rows(n: int, dtype: str = "int8") -> Data:
    return Data(name="mine", x=np.arange(n * 4).reshape(n, 4).astype(dtype), y=np.zeros(n, dtype=int))


def test_rows_are_given_in_order() -> None:
    samples = data_samples(rows(3), [INT8])
    np.testing.assert_array_equal(np.concatenate([sample[0] for sample in samples]), rows(3).x)


def test_the_last_batch_is_filled_up_from_the_first_rows() -> None:
    data = rows(5)
    samples = data_samples(data, [Tensor(name="x", shape=(3, 4), dtype="int8")])
    assert [sample[0].shape for sample in samples] == [(3, 4), (3, 4)]
    np.testing.assert_array_equal(samples[1][0], data.x[[3, 4, 0]])


def test_a_batch_larger_than_the_data_repeats_it() -> None:
    data = rows(2)
    ((batch,),) = data_samples(data, [Tensor(name="x", shape=(5, 4), dtype="int8")])
    np.testing.assert_array_equal(batch, data.x[[0, 1, 0, 1, 0]])


def test_floats_are_quantised_by_the_models_scale_and_clipped() -> None:
    x = np.array([[0.0, 0.5, -1.0, 3.26], [1000.0, -1000.0, 68.5, -59.0]], dtype=np.float32)
    (first,), (second,) = data_samples(Data(name="mine", x=x, y=np.array([0, 1])), [INT8])
    assert first.dtype == second.dtype == np.int8
    # value / 0.5 - 10, to the nearest whole
    assert [*first[0], *second[0]] == [-10, -9, -12, -3, 127, -128, 127, -128]


@pytest.mark.parametrize(
    ("data", "tensor", "message"),
    [
        (
            rows(3, "uint8"),
            INT8,
            r"^data mine is uint8, the model takes int8 \(or float32, which is quantised by the model",
        ),
        (rows(3, "float64"), INT8, r"^data mine is float64, the model takes int8"),
        (rows(3), Tensor(name="x", shape=(1, 4), dtype="float32"), r"^data mine is int8, the model takes float32$"),
        (
            rows(3, "float32"),
            Tensor(name="x", shape=(1, 4), dtype="int8"),
            r"^data mine is float32, the model takes int8$",
        ),
        (rows(3), Tensor(name="x", shape=(1, 5), dtype="int8"), r"sample has shape \(4,\), the model takes \(5,\)$"),
        (
            rows(3),
            Tensor(name="x", shape=(1, 4, 1), dtype="int8"),
            r"sample has shape \(4,\), the model takes \(4, 1\)$",
        ),
    ],
)
def test_data_that_do_not_fit_say_what_would(data: Data, tensor: Tensor, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        data_samples(data, [tensor])


def test_data_for_a_model_of_two_inputs_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^data mine has one array of inputs, the model takes 2: measure without it$"
    ):
        data_samples(rows(3), [INT8, INT8])
