"""One run's sensors on a manual clock: a machine that takes what the script says."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sensors._tree import monitor, package, processor, write
from tpukit import schema
from tpukit.schema import RESULTS
from tpukit.sensors import Recorder, find
from tpukit.testing import ManualClock

COLUMNS = [
    "energy_source", "energy_j", "idle_power_w", "net_energy_j", "temperature_source", "temperature_before_c",
    "temperature_after_c", "temperature_max_c", "throttled",
]  # fmt: skip
MISSING = {
    "energy_j",
    "idle_power_w",
    "net_energy_j",
    "temperature_before_c",
    "temperature_after_c",
    "temperature_max_c",
}


class Machine:
    """A tree whose package takes `idle` watts, 3 W, while the clock sleeps, and others while `work` lets time pass."""

    def __init__(self, root: Path, clock: ManualClock, *, range_uj: int = 10**9, start_uj: int = 0) -> None:
        self.root, self.clock, self.range_uj, self.uj = root, clock, range_uj, start_uj
        self.files: Callable[[], dict[str, object]] = self.rapl
        self.idle: Callable[[float], float] = lambda now: 3.0
        sleep = clock.sleep

        def slept(seconds: float) -> None:
            sleep(seconds)
            self.take(self.idle(clock.now()), seconds)

        clock.sleep = slept  # type: ignore[method-assign]
        self.take(3.0, 0)

    def rapl(self) -> dict[str, object]:
        return package(0, self.uj % self.range_uj, range_uj=self.range_uj)

    def gauge(self) -> dict[str, object]:
        return monitor(0, name="ina219", power1_input=round(self.watts * 1e6))

    def take(self, watts: float, seconds: float) -> None:
        self.watts = watts
        self.uj += round(watts * seconds * 1e6)
        write(self.root, self.files())

    def work(self, recorder: Recorder, seconds: float = 10.0, watts: float = 8.0) -> None:
        for _ in range(round(seconds * 4)):
            self.clock.advance(0.25)
            self.take(watts, 0.25)
            recorder.observe()


@pytest.fixture
def machine(tmp_path: Path, clock: ManualClock) -> Machine:
    return Machine(tmp_path, clock, start_uj=990_000_000)


def recorder_of(machine: Machine) -> Recorder:
    return Recorder(find(machine.root), clock=machine.clock)


def test_energy_is_told_raw_and_less_what_rest_takes_across_a_wrap(machine: Machine) -> None:
    recorder = recorder_of(machine)
    recorder.rest(2.0)
    recorder.before()
    machine.work(recorder)
    recorder.after()
    found = recorder.columns()
    assert list(found) == COLUMNS
    assert found["energy_j"] == pytest.approx(80)
    assert found["idle_power_w"] == pytest.approx(3)
    assert found["net_energy_j"] == pytest.approx(50)
    assert found["energy_source"].startswith("rapl: package-0 (processor alone")
    assert ";" not in found["energy_source"]
    schema.frame([found], RESULTS)


def test_a_power_sensor_is_integrated_between_queries(machine: Machine, tmp_path: Path, clock: ManualClock) -> None:
    machine.files = machine.gauge
    machine.root = tmp_path / "board"
    machine.take(3.0, 0)
    recorder = recorder_of(machine)
    recorder.rest(2.0)
    machine.take(8.0, 0)
    recorder.before()
    machine.work(recorder)
    clock.advance(0.001)
    recorder.after()
    found = recorder.columns()
    assert found["energy_j"] == pytest.approx(80.008)
    assert found["net_energy_j"] == pytest.approx(80.008 - 3 * 10.001)
    assert "ina219" in found["energy_source"]


def test_what_is_taken_between_two_readings_is_found_by_observing_alone(
    machine: Machine, tmp_path: Path, clock: ManualClock
) -> None:
    machine.files, machine.root = machine.gauge, tmp_path / "board"
    machine.take(2.0, 0)
    recorder = recorder_of(machine)
    recorder.before()
    for watts, seconds in ((2.0, 3.0), (20.0, 4.0), (2.0, 3.0)):
        machine.work(recorder, seconds=seconds, watts=watts)
    recorder.after()
    # each step of power lies somewhere in a quarter of a second
    assert recorder.columns()["energy_j"] == pytest.approx(2 * 6 + 20 * 4, abs=2 * 18 * 0.25)


def test_a_counter_that_wraps_twice_is_followed_by_observing_alone(tmp_path: Path, clock: ManualClock) -> None:
    machine = Machine(tmp_path, clock, range_uj=300 * 10**6)
    recorder = recorder_of(machine)
    recorder.before()
    machine.work(recorder, watts=80.0)
    recorder.after()
    assert recorder.columns()["energy_j"] == pytest.approx(800)
    blind = recorder_of(machine)
    blind.before()
    clock.advance(10.0)
    machine.take(80.0, 10.0)
    blind.after()
    assert "could wrap the counter twice" in blind.columns()["energy_source"]


def test_rest_lasts_as_long_as_it_is_told_and_is_read_all_the_while(tmp_path: Path, clock: ManualClock) -> None:
    machine = Machine(tmp_path, clock)
    machine.idle = lambda now: 6.0 if now <= 0.5 else 2.0
    recorder = recorder_of(machine)
    recorder.rest(2.0)
    assert clock.now() == pytest.approx(2.0)
    recorder.before()
    machine.work(recorder)
    recorder.after()
    assert recorder.columns()["idle_power_w"] == pytest.approx((6 * 0.5 + 2 * 1.5) / 2)


def test_without_sensors_nothing_is_read_nor_waited_for(tmp_path: Path, clock: ManualClock) -> None:
    recorder = Recorder(find(tmp_path), clock=clock)
    recorder.rest(2.0)
    recorder.before()
    recorder.observe()
    recorder.after()
    found = recorder.columns()
    assert clock.now() == 0
    assert {name for name in MISSING if math.isnan(found[name])} == MISSING
    assert found["throttled"] is None
    assert found["energy_source"].startswith("none: ")
    assert found["temperature_source"].startswith("none: ")
    schema.frame([found], RESULTS)


def test_a_run_without_rest_has_no_net_energy_and_says_so(machine: Machine) -> None:
    recorder = recorder_of(machine)
    recorder.before()
    machine.work(recorder)
    recorder.after()
    found = recorder.columns()
    assert found["energy_j"] == pytest.approx(80)
    assert math.isnan(found["net_energy_j"])
    assert "power at rest is not known: it was not measured" in found["energy_source"]


def test_rest_that_takes_more_than_the_run_is_said(machine: Machine) -> None:
    recorder = recorder_of(machine)
    recorder.rest(2.0)
    recorder.before()
    machine.work(recorder, watts=1.0)
    recorder.after()
    assert recorder.columns()["net_energy_j"] == pytest.approx(-20)
    assert "it was not at rest" in recorder.columns()["energy_source"]


def test_a_sensor_that_vanishes_costs_its_numbers_and_not_the_run(machine: Machine) -> None:
    zone = write(
        machine.root, {"class/thermal/thermal_zone0/type": "cpu-thermal", "class/thermal/thermal_zone0/temp": 41000}
    )
    recorder = recorder_of(machine)
    recorder.rest(2.0)
    recorder.before()
    machine.work(recorder, seconds=2)
    (zone / "class/thermal/thermal_zone0/temp").unlink()
    counter = machine.root / "class/powercap/intel-rapl:0/energy_uj"
    counter.unlink()
    recorder.observe()
    counter.write_text("5\n")  # it is back, but what it took meanwhile is not known
    recorder.after()
    found = recorder.columns()
    assert math.isnan(found["energy_j"])
    assert math.isnan(found["net_energy_j"])
    assert found["energy_source"].startswith(
        f"none: it failed in the run: {counter}: No such file or directory (rapl: "
    )
    assert found["temperature_before_c"] == 41.0
    assert math.isnan(found["temperature_max_c"])
    assert math.isnan(found["temperature_after_c"])
    assert found["temperature_source"].endswith("No such file or directory (thermal zone: cpu-thermal)")


def test_a_run_that_did_not_end_has_no_energy(machine: Machine) -> None:
    recorder = recorder_of(machine)
    recorder.before()
    machine.work(recorder)
    found = recorder.columns()
    assert math.isnan(found["energy_j"])
    assert "it was not read before and after the run" in found["energy_source"]


def test_a_machine_that_was_suspended_has_no_energy(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorder_of(machine)
    recorder.before()
    machine.work(recorder)
    later = machine.clock.utc().replace(hour=3)
    monkeypatch.setattr(machine.clock, "utc", lambda: later)
    recorder.after()
    found = recorder.columns()
    assert math.isnan(found["energy_j"])
    assert "it was set, or the machine was suspended" in found["energy_source"]


def test_heat_is_told_before_after_and_at_its_highest_in_between(tmp_path: Path, clock: ManualClock) -> None:
    zone = "class/thermal/thermal_zone0"
    write(tmp_path, {f"{zone}/type": "x86_pkg_temp"} | processor(0, package=0, count=7))
    steps = iter([40_000, 55_500, 71_000, 68_000])

    def heat() -> None:
        write(tmp_path, {f"{zone}/temp": next(steps)})

    heat()
    recorder = Recorder(find(tmp_path), clock=clock)
    recorder.before()
    for _ in range(2):
        heat()
        recorder.observe()
    heat()
    write(tmp_path, processor(0, package=0, count=9))
    recorder.after()
    found = recorder.columns()
    assert [found[f"temperature_{name}_c"] for name in ("before", "after", "max")] == [40.0, 68.0, 71.0]
    assert found["throttled"] == 2


def test_the_run_after_a_failing_rest_is_measured(machine: Machine) -> None:
    recorder = recorder_of(machine)
    counter = machine.root / "class/powercap/intel-rapl:0/energy_uj"
    kept = counter.read_text()
    files, machine.files = machine.files, dict
    counter.unlink()
    recorder.rest(2.0)
    counter.write_text(kept)
    machine.files = files
    recorder.before()
    machine.work(recorder)
    recorder.after()
    found = recorder.columns()
    assert math.isnan(found["idle_power_w"])
    assert "power at rest is not known: it failed in the run" in found["energy_source"]
