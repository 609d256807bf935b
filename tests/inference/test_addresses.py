"""Names of devices that go on with a place and options, and what a session tells of its model."""

from collections.abc import Mapping

import pytest

from tpukit.errors import ConfigError, UnknownNameError
from tpukit.inference import (
    Addressed,
    Device,
    Facts,
    HasFacts,
    Model,
    Peaks,
    Session,
    Work,
    _devices,
    benchmark,
    get_device,
)
from tpukit.registry import Registry
from tpukit.testing import FakeDevice, ManualClock


class Placed(FakeDevice):
    """A device that notes where it was asked for."""

    def at(self, place: str, options: Mapping[str, str]) -> Device:
        found = Placed([0.001], clock=ManualClock())
        found.name = f"placed {place} {dict(options)}"
        return found


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch, clock: ManualClock) -> None:
    known = Registry[Device]("device", entry_point="tpukit.devices")
    known.add("placed", Placed([0.001], clock=clock))
    known.add("fake", FakeDevice([0.001], clock=clock))
    monkeypatch.setattr(_devices, "DEVICES", known)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("placed", "fake"),
        ("placed:usb", "placed usb {}"),
        ("placed:usb:0", "placed usb:0 {}"),
        ("placed:0", "placed 0 {}"),
        ("placed,a=b", "placed  {'a': 'b'}"),
        ("placed:pci:1,a=b,c=d=e", "placed pci:1 {'a': 'b', 'c': 'd=e'}"),
    ],
)
def test_a_name_goes_on_with_a_place_and_options(given: str, name: str) -> None:
    assert isinstance(get_device("placed"), Addressed)
    assert get_device(given).name == name


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^device 'placed,a=b,c=d,a=e': a is given twice, give it once$"):
        get_device("placed,a=b,c=d,a=e")


@pytest.mark.parametrize("given", ["placed,a", "placed,a=", "placed,=b", "placed,", "placed:usb,a=b,"])
def test_what_is_no_option_is_refused(given: str) -> None:
    with pytest.raises(ConfigError, match="is no option, expected option=value"):
        get_device(given)


@pytest.mark.parametrize("given", ["fake:0", "fake,a=b"])
def test_a_device_without_places_says_so(given: str) -> None:
    with pytest.raises(ConfigError, match="fake has neither places nor options, give fake alone"):
        get_device(given)


def test_an_unknown_name_is_offered_others() -> None:
    with pytest.raises(UnknownNameError, match="unknown device 'placd': did you mean placed"):
        get_device("placd:usb")


class Knowing(FakeDevice):
    """A device whose sessions know their model."""

    def load(self, model: Model, *, threads: int, batch: int) -> Session:
        session = super().load(model, threads=threads, batch=batch)
        peaks = Peaks(ops_per_s={"int8": 1e9}, bytes_per_s={1: 1e9}, source="by hand")
        work = Work(macs={"int8": 250_000}, constant_bytes=1, io_bytes=1)
        session.facts = Facts(compile_s=0.25, ops=5, ops_on_device=3, work=work, peaks=peaks)
        return session


def test_what_a_session_knows_stands_in_the_tables(toy: Model, clock: ManualClock, quiet: None) -> None:
    device = Knowing([0.001], clock=clock)
    assert isinstance(device.load(toy, threads=1, batch=1), HasFacts)
    result = benchmark(toy, device, duration_s=1.0, clock=clock)
    assert result.run[["ops", "ops_on_device"]].iloc[0].tolist() == [5, 3]
    row = result.summary.iloc[0]
    assert row["compile_s"] == 0.25
    assert row["limit_value"] == pytest.approx(2 * 250_000 / 1e9)
    assert row["fraction_of_peak"] == pytest.approx(0.5)
    assert row["limit"].endswith("by hand")


def test_what_a_session_does_not_know_is_missing(toy: Model, clock: ManualClock, quiet: None) -> None:
    result = benchmark(toy, FakeDevice([0.001], clock=clock), duration_s=1.0, clock=clock)
    assert result.run[["ops", "ops_on_device"]].isna().all(axis=None)
    assert result.summary["compile_s"].isna().all()
