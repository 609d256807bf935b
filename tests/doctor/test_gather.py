"""What is seen of a machine, from a tree of our own."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.doctor import _healthy as healthy
from tests.doctor._healthy import write
from tests.inference import _edgetpu_tree as tree
from tpukit import host, schema
from tpukit.doctor import NOT_APPLICABLE, OK, TROUBLE, WARNING, Driver, Library, Trial, checkup, examine, gather
from tpukit.doctor._gather_home import seen_home
from tpukit.doctor._gather_machine import seen_driver, seen_machine
from tpukit.inference import Model

GROUP, SLOT, DPKG = "sys/fs/cgroup", "sys/bus/pci/devices/0000:00:04.0", "var/lib/dpkg/status"
ABSENT = Trial(error="libedgetpu.so.1 is not installed, or not where libraries are searched: install it (Debian: …)")


def tries(what: str) -> Trial:
    return Trial(said=healthy.RUNTIME_14 if what == "libedgetpu" else "runs a bundled model")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(host, "processors", lambda: 4)
    monkeypatch.setattr(host, "allowed_processors", lambda: 4)
    return healthy.machine_tree(tmp_path / "root")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def test_a_healthy_machine_with_an_edge_tpu_and_its_model_is_all_ok(machine: Path, home: Path) -> None:
    model = Model(name="m_edgetpu", content=healthy.compiled(13), sha256="0" * 64)
    facts = gather([model], root=machine, home=home, tries=tries)
    # what is installed is this environment's, whatever it is
    table = examine(replace(facts, python=healthy.PYTHON))
    assert set(table["verdict"]) == {OK, NOT_APPLICABLE}
    assert set(table[table["verdict"] == NOT_APPLICABLE]["check"]) == {"kernel driver", "status", "temperature"}


def test_a_checkup_is_a_table_of_its_schema(machine: Path, home: Path) -> None:
    table = schema.check(checkup(["digits_cnn_int8"], root=machine, home=home, tries=tries), schema.CHECKS)
    assert table.set_index("check").loc["compiled", "verdict"] == TROUBLE  # an Edge TPU is there, and would not be used


@pytest.mark.parametrize(
    ("files", "check", "verdict", "found"),
    [
        ({"proc/loadavg": "3.50 1.00 0.50 2/100 1"}, "load", WARNING, "3.50 on 4"),
        ({"sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "powersave"}, "governor", WARNING, "and powersave"),
        ({f"{GROUP}/cpu.max": "150000 100000"}, "processors", WARNING, "1.5 of 4"),
        ({f"{GROUP}/cpu/cpu.cfs_quota_us": "200000", f"{GROUP}/cpu/cpu.cfs_period_us": "100000"}, "processors", WARNING,
         "2 of 4"),
        ({f"{GROUP}/cpu.stat": "nr_periods 200\nnr_throttled 50"}, "processors", WARNING, "25% of its periods"),
        ({f"{GROUP}/cpu/cpu.stat": "nr_periods 10\nnr_throttled 5"}, "processors", WARNING, "50% of its periods"),
        ({"proc/pressure/memory": "some avg10=9.00 avg60=12.50 avg300=1.00 total=5"}, "memory", WARNING, "12%"),
        ({f"{GROUP}/memory.pressure": "some avg10=0 avg60=3.00 avg300=0 total=5"}, "memory", WARNING, "3%"),
        ({"proc/meminfo": "MemTotal: 8388608 kB\nMemAvailable: 400000 kB"}, "memory", WARNING, "0.4 of 8.0 GiB"),
        ({f"{GROUP}/memory.max": "1073741824", f"{GROUP}/memory.current": "1063741824"}, "memory", WARNING, "0.0 of"),
        ({f"{GROUP}/memory/memory.limit_in_bytes": "1073741824", f"{GROUP}/memory/memory.usage_in_bytes": "1073741824",
          f"{GROUP}/memory/memory.stat": "cache 7\ntotal_inactive_file 536870912"}, "memory", OK, "0.5 of 1.0 GiB"),
        ({f"{GROUP}/memory.max": "max", f"{GROUP}/memory.current": "9"}, "memory", OK, "6.0 of 8.0 GiB"),
        ({f"{GROUP}/memory/memory.limit_in_bytes": "9223372036854771712",
          f"{GROUP}/memory/memory.usage_in_bytes": "9"}, "memory", OK, "6.0 of 8.0 GiB"),
        ({"proc/stat": "cpu  1000 0 500 8000 100 0 0 400 0 0"}, "stolen time", WARNING, "4.00%"),
        ({"proc/stat": "cpu  1000 0 500 8000 100 0 0 400"}, "stolen time", WARNING, "4.00%"),
        ({f"{SLOT}/vendor": "0x1ae0", f"{SLOT}/device": "0x0063"}, "JAX", TROUBLE, "1 TPU chip here"),
        ({f"{SLOT}/vendor": "0x1ae0", f"{SLOT}/device": "0x0042"}, "JAX", OK, "for the CPU"),
        ({"dev/nvidia0": ""}, "JAX", WARNING, "NVIDIA card"),
        ({DPKG: healthy.package("libedgetpu1-max", "16.0")}, "libedgetpu and runtime", WARNING, "16.0"),
        ({DPKG: healthy.package("libedgetpu1-std", "16.0", "deinstall ok config-files")},
         "libedgetpu and runtime", NOT_APPLICABLE, "not known"),
    ],
)  # fmt: skip
def test_a_trouble_is_seen_in_the_systems_files(
    files: dict[str, str], check: str, verdict: str, found: str, machine: Path, home: Path
) -> None:
    write(machine, files)
    facts = replace(gather(root=machine, home=home, tries=tries), python=healthy.PYTHON)
    row = examine(facts).set_index("check").loc[check]
    assert row["verdict"] == verdict
    assert found in row["found"]


def test_each_edge_tpu_is_judged_by_itself(machine: Path, home: Path) -> None:
    tree.usb(machine, "1-2", speed="480", number=9)
    tree.usb(machine, "3-1", usb_id="1a6e:089a", number=4).unlink()
    tree.pci(machine, 0, temp=91000, status="DEAD")
    tree.held(machine, "/dev/apex_0", pid=4711, name="frigate")
    table = checkup(root=machine, home=home, tries=tries)
    bad = table[table["verdict"].isin([WARNING, TROUBLE]) & table["subject"].notna()]
    assert {(row.check, row.subject): row.verdict for row in bad.itertuples()} == {
        ("USB speed", "1-2"): WARNING,
        ("permission", "3-1"): TROUBLE,
        ("status", "apex_0"): TROUBLE,
        ("temperature", "apex_0"): WARNING,
        ("processes", "apex_0"): TROUBLE,
    }


def test_the_driver_of_this_kernel_is_looked_for_and_not_that_of_another(machine: Path) -> None:
    tree.undriven(machine)
    assert seen_driver(machine) == Driver(kernel="6.1.0-18-amd64", loaded=False, built=False)
    write(machine, {"lib/modules/5.10.0-1-amd64/updates/dkms/apex.ko": ""})
    assert not seen_driver(machine).built
    write(machine, {"lib/modules/6.1.0-18-amd64/updates/dkms/apex.ko.xz": ""})
    assert seen_driver(machine).built
    (machine / "sys/module/apex").mkdir(parents=True)
    assert seen_driver(machine).loaded


def test_a_machine_that_shows_nothing_is_judged_by_nothing(tmp_path: Path, home: Path) -> None:
    seen = seen_machine(tmp_path)
    told = (seen.quota, seen.throttled, seen.load_1m, seen.memory_bytes, seen.memory_stalled, seen.stolen)
    assert (told, seen.governors) == ((None,) * 6, ())
    table = checkup(root=tmp_path, home=home, tries=tries).set_index("check")
    assert (table.verdict[["governor", "load", "memory", "stolen time"]] == NOT_APPLICABLE).all()


@pytest.mark.parametrize("text", ["", "rubbish", "cpu", "cpu x y", "cpu  0 0 0 0 0 0 0 0"])
def test_files_of_another_form_tell_nothing(text: str, machine: Path) -> None:
    write(machine, dict.fromkeys(("proc/loadavg", "proc/stat", "proc/meminfo", "proc/pressure/memory"), text))
    seen = seen_machine(machine)
    assert (seen.load_1m, seen.stolen, seen.memory_bytes, seen.memory_stalled) == (None,) * 4


@pytest.mark.parametrize(
    ("trial", "library"),
    [
        (ABSENT, Library(found=False)),
        (Trial(said=healthy.RUNTIME_14), healthy.HEALTHY.library),
    ],
)
def test_an_absent_library_is_told_from_a_broken_one(trial: Trial, library: Library, machine: Path, home: Path) -> None:
    assert gather(root=machine, home=home, tries=lambda what: trial).library == library


def test_a_library_that_lacks_another_is_there(machine: Path, home: Path) -> None:
    lacks = Trial(error="libedgetpu needs libusb-1.0.so.0, which is missing: install it (Debian: libusb-1.0-0)")
    table = checkup(root=machine, home=home, tries=lambda what: lacks).set_index("check")
    assert table.loc["libedgetpu", "verdict"] == TROUBLE
    assert table.loc["libedgetpu", "remedy"] == "install it (Debian: libusb-1.0-0)"


def test_a_home_that_does_not_exist_is_judged_by_where_it_will_be(tmp_path: Path) -> None:
    seen = seen_home(tmp_path / "not" / "yet")
    assert (seen.exists, seen.writable, seen.odd, seen.open_to_others) == (False, True, None, ())
    assert not (tmp_path / "not").exists()


def test_a_home_that_cannot_be_written_is_seen(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK | os.X_OK)  # root may write anywhere
    assert not seen_home(home).writable


def test_a_file_in_the_place_of_the_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    assert seen_home(tmp_path / "state").odd == str(tmp_path / "state")
    assert seen_home(tmp_path / "state" / "tpukit").odd == str(tmp_path / "state")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_what_others_may_use_is_named_unless_they_cannot_get_there(home: Path) -> None:
    history = home / "history.db"
    history.write_text("")
    history.chmod(0o644)
    assert seen_home(home).open_to_others == ()
    home.chmod(0o755)
    assert seen_home(home).open_to_others == (str(history),)
    home.chmod(0o777)
    assert seen_home(home).open_to_others == (str(home), str(history))
    home.chmod(0o755)
    history.chmod(0o640)
    assert seen_home(home).open_to_others == (str(history),)
    history.chmod(0o600)
    (home / "link").symlink_to(history)  # its own mode is 777, and counts for nothing
    assert seen_home(home).open_to_others == ()
