"""A run's energy on a machine whose power is known at each time: what only reading at the right times can tell."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.sensors._tree import monitor, package, write
from tpukit import sensors
from tpukit.inference import BenchmarkResult, Model, benchmark
from tpukit.testing import FakeDevice, ManualClock

pytestmark = pytest.mark.usefixtures("quiet")

Watts = Callable[[float], float]


class Board:
    """A sysfs tree that follows the manual clock, on a machine that takes `watts` at each second."""

    def __init__(self, root: Path, clock: ManualClock, watts: Watts, files: Callable[["Board"], dict[str, object]]):
        self.root, self.clock, self.watts, self.files = root, clock, watts, files
        self.uj = 0.0
        advance = clock.advance

        def advanced(seconds: float) -> None:
            self.uj += watts(clock.now()) * seconds * 1e6
            advance(seconds)
            write(root, files(self))

        clock.advance = advanced  # type: ignore[method-assign]
        clock.advance(0)

    def run(self, toy: Model, scenario: str = "single_stream") -> BenchmarkResult:
        device = FakeDevice([0.01], clock=self.clock)
        found = sensors.find(self.root)
        return benchmark(toy, device, scenario, clock=self.clock, duration_s=10.0, sensors=found)


def gauge(board: Board) -> dict[str, object]:
    return monitor(0, name="ina219", power1_input=round(board.watts(board.clock.now()) * 1e6))


def small_counter(board: Board) -> dict[str, object]:
    range_uj = 300 * 10**6
    return package(0, round(board.uj) % range_uj, range_uj=range_uj)


def taken(result: BenchmarkResult, watts: Watts) -> float:
    """Return the energy that the steady state truly took, summed over its milliseconds."""
    epoch = pd.Timestamp(ManualClock().utc())
    began = (result.run["steady_started"].item() - epoch).total_seconds()
    steps = round(result.summary["steady_s"].item() * 1000)
    return sum(watts(began + step / 1000) for step in range(steps)) / 1000


@pytest.mark.parametrize("scenario", ["single_stream", "multi_stream"])
def test_power_that_changes_in_mid_run_is_read_between_queries(
    scenario: str, toy: Model, clock: ManualClock, tmp_path: Path
) -> None:
    def pulse(now: float) -> float:
        return 20.0 if 6 <= now < 10 else 2.0

    result = Board(tmp_path, clock, pulse, gauge).run(toy, scenario)
    row = result.summary.iloc[0]
    truth = taken(result, pulse)
    assert truth > 90  # 20 J without the pulse
    assert row["energy_source"].startswith("hwmon: ina219 hwmon0 power1")
    # both edges lie somewhere between two readings
    assert row["energy_j"] == pytest.approx(truth, abs=2 * 18 * 0.3)
    assert row["net_energy_j"] == pytest.approx(row["energy_j"] - 2.0 * row["steady_s"], rel=1e-3)


def test_a_counter_that_wraps_twice_in_the_run_is_followed(toy: Model, clock: ManualClock, tmp_path: Path) -> None:
    result = Board(tmp_path, clock, lambda now: 80.0, small_counter).run(toy)
    row = result.summary.iloc[0]
    assert row["energy_j"] == pytest.approx(taken(result, lambda now: 80.0), rel=1e-3)
    assert row["energy_j"] > 2 * 300


def test_rest_lasts_two_seconds(toy: Model, clock: ManualClock, tmp_path: Path) -> None:
    # the first inference ends at 0.01 s: rest is from there to 2.01 s
    row = Board(tmp_path, clock, lambda now: 7.0 if now < 0.5 else 1.0, gauge).run(toy).summary.iloc[0]
    assert row["idle_power_w"] == pytest.approx((7 * 0.5 + 1 * 1.5) / 2, abs=6 * 0.1 / 2)
    assert row["energy_j"] == pytest.approx(row["steady_s"], rel=1e-3)
