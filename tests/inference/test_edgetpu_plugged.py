"""The Edge TPUs that the kernel shows, read from a tree of our own."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.inference import _edgetpu_tree as tree
from tpukit import schema
from tpukit.inference import EdgeTPU, HasSensor, Holder, edge_tpus, plugged, stated_peaks

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sysfs, and no names with a colon")


def test_a_usb_device_is_read_whole(tmp_path: Path) -> None:
    tree.usb(tmp_path, "2-1", number=3)
    (found,) = plugged(tmp_path)
    assert (found.kind, found.path, found.node) == ("usb", "/sys/bus/usb/devices/2-1", "/dev/bus/usb/002/003")
    assert (found.usb_id, found.link_bits_per_s, found.hardware) == ("18d1:9302", 5e9, "edgetpu usb3")
    assert re.fullmatch(r"-[rwx-]{9} \S+ \S+", found.permissions or "")
    assert (found.openable, found.holders, found.trouble()) == (True, (), None)
    # USB tells neither of them, and needs no driver
    assert (found.temperature_c, found.driver, found.status) == (None, None, None)


def test_a_pci_device_is_read_whole(tmp_path: Path) -> None:
    tree.pci(tmp_path, 0)
    (found,) = plugged(tmp_path)
    assert (found.kind, found.path, found.node, found.hardware) == ("pci", *["/dev/apex_0"] * 2, "edgetpu pci")
    assert (found.temperature_c, found.slow_from_c) == pytest.approx((48.05, 84.8))
    assert (found.driver, found.status) == ("1.2", "ALIVE")
    assert (found.usb_id, found.link_bits_per_s, found.trouble()) == (None, None, None)


def test_usb_comes_first_and_each_kind_in_order_of_its_numbers(tmp_path: Path) -> None:
    for number, address in ((10, "0000:0a:00.0"), (2, "0000:02:00.0")):
        tree.pci(tmp_path, number, address=address)
    for name in ("10-1", "2-1"):
        tree.usb(tmp_path, name)
    assert [found.path for found in plugged(tmp_path)] == [
        "/sys/bus/usb/devices/2-1",
        "/sys/bus/usb/devices/10-1",
        "/dev/apex_2",
        "/dev/apex_10",
    ]


def test_other_devices_are_none_of_it(tmp_path: Path) -> None:
    tree.usb(tmp_path, "1-1", usb_id="046d:c52b")
    other = tmp_path / "sys/bus/pci/devices/0000:00:02.0"
    other.mkdir(parents=True)
    (other / "vendor").write_text("0x8086\n")
    assert plugged(tmp_path) == ()
    assert edge_tpus(tmp_path).empty


@pytest.mark.parametrize(
    ("speed", "hardware", "note"),
    [("5000", "usb3", None), ("10000", "usb3", None), ("480", "usb2", "USB 2 port")],
)
def test_the_link_decides_what_the_maker_states(speed: str, hardware: str, note: str | None, tmp_path: Path) -> None:
    tree.usb(tmp_path, speed=speed)
    (found,) = plugged(tmp_path)
    assert found.hardware == f"edgetpu {hardware}"
    assert stated_peaks(found.hardware or "").bandwidth(1) == {"usb3": 5e8, "usb2": 6e7}[hardware]
    said = edge_tpus(tmp_path)["note"].fillna("nothing").item()
    assert (note or "nothing") in said


def test_a_link_that_the_kernel_does_not_tell_is_not_guessed(tmp_path: Path) -> None:
    tree.usb(tmp_path, speed="unknown")
    (found,) = plugged(tmp_path)
    assert (found.link_bits_per_s, found.hardware) == (None, None)


def test_one_whose_firmware_is_not_loaded_is_no_trouble(tmp_path: Path) -> None:
    tree.usb(tmp_path, usb_id="1a6e:089a")
    (found,) = plugged(tmp_path)
    assert found.trouble() is None
    assert "firmware is loaded on first use" in edge_tpus(tmp_path)["note"].item()


def test_a_pci_device_without_a_driver_has_no_node_and_says_what_to_do(tmp_path: Path) -> None:
    tree.undriven(tmp_path, "0000:01:00.0")
    (found,) = plugged(tmp_path)
    assert (found.node, found.openable, found.path) == (None, False, "/sys/bus/pci/devices/0000:01:00.0")
    assert "kernel module apex" in (found.trouble() or "")
    assert "gasket-dkms" in (found.trouble() or "")


def test_a_device_beside_it_with_a_driver_is_not_taken_for_it(tmp_path: Path) -> None:
    tree.pci(tmp_path, 0, address="0000:01:00.0")
    tree.undriven(tmp_path, "0000:02:00.0")
    assert [found.path for found in plugged(tmp_path)] == ["/dev/apex_0", "/sys/bus/pci/devices/0000:02:00.0"]


@pytest.mark.parametrize(("plug", "group"), [(tree.usb, "plugdev"), (tree.pci, "apex")], ids=["usb", "pci"])
def test_a_node_that_this_user_may_not_open_names_the_group_and_the_rule(
    plug: object, group: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = plug(tmp_path)  # type: ignore[operator]
    monkeypatch.setattr(os, "access", lambda path, mode, **_: Path(path) != node)  # root may open anything
    (found,) = plugged(tmp_path)
    assert not found.openable
    assert f"usermod -aG {group}" in (found.trouble() or "")
    assert "udev rule" in (found.trouble() or "")


def test_a_node_that_is_not_there_is_not_openable(tmp_path: Path) -> None:
    tree.usb(tmp_path).unlink()
    (found,) = plugged(tmp_path)
    assert (found.openable, found.permissions) == (False, None)
    assert "it does not exist" in (found.trouble() or "")


def test_who_holds_a_device_is_named(tmp_path: Path) -> None:
    tree.usb(tmp_path, "2-1", number=3)
    tree.held(tmp_path, "/dev/bus/usb/002/003", pid=4711, name="frigate")
    tree.held(tmp_path, "/dev/null", pid=12)
    (found,) = plugged(tmp_path)
    assert found.holders == (Holder(pid=4711, name="frigate"),)
    assert "held by process 4711 (frigate)" in (found.trouble() or "")
    assert edge_tpus(tmp_path)["held_by"].item() == "4711:frigate"


def test_what_this_process_holds_itself_is_no_trouble(tmp_path: Path) -> None:
    """libedgetpu shares a device among the delegates of one process."""
    tree.usb(tmp_path, "2-1", number=3)
    tree.held(tmp_path, "/dev/bus/usb/002/003", pid=os.getpid())
    (found,) = plugged(tmp_path)
    assert [holder.pid for holder in found.holders] == [os.getpid()]
    assert found.trouble() is None


def test_the_holder_is_found_on_this_machine_too(tmp_path: Path) -> None:
    node = tree.pci(tmp_path)
    (tmp_path / "proc").symlink_to("/proc")
    if not Path("/proc/self/fd").exists():
        pytest.skip("this system has no /proc")
    with node.open():
        (found,) = plugged(tmp_path)
    assert [holder.pid for holder in found.holders] == [os.getpid()]
    assert plugged(tmp_path)[0].holders == ()


@pytest.mark.parametrize("name", ["temp", "trip_point0_temp", "driver_version", "status"])
def test_what_the_driver_does_not_tell_is_missing(name: str, tmp_path: Path) -> None:
    tree.pci(tmp_path)
    (tmp_path / "sys/class/apex/apex_0" / name).unlink()
    (found,) = plugged(tmp_path)
    shown = (found.temperature_c, found.slow_from_c, found.driver, found.status)
    assert shown.count(None) == 1
    assert shown[["temp", "trip_point0_temp", "driver_version", "status"].index(name)] is None


def test_the_table_is_declared(tmp_path: Path) -> None:
    tree.usb(tmp_path)
    tree.pci(tmp_path)
    table = schema.check(edge_tpus(tmp_path), schema.EDGE_TPUS)
    assert table["kind"].tolist() == ["usb", "pci"]
    assert table["openable"].tolist() == [True, True]


@pytest.mark.parametrize(
    ("place", "sensor"), [("pci:1", "apex_1"), ("pci", "cpu"), ("usb:0", "cpu"), ("usb", "cpu"), ("", "cpu")]
)
def test_energy_and_heat_are_those_of_one_driver_or_of_the_processor(place: str, sensor: str, tmp_path: Path) -> None:
    tree.usb(tmp_path)
    for number in (0, 1):
        tree.pci(tmp_path, number, address=f"0000:0{number}:00.0")
    device = EdgeTPU(place=place, root=tmp_path)
    assert isinstance(device, HasSensor)
    assert device.sensor == sensor


def test_of_any_kind_the_one_on_pcie_is_taken(tmp_path: Path) -> None:
    tree.usb(tmp_path)
    tree.pci(tmp_path, 0)
    assert EdgeTPU(root=tmp_path).sensor == "apex_0"
    assert EdgeTPU(place=":0", root=tmp_path).sensor == "cpu"


def test_where_the_kernel_shows_nothing_energy_is_the_processors(tmp_path: Path) -> None:
    assert EdgeTPU(place="pci", root=tmp_path / "none").sensor == "cpu"
