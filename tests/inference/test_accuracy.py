"""Labels met by a model whose answers are known."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.inference._devices import RecordingDevice
from tpukit import stats
from tpukit.errors import ConfigError
from tpukit.inference import Model, Tensor, benchmark
from tpukit.testing import FakeDevice, ManualClock
from tpukit.workloads import Data

pytestmark = pytest.mark.usefixtures("quiet")

#: Ten samples of the classes 0 1 2 3 0 1 2 3 0 1, with three labels that are wrong: the first and the last two.
X = np.resize(np.eye(4, dtype=np.float32), (10, 4))
Y = np.array([3, 1, 2, 3, 0, 1, 2, 3, 1, 0])


def accuracy(model: Path, batch: int, x: np.ndarray = X, y: np.ndarray = Y) -> tuple[float, float, float, int]:
    data = Data(name="toy", x=x, y=y)
    row = benchmark(model, duration_s=0.001, min_queries=1, batch=batch, data=data).summary.iloc[0]
    return row["accuracy"], row["accuracy_lo"], row["accuracy_hi"], row["accuracy_n"]


@pytest.mark.parametrize("batch", [1, 2, 4, 10, 16])
@pytest.mark.parametrize("builder", ["identity", "quantised"])
def test_accuracy_is_the_share_of_labels_met_whatever_the_batch(
    builder: str, batch: int, model_file: Callable[..., Path]
) -> None:
    expected = stats.proportion(7, 10)
    found = accuracy(model_file(builder), batch, x=X * 20)
    assert found == (expected.value, expected.lo, expected.hi, 10)


def test_rows_that_fill_up_the_last_batch_are_not_counted(model_file: Callable[..., Path]) -> None:
    # a batch of 4 is filled up with the first two rows, of which one label is wrong
    assert accuracy(model_file("identity"), 4, x=X[:6], y=np.array([3, 1, 2, 3, 0, 1]))[::3] == (5 / 6, 6)


def test_wrong_labels_are_not_met(model_file: Callable[..., Path]) -> None:
    assert accuracy(model_file("identity"), 1, y=(X.argmax(axis=1) + 1) % 4)[0] == 0.0
    assert accuracy(model_file("identity"), 1, y=X.argmax(axis=1))[0] == 1.0


def test_the_data_are_named_in_the_run_and_measured(toy: Model, clock: ManualClock) -> None:
    data = Data(name="mine", x=np.arange(12, dtype=np.int8).reshape(3, 4), y=np.array([0, 0, 1]))
    device = RecordingDevice([0.01], clock=clock)
    result = benchmark(toy, device, duration_s=0.1, min_queries=1, data=data, clock=clock)
    assert result.run["data"].item() == "mine"
    np.testing.assert_array_equal(np.concatenate([sample[0] for sample in device.samples]), data.x)
    # the fake device answers with zeros: class 0
    assert result.summary["accuracy"].item() == pytest.approx(2 / 3)
    # first inference, warm-up, steady state, and a pass of its own over each sample once
    assert device.asked == [0, *(i % 3 for i in range(3)), *(i % 3 for i in range(11)), 0, 1, 2]


def test_counting_does_not_belong_to_the_timed_part(toy: Model, clock: ManualClock) -> None:
    data = Data(name="mine", x=np.zeros((50, 4), dtype=np.int8), y=np.zeros(50, dtype=int))
    result = benchmark(toy, FakeDevice([0.01], clock=clock), duration_s=0.1, min_queries=1, data=data, clock=clock)
    assert (len(result.samples), result.summary["n"].item(), result.summary["accuracy_n"].item()) == (11, 11, 50)


@pytest.mark.parametrize("shape", [(1,), (2, 1)])
def test_outputs_that_are_no_classes_are_refused_before_the_timed_part(
    shape: tuple[int, ...], toy: Model, clock: ManualClock
) -> None:
    class Odd(FakeDevice):
        def shapes(self, batch: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
            return super().shapes(batch)[0], (Tensor(name="y", shape=shape, dtype="int8"),)

    data = Data(name="mine", x=np.zeros((5, 4), dtype=np.int8), y=np.zeros(5, dtype=int))
    with pytest.raises(ConfigError, match=r"^data mine: an output of shape \(.*\) is not \(batch, classes\)$"):
        benchmark(toy, Odd([0.01], clock=clock), duration_s=100.0, data=data, clock=clock)
    assert clock.now() < 1


def test_data_of_another_shape_or_type_are_refused(model_file: Callable[..., Path]) -> None:
    model = model_file("identity")
    for x in (X[:, :3], X.astype(np.int8)):
        with pytest.raises(ConfigError, match=r"^data toy"):
            accuracy(model, 1, x=x)


def test_a_bundled_model_brings_its_data_and_meets_them() -> None:
    result = benchmark("digits_cnn_int8", duration_s=0.01, min_queries=1, batch=8)
    row = result.summary.iloc[0]
    assert (result.run["data"].item(), row["accuracy_n"] >= 100) == ("digits_test", True)
    assert row["accuracy"] > 0.9
