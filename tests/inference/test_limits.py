"""What stands beside a result from the same run: the hardware's limit, energy and heat."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.inference._devices import Until
from tpukit import sensors
from tpukit.errors import DeviceError
from tpukit.inference import Model, Peaks, benchmark, get_device, read_model
from tpukit.testing import FakeDevice, ManualClock

pytestmark = pytest.mark.usefixtures("quiet")
PEAKS = Peaks(ops_per_s={"int8": 1e9}, bytes_per_s={2**14: 1e9}, source="1 thread (measured 2026-01-01)")


class Bounded(FakeDevice):
    """A fake device that knows what it could do at best."""

    def peaks(self, threads: int) -> Peaks:
        return PEAKS


@pytest.mark.parametrize(
    ("scenario", "given", "limit", "share"),
    [
        # 264,192 multiply-accumulates are 528,384 operations
        ("single_stream", {}, 528_384e-9, 0.528384),
        ("multi_stream", {}, 8 * 528_384e-9, 0.528384),
        ("server", {"rate_hz": 10.0}, 528_384e-9, None),
        ("offline", {"batch": 2}, 1 / 528_384e-9, 2 * 0.528384),
    ],
)
def test_a_device_that_knows_its_peaks_is_bounded_by_them(
    scenario: str, given: dict[str, float], limit: float, share: float | None, clock: ManualClock
) -> None:
    model = read_model("autoencoder_int8")
    row = benchmark(model, Bounded([0.001], clock=clock), scenario, clock=clock, duration_s=1.0, **given).summary.iloc[
        0
    ]
    assert row["limit"].startswith("compute: ")
    assert row["limit_value"] == pytest.approx(limit)
    throughput = row["throughput_per_s"]
    # a latency under load is mostly waiting: in server it is the throughput that comes near the limit
    by_scenario = {"offline": throughput / limit, "server": throughput * limit}
    reached = by_scenario.get(scenario, limit / row[row["metric"]])
    assert row["fraction_of_peak"] == pytest.approx(reached)
    if share:
        assert row["fraction_of_peak"] == pytest.approx(share)


def test_a_device_without_peaks_says_so(toy: Model, clock: ManualClock) -> None:
    row = benchmark(toy, FakeDevice([0.001], clock=clock), clock=clock, duration_s=1.0).summary.iloc[0]
    assert row["limit"] == "none: this device's peak was not measured"
    assert np.isnan(row["fraction_of_peak"])


def test_the_processor_knows_its_peaks() -> None:
    assert get_device("cpu").peaks(1).ops_per_s["int8"] > 1e9


def test_nobody_waits_for_peaks_after_ctrl_c(clock: ManualClock) -> None:
    device = Bounded([0.001], clock=clock)
    model = read_model("autoencoder_int8")
    row = benchmark(model, device, clock=clock, cancel=Until(clock, 1.5), duration_s=10.0).summary.iloc[0]
    assert row["limit"].startswith("none: ")


def meter(folder: Path, clock: ManualClock, *, watts: float) -> sensors.Sensors:
    """Return sensors whose RAPL counter rises by so many watts of the manual clock."""
    package = folder / "class" / "powercap" / "intel-rapl:0"
    package.mkdir(parents=True)
    (package / "name").write_text("package-0\n")
    (package / "max_energy_range_uj").write_text(f"{10**12}\n")
    (package / "energy_uj").write_text("0\n")
    rest = clock._ns

    def count() -> None:
        (package / "energy_uj").write_text(f"{round((clock._ns - rest) / 1e9 * watts * 1e6)}\n")

    advance = clock.advance

    def counted(seconds: float) -> None:
        advance(seconds)
        count()

    clock.advance = counted  # type: ignore[method-assign]
    return sensors.find(folder)


@pytest.mark.parametrize(("scenario", "given"), [("single_stream", {}), ("offline", {}), ("server", {"rate_hz": 50.0})])
def test_energy_is_that_of_the_steady_state(
    scenario: str, given: dict[str, float], toy: Model, clock: ManualClock, tmp_path: Path
) -> None:
    found = meter(tmp_path, clock, watts=5.0)
    device = FakeDevice([0.01], clock=clock)
    row = benchmark(toy, device, scenario, clock=clock, duration_s=10.0, sensors=found, **given).summary.iloc[0]
    assert row["energy_source"].startswith("rapl")
    assert row["energy_j"] == pytest.approx(5.0 * row["steady_s"], rel=1e-3)
    # it takes 5 W at rest too: nothing is left for the queries
    assert row["idle_power_w"] == pytest.approx(5.0, rel=1e-3)
    assert row["net_energy_j"] == pytest.approx(0.0, abs=0.05)


def test_what_the_machine_cannot_tell_is_missing_with_the_reason(toy: Model, clock: ManualClock) -> None:
    row = benchmark(toy, FakeDevice([0.01], clock=clock), clock=clock, duration_s=1.0).summary.iloc[0]
    assert row["energy_source"].startswith("none: ")
    assert row["temperature_source"].startswith("none: ")
    assert row[["energy_j", "net_energy_j", "idle_power_w", "temperature_max_c", "throttled"]].isna().all()


def test_a_batch_that_the_file_has_already_is_not_counted_twice(
    clock: ManualClock, model_file: Callable[..., Path]
) -> None:
    model = read_model(model_file("dense", n=256, m=256, batch=8))
    device = Bounded([0.001], clock=clock)
    eight, one = (benchmark(model, device, clock=clock, batch=n, duration_s=1.0).summary.iloc[0] for n in (8, 1))
    assert eight["limit_value"] == one["limit_value"]


def test_a_limit_that_cannot_be_known_does_not_cost_the_run(clock: ManualClock) -> None:
    class Broken(FakeDevice):
        def peaks(self, threads: int) -> Peaks:
            raise DeviceError("no kernel runs here")

    model = read_model("autoencoder_int8")
    result = benchmark(model, Broken([0.001], clock=clock), clock=clock, duration_s=1.0)
    assert (result.verdict, result.summary["limit"].item()) == ("VALID", "none: no kernel runs here")
