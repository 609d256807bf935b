"""Which sensor is taken, on trees of many machines, and why none is."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.sensors._tree import monitor, package, processor, write
from tpukit.errors import ConfigError
from tpukit.sensors import Sensors, _files, find
from tpukit.sensors._heat import throttled

NOTHING = "none: no power monitor, and no sensor of what the cpu takes"
ROOT_ONLY = "energy_uj is readable by root alone: run as root, or `sudo chmod a+r "


def energy(sensors: Sensors) -> tuple[int, ...]:
    assert sensors.energy
    return sensors.energy.read()


def test_a_bare_virtual_machine_has_none_and_says_so(tmp_path: Path) -> None:
    sensors = find(tmp_path)
    assert (sensors.energy, sensors.temperature, sensors.throttle) == (None, None, None)
    assert sensors.energy_source == NOTHING
    assert sensors.temperature_source == "none: no thermal zone or hwmon sensor of a processor"


def test_rapl_sums_packages_and_nothing_that_they_hold(tmp_path: Path) -> None:
    psys = {f"class/powercap/intel-rapl:2/{name}": value for name, value in
            {"name": "psys", "energy_uj": 900, "max_energy_range_uj": 10**12}.items()}  # fmt: skip
    mmio = {f"class/powercap/intel-rapl-mmio:0/{name}": value for name, value in
            {"name": "package-0", "energy_uj": 70, "max_energy_range_uj": 10**12}.items()}  # fmt: skip
    sensors = find(write(tmp_path, package(0, 100) | package(1, 50) | psys | mmio))
    assert energy(sensors) == (100, 50)
    assert sensors.energy_source == "rapl: package-0 + package-1 (processor alone, no accelerator on USB or PCIe)"
    assert sensors.energy
    assert sensors.energy.energy([0, 10**9], [(262_143_000_000, 0), (0, 10**6)]).joules == pytest.approx(1.32885)


def test_rapl_that_root_alone_reads_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, package(0, 100) | package(1, 50))
    refuse(monkeypatch, "intel-rapl:1/energy_uj")  # the tests may run as root
    sensors = find(tmp_path)
    assert sensors.energy is None
    assert sensors.energy_source.startswith(f"none: {tmp_path}/class/powercap/intel-rapl:1/{ROOT_ONLY}")


def test_a_better_source_that_is_refused_is_named_beside_the_one_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, package(0, 100) | monitor(0, name="fam15h_power", power1_input=81_000_000))
    refuse(monkeypatch, "intel-rapl:0/energy_uj")
    sensors = find(tmp_path)
    assert energy(sensors) == (81_000_000,)
    assert sensors.energy_source.startswith(
        "hwmon: fam15h_power hwmon0 power1 (processor alone, no accelerator on USB or PCIe; read between queries); not "
    )
    assert ROOT_ONLY in sensors.energy_source


@pytest.mark.parametrize(
    ("files", "reading", "source"),
    [
        (monitor(3, name="ina219", power1_input=2_480_000, in1_input=5000), (2_480_000,), "ina219 hwmon3 power1"),
        (monitor(3, name="ina238", energy1_input=77, power1_input=5), (77,), "ina238 hwmon3 energy1"),
        (monitor(1, name="ina3221", in1_input=5000, curr1_input=400), (2_000_000,), "ina3221 hwmon1 in1 × curr1"),
        (
            # a Jetson: the second and third rail are parts of the last
            monitor(1, name="ina3221", in1_input=5000, curr1_input=400, in1_label="VDD_SOC")
            | monitor(1, in2_input=5000, curr2_input=900, in2_label="VDD_IN"),
            (4_500_000,),
            "ina3221 hwmon1 in2 VDD_IN × curr2",
        ),
        (
            monitor(0, name="amd_energy", energy1_input=1, energy1_label="Ecore000")
            | monitor(0, energy2_input=20, energy2_label="Esocket0", energy3_input=30, energy3_label="Esocket1"),
            (20, 30),
            "amd_energy hwmon0 energy2 Esocket0 + energy3 Esocket1",
        ),
        (
            # another Jetson, without a rail of the whole supply
            monitor(1, name="ina3221", in1_input=5000, curr1_input=400, in1_label="GPU")
            | monitor(1, in2_input=5000, curr2_input=900, in2_label="CPU"),
            (4_500_000,),
            "ina3221 hwmon1 in2 CPU × curr2",
        ),
        (
            monitor(2, name="zenergy", energy1_input=1, energy1_label="Ecore000", energy17_input=4)
            | monitor(2, energy17_label="Esocket0"),
            (4,),
            "zenergy hwmon2 energy17 Esocket0 (processor alone",
        ),
        (monitor(0, name="fam15h_power", power1_input=9), (9,), "fam15h_power hwmon0 power1"),
        (monitor(10, name="ina226", power1_input=1) | monitor(9, name="ina219", power1_input=2), (2,), "ina219 hwmon9"),
    ],
)
def test_a_chip_of_hwmon_is_read_in_micro_units(
    files: dict[str, object], reading: tuple[int, ...], source: str, tmp_path: Path
) -> None:
    sensors = find(write(tmp_path, files))
    assert energy(sensors) == reading
    assert source in sensors.energy_source


def test_a_power_monitor_goes_before_rapl_and_rapl_before_drivers_of_the_processor(tmp_path: Path) -> None:
    write(tmp_path, package(0, 100) | monitor(0, name="amd_energy", energy1_input=5))
    assert find(tmp_path).energy_source.startswith("rapl: package-0")
    write(tmp_path, monitor(1, name="ina219", power1_input=6))
    assert energy(find(tmp_path)) == (6,)


@pytest.mark.parametrize("device", ["cpu", "gpu", "apex_0"])
@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("BAT0", {"in0_input": 12_000, "curr1_input": 800}),
        ("sbs_5_000b", {"power1_input": 5}),
        ("ucsi_source_psy_USBC000:001", {"in0_input": 5000, "curr1_input": 500}),
        ("corsairpsu", {"power1_input": 5, "power2_input": 3}),
        ("power_meter", {"power1_average": 5}),
        ("i915", {"energy1_input": 5}),
    ],
)
def test_what_feeds_something_else_is_named_and_not_taken(
    device: str, name: str, files: dict[str, object], tmp_path: Path
) -> None:
    write(tmp_path, monitor(0, name=name, **files) | monitor(1, name="nvme", temp1_input=40_000))
    sensors = find(tmp_path, device=device)
    assert sensors.energy is None
    assert sensors.energy_source == (
        f"none: no power monitor, and no sensor of what the {device} takes; "
        f"seen and not taken, for it is not the {device} that they measure: {name} hwmon0"
    )


def test_a_graphics_card_is_taken_where_it_is_asked_for_alone(tmp_path: Path) -> None:
    write(tmp_path, monitor(4, name="amdgpu", power1_average=31_000_000))
    for device in ("cpu", "apex_0"):
        assert find(tmp_path, device=device).energy_source.endswith("that they measure: amdgpu hwmon4")
    write(tmp_path, package(0, 100) | monitor(5, name="zenergy", energy1_input=7, energy1_label="Esocket0"))
    sensors = find(tmp_path, device="gpu")
    assert energy(sensors) == (31_000_000,)
    assert sensors.energy_source == "hwmon: amdgpu hwmon4 power1 (graphics card alone; read between queries)"
    assert energy(find(tmp_path)) == (100,)


def test_what_feeds_an_accelerator_is_told_by_a_monitor_alone(tmp_path: Path) -> None:
    write(tmp_path, package(0, 100) | monitor(5, name="zenergy", energy1_input=7, energy1_label="Esocket0"))
    assert find(tmp_path, device="apex_0").energy is None
    write(tmp_path, monitor(1, name="ina226", power1_input=6))
    assert energy(find(tmp_path, device="apex_0")) == (6,)


@pytest.mark.parametrize("device", ["tpu", "apex", "cpu0", ""])
def test_a_device_without_sensors_of_its_own_is_refused(device: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"sensors of device '{device}' are not known: expected cpu, gpu, or a PCIe"):
        find(tmp_path, device=device)


@pytest.mark.parametrize(
    ("files", "celsius", "source"),
    [
        ({"thermal_zone0/type": "acpitz", "thermal_zone0/temp": 90000}, None, "none: no thermal zone"),
        ({"thermal_zone0/type": "cpu-thermal", "thermal_zone0/temp": 48312}, 48.312, "thermal zone: cpu-thermal"),
        (
            {"thermal_zone0/type": "CPU-therm", "thermal_zone0/temp": 50000}
            | {"thermal_zone1/type": "x86_pkg_temp", "thermal_zone1/temp": 41000}
            | {"thermal_zone2/type": "x86_pkg_temp", "thermal_zone2/temp": 43000},
            43.0,
            "thermal zone: x86_pkg_temp, the highest",
        ),
        ({"thermal_zone0/type": "cpu-thermal", "thermal_zone0/temp": "warm"}, None, "temp: holds b'warm\\n', no whole"),
    ],
)
def test_temperature_is_the_packages(
    files: dict[str, object], celsius: float | None, source: str, tmp_path: Path
) -> None:
    sensors = find(write(tmp_path / "class/thermal", files).parents[1])
    assert (sensors.temperature.read() if sensors.temperature else None) == celsius
    assert source in sensors.temperature_source


def test_a_chip_of_hwmon_tells_temperature_where_no_zone_does(tmp_path: Path) -> None:
    files = {"temp1_input": 45000, "temp1_label": "Tctl", "temp3_input": 61000, "temp3_label": "Tccd1"}
    write(tmp_path, monitor(0, name="nvme", temp1_input=70000) | monitor(2, name="k10temp", **files))
    sensors = find(tmp_path)
    assert sensors.temperature
    assert (sensors.temperature.read(), sensors.temperature_source) == (45.0, "hwmon: k10temp temp1")


def test_an_edge_tpu_tells_its_own_temperature(tmp_path: Path) -> None:
    zone = {"class/thermal/thermal_zone0/type": "cpu-thermal", "class/thermal/thermal_zone0/temp": 40000}
    write(tmp_path, zone | {"class/apex/apex_1/temp": 61050})
    sensors = find(tmp_path, device="apex_1")
    assert sensors.temperature
    assert (sensors.temperature.read(), sensors.temperature_source) == (61.05, "apex: apex_1")
    assert find(tmp_path, device="apex_0").temperature_source.startswith("none: ")
    assert find(tmp_path).temperature_source == "thermal zone: cpu-thermal"
    assert find(tmp_path, device="gpu").temperature_source == "none: the temperature of graphics cards is not read"


def test_one_event_is_counted_once_however_many_processors_saw_it(tmp_path: Path) -> None:
    cpus = [processor(number, package=number // 2, count=10) for number in range(4)]
    for files in cpus:
        write(tmp_path, files)
    counter = find(tmp_path).throttle
    assert counter
    before = counter.read()
    for number in (0, 1):
        write(tmp_path, processor(number, package=0, count=13))
    write(tmp_path, processor(3, package=1, count=11))
    assert throttled(before, counter.read()) == 4
    write(tmp_path, processor(2, package=1, count=0))  # taken off line and on again
    assert throttled(before, counter.read()) is None


def cards(*names: str | bytes, error: str = "") -> SimpleNamespace:
    """Return a stand-in of NVIDIA's library, whose cards' energy is 100, 200 … mJ."""

    class NVMLError(Exception):
        pass

    def consumed(index: int) -> int:
        if error:
            raise NVMLError(error)
        return 100 * (index + 1)

    return SimpleNamespace(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: len(names),
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetName=lambda index: names[index],
        nvmlDeviceGetTotalEnergyConsumption=consumed,
    )


def test_nvidias_cards_are_summed_where_they_are_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", cards("A", b"B"))
    write(tmp_path, monitor(0, name="amdgpu", power1_average=5))
    sensors = find(tmp_path, device="gpu")
    assert energy(sensors) == (100_000, 200_000)
    assert sensors.energy_source == "nvml: A + B (graphics card alone)"
    assert find(tmp_path).energy is None
    write(tmp_path, package(0, 7))
    assert energy(find(tmp_path)) == (7,)
    assert energy(find(tmp_path, device="gpu")) == (100_000, 200_000)


def test_a_card_or_a_driver_that_refuses_is_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", cards("A", error="Not Supported"))
    assert find(tmp_path, device="gpu").energy_source == "none: NVML: Not Supported"
    assert find(tmp_path).energy_source == NOTHING
    monkeypatch.setitem(sys.modules, "pynvml", cards())
    assert find(tmp_path, device="gpu").energy_source == NOTHING.replace("cpu", "gpu")


def test_a_card_that_is_lost_in_the_run_is_an_error_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = cards("A")
    monkeypatch.setitem(sys.modules, "pynvml", library)
    sensors = find(tmp_path, device="gpu")

    def lost(index: int) -> int:
        raise library.NVMLError("GPU is lost")

    library.nvmlDeviceGetTotalEnergyConsumption = lost
    with pytest.raises(OSError, match="GPU is lost"):
        energy(sensors)


def refuse(monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    """Let a file be readable by root alone."""
    number = _files.number

    def read(path: str) -> int:
        if path.endswith(ending):
            raise PermissionError(13, "Permission denied", path)
        return number(path)

    monkeypatch.setattr(_files, "number", read)
