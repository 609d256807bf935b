"""Each trouble is recognised from facts alone, with what to do about it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doctor import _healthy as healthy
from tests.doctor._healthy import HEALTHY, MODEL, PCI, UNDRIVEN, USB, with_machine, with_model, with_python, with_tpu
from tests.doctor._healthy import with_versions as having
from tpukit import schema
from tpukit.doctor import (
    NOT_APPLICABLE,
    OK,
    TROUBLE,
    WARNING,
    Driver,
    Facts,
    Home,
    Library,
    Machine,
    ModelFacts,
    Python,
    Trial,
    examine,
)
from tpukit.doctor._examine import OF_EDGE_TPUS, OF_MODELS, ONCE
from tpukit.inference import Holder, InstalledPycoral

IMPOSTOR = InstalledPycoral(version="1.0.0", summary="Coral Atlas tools", is_googles=False)
GOOGLES = replace(HEALTHY, library=replace(HEALTHY.library, package="16.0"))
RUNTIME_13 = Trial(said="libedgetpu runtime 13, build 317268237 (/opt/runtime 14/libedgetpu.so.1.0)")
UNTOLD = Trial(said="libedgetpu of unknown version (/opt/runtime 14/libedgetpu.so.1.0)")
OLD_RUNTIME = replace(HEALTHY, library=Library(found=True, version=RUNTIME_13, package="15.0"))
NO_LIBUSB = "libedgetpu needs libusb-1.0.so.0, which is missing: install it (Debian: libusb-1.0-0 has libusb-1.0.so.0)"
OTHER = "this library is no TFLite delegate, for it lacks tflite_plugin_create_delegate: give the path of libedgetpu"


def library(*, found: bool = True, error: str | None = None) -> Facts:
    return replace(HEALTHY, library=Library(found=found, version=Trial(error=error)))


def undriven(*, kernel: str = "6.1.0-18-amd64", loaded: bool = False, built: bool = False) -> Facts:
    return replace(HEALTHY, edge_tpus=(UNDRIVEN,), driver=Driver(kernel=kernel, loaded=loaded, built=built))


def at_home(**changes: object) -> Facts:
    return replace(HEALTHY, home=replace(HEALTHY.home, **changes))  # type: ignore[arg-type]


#: Facts; the check that speaks, its verdict, a phrase of what it found and one of what to do.
CASES: list[tuple[Facts, str, str, str, str]] = [
    (library(found=False), "libedgetpu", TROUBLE, "not installed", "apt install libedgetpu1-std"),
    (library(error=NO_LIBUSB), "libedgetpu", TROUBLE, "needs libusb-1.0.so.0", "install it (Debian: libusb-1.0-0"),
    (library(error=OTHER), "libedgetpu", TROUBLE, "no TFLite delegate", "for this machine"),
    (library(error="it ended its process by signal 11"), "libedgetpu", TROUBLE, "signal 11", "for this machine"),
    (OLD_RUNTIME, "libedgetpu", WARNING, "refuses models compiled for runtime 14", "which is of runtime 14"),
    (GOOGLES, "libedgetpu and runtime", WARNING, "may not fit ai-edge-litert 2.3.0", "segmentation fault"),
    (having(tflite_runtime="2.1.0.post1"), "libedgetpu and runtime", TROUBLE, "2.1.0.post1 is older", ">=2.5"),
    (undriven(), "kernel driver", TROUBLE, "6.1.0-18-amd64 has no gasket", "linux-headers-6.1.0-18-amd64 gasket-dkms"),
    (undriven(kernel="6.3.9"), "kernel driver", TROUBLE, "6.3.9", "sudo apt install linux-headers-6.3.9 gasket-dkms"),
    (undriven(kernel="6.4.0"), "kernel driver", TROUBLE, "6.4.0", "does not build on kernel 6.4 and later"),
    (undriven(kernel="6.8.0-31"), "kernel driver", TROUBLE, "6.8.0-31", "does not build on kernel 6.4 and later"),
    (undriven(kernel="6.14.8-2-pve"), "kernel driver", TROUBLE, "6.14.8", "patches for 6.12 and 6.13"),
    (undriven(kernel="7.0.1"), "kernel driver", TROUBLE, "7.0.1", "patches for 6.12 and 6.13"),
    (undriven(built=True), "kernel driver", TROUBLE, "is not loaded", "sudo modprobe apex"),
    (undriven(built=True, loaded=True), "kernel driver", TROUBLE, "does not take 0000:01:00.0", "dmesg"),
    (with_tpu(USB, openable=False), "permission", TROUBLE, "crw-rw---- root plugdev", "usermod -aG plugdev $USER"),
    (with_tpu(USB, openable=False), "permission", TROUBLE, "/dev/bus/usb/002/003", 'ATTRS{idProduct}=="9302"'),
    (with_tpu(PCI, openable=False), "permission", TROUBLE, "/dev/apex_0", 'SUBSYSTEM=="apex",MODE="0660"'),
    (with_tpu(USB, openable=False, permissions=None), "permission", TROUBLE, "does not exist", "--device /dev/bus/usb"),
    (with_tpu(PCI, openable=False, permissions=None), "permission", TROUBLE, "not exist", "--device /dev/apex_0"),
    (with_tpu(USB, link_bits_per_s=4.8e8), "USB speed", WARNING, "480 Mbit/s", "port of USB 3"),
    (with_tpu(USB, holders=(Holder(pid=7, name="frigate"),)), "processes", TROUBLE, "process 7 (frigate)", "end that"),
    (with_tpu(PCI, status="DEAD"), "status", TROUBLE, "DEAD, driver 1.2", "modprobe -r apex"),
    (with_tpu(PCI, temperature_c=90.0), "temperature", WARNING, "90.0 °C", "cool down"),
    (with_tpu(PCI, temperature_c=80.0), "temperature", WARNING, "from 84.8 °C", "cool down"),
    (having(ai_edge_litert=None), "LiteRT", TROUBLE, "not installed", "pip install ai-edge-litert"),
    (with_python(litert=Trial(error="signal 4 (Illegal")), "LiteRT", TROUBLE, "signal 4", "--force-reinstall"),
    (having(numpy="2.4.6"), "tflite-runtime", TROUBLE, "NumPy 2.4.6", "'numpy"),
    (with_python(pycoral=IMPOSTOR), "pycoral", WARNING, "a coral-reef tool) is not Google's", "pip uninstall pycoral"),
    (having(jaxlib=None), "JAX", TROUBLE, "without jaxlib", "jax[cpu]"),
    (having(jax="0.7.9", jaxlib="0.7.10"), "JAX", TROUBLE, "newer jaxlib 0.7.10", "jaxlib==0.7.9"),
    (having(jaxlib="0.8.0"), "JAX", TROUBLE, "newer jaxlib 0.8.0", "jaxlib==0.7.2"),
    (with_machine(cloud_tpus=4), "JAX", TROUBLE, "4 TPU chips here, and jax 0.7.2 without libtpu", "jax[tpu]"),
    (with_machine(nvidia=True), "JAX", WARNING, "runs on the CPU", "jax[cuda13]"),
    (with_machine(governors=("ondemand", "powersave")), "governor", WARNING, "ondemand and powersave", "cpupower"),
    (with_machine(load_1m=2.5), "load", WARNING, "2.50 on 4 processors", "top"),
    (with_machine(quota=1.5), "processors", WARNING, "grants 1.5 of 4", "at most 1 thread,"),
    (with_machine(quota=0.5, throttled=0.25), "processors", WARNING, "in 25% of its periods", "--cpus"),
    (with_machine(throttled=0.25), "processors", WARNING, "in 25% of its periods", "--cpus"),
    (with_machine(memory_stalled=0.05), "memory", WARNING, "5% of the last minute", "stop what takes memory"),
    (with_machine(memory_available_bytes=2**28), "memory", WARNING, "0.2 of 8.0 GiB", "stop what takes memory"),
    (with_machine(stolen=0.07), "stolen time", WARNING, "7.00%", "--repeat"),
    (at_home(writable=False), "TPUKIT_HOME", TROUBLE, "cannot be written", "set TPUKIT_HOME"),
    (at_home(odd="/home/me/.local"), "TPUKIT_HOME", TROUBLE, "/home/me/.local is no folder", "set TPUKIT_HOME"),
    (at_home(open_to_others=("/h/a b",)), "TPUKIT_HOME", WARNING, "others may use /h/a b", "chmod go-rwx '/h/a b'"),
    (with_model(damage="model m is damaged"), "file", TROUBLE, "model m is damaged", "download it again"),
    (with_model(ops=65, compiled=0), "compiled", TROUBLE, "0 of 65 operators", "edgetpu_compiler"),
    (replace(with_model(ops=65, compiled=0), edge_tpus=()), "compiled", WARNING, "0 of 65", "edgetpu_compiler"),
    (with_model(ops=5), "compiled", WARNING, "1 of 5 operators", "tpukit inspect"),
    (replace(HEALTHY, edge_tpus=()), "compiled", WARNING, "nowhere else", "plug one in"),
    (with_model(min_runtime=15), "runtime", TROUBLE, "compiled for runtime 15", "--min_runtime_version 14"),
    (replace(OLD_RUNTIME, models=(replace(MODEL, min_runtime=14),)), "runtime", TROUBLE, "14", "libedgetpu 16.0"),
    (with_model(ops=3, compiled=0, floats=3), "quantised", WARNING, "all of 3 operators", "full-integer quantisation"),
    (with_model(free=("x (-1, 8)",)), "shapes", WARNING, "x (-1, 8)", "batch_size=1"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "check", "verdict", "found", "remedy"), CASES, ids=[f"{c[1]}: {c[3]}" for c in CASES]
)
def test_a_trouble_is_recognised_and_says_what_to_do(
    facts: Facts, check: str, verdict: str, found: str, remedy: str
) -> None:
    row = examine(facts).set_index("check").loc[check]
    assert row["verdict"] == verdict
    assert found in row["found"]
    assert remedy in row["remedy"]


@pytest.mark.parametrize(("facts", "check"), [case[:2] for case in CASES], ids=[f"{c[1]}: {c[3]}" for c in CASES])
def test_a_trouble_is_one_of_its_own_check_alone(facts: Facts, check: str) -> None:
    judged = examine(facts).query("verdict in ['trouble', 'warning']")["check"]
    # what keeps libedgetpu from working, or an Edge TPU from being there, speaks of models too; one is not compiled
    assert set(judged) - {"compiled", "libedgetpu", "libedgetpu and runtime", "runtime"} <= {check}


def test_a_healthy_machine_is_all_ok() -> None:
    table = examine(HEALTHY)
    assert set(table["verdict"]) == {OK, NOT_APPLICABLE}
    assert table[table["verdict"] == OK]["remedy"].isna().all()
    beside = table[table["verdict"] == NOT_APPLICABLE]
    assert set(zip(beside["check"], beside["subject"], strict=True)) == {
        ("USB speed", "apex_0"), ("firmware", "apex_0"), ("status", "2-1"), ("temperature", "2-1"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("facts", "check", "found"),
    [
        (with_python(version=(3, 13), pycoral=None), "pycoral", "wheels end at Python 3.9, this is 3.13"),
        (with_python(version=(3, 13), versions={}, pycoral=None), "tflite-runtime", "Python 3.11, this is 3.13"),
        (replace(library(found=False), edge_tpus=()), "libedgetpu", "libedgetpu is not installed"),
        (replace(HEALTHY, edge_tpus=()), "plugged in", "no Edge TPU on USB or PCIe"),
        (with_model(compiled=0), "runtime", "not compiled"),
        (
            replace(GOOGLES, python=replace(healthy.PYTHON, versions={})),
            "libedgetpu and runtime",
            "nothing is installed",
        ),
        (library(), "runtime", "libedgetpu's is not known"),
        (replace(HEALTHY, library=Library(found=True, version=UNTOLD)), "runtime", "libedgetpu's is not known"),
        (replace(with_python(litert=Trial(error="?")), models=(ModelFacts(name="m", damage="?"),)), "file", "LiteRT"),
    ],
)
def test_what_is_not_there_is_said_and_is_no_trouble(facts: Facts, check: str, found: str) -> None:
    row = examine(facts).set_index("check").loc[check]
    assert row["verdict"] == NOT_APPLICABLE
    assert found in row["found"]


@pytest.mark.parametrize(
    ("facts", "check", "found"),
    [
        (with_machine(load_1m=2.0), "load", "2.00 on 4 processors"),
        (with_machine(stolen=0.005), "stolen time", "0.50%"),
        (with_machine(memory_available_bytes=2**30), "memory", "1.0 of 8.0 GiB"),
        (with_machine(allowed=2), "processors", "may use 2 of 4 processors"),
        (with_machine(allowed=2, quota=2.0), "processors", "may use 2 of 4 processors"),
        (with_machine(throttled=0.005), "processors", "all 4 processors"),
        (replace(having(jax_cuda12_plugin="0.7.2"), machine=with_machine(nvidia=True).machine), "JAX", "NVIDIA cards"),
        (having(jax_cuda12_plugin="0.7.2"), "JAX", "NVIDIA cards, of which none is here"),
        (replace(having(libtpu="0.0.17"), machine=with_machine(cloud_tpus=4).machine), "JAX", "4 TPU chips"),
        (having(libtpu="0.0.17"), "JAX", "TPU chips, of which none is here"),
        (with_python(jax_platforms="cpu"), "JAX", "JAX_PLATFORMS=cpu restricts it"),
        (with_tpu(PCI, temperature_c=79.0), "temperature", "slowed down from 84.8 °C"),
    ],
)
def test_what_is_within_bounds_is_ok(facts: Facts, check: str, found: str) -> None:
    row = examine(facts).set_index("check").loc[check]
    assert row["verdict"] == OK
    assert found in row["found"]


def test_a_python_that_has_wheels_is_not_blamed() -> None:
    facts = with_python(version=(3, 9), versions={}, pycoral=None)
    assert examine(facts).set_index("check").found[["tflite-runtime", "pycoral"]].tolist() == ["not installed"] * 2


def test_an_update_is_no_remedy_for_a_model_that_asks_for_more_than_the_newest() -> None:
    assert examine(with_model(min_runtime=15)).set_index("check").remedy["runtime"].startswith("compile it again")


def test_a_usb_device_before_its_first_use_is_normal() -> None:
    row = examine(with_tpu(USB, usb_id="1a6e:089a")).set_index("check").loc["firmware"]
    assert (row["verdict"], "normal until the first use" in row["found"]) == (OK, True)


def test_a_model_that_asks_for_nothing_newer_is_ok() -> None:
    for need in (10, 13, 14):
        assert examine(with_model(min_runtime=need)).set_index("check").verdict["runtime"] == OK


share = st.none() | st.floats(0, 1)
size = st.none() | st.integers(0, 2**40)
MACHINES = st.builds(
    Machine, processors=st.integers(1, 256), allowed=st.integers(1, 256), quota=st.none() | st.floats(0.1, 300),
    throttled=share, governors=st.sampled_from([(), ("performance",), ("powersave",)]), memory_bytes=size,
    load_1m=st.none() | st.floats(0, 1e4), memory_available_bytes=size, memory_stalled=share, stolen=share,
)  # fmt: skip
VERSIONS = st.sampled_from(["", "0.7", "1.26.4", "2.1.0.post1", "2.14.0", "10", "rc"])
PYTHONS = st.builds(
    Python, version=st.tuples(st.just(3), st.integers(9, 15)),
    pycoral=st.sampled_from([None, healthy.PYTHON.pycoral, IMPOSTOR]),
    versions=st.dictionaries(st.sampled_from([*healthy.PYTHON.versions, "libtpu", "jax-cuda12-plugin"]), VERSIONS),
)  # fmt: skip
TPUS = st.sampled_from([
    USB, PCI, UNDRIVEN, replace(USB, path="/sys/bus/usb/devices/1-1", link_bits_per_s=None, node=None),
    replace(PCI, path="/dev/apex_1", openable=False, slow_from_c=None, status=None),
])  # fmt: skip
LIBRARIES = st.builds(Library, package=st.sampled_from([None, "16.0", "16.0TF2.16.1-1", ""]))
FACTS = st.builds(
    Facts, python=PYTHONS, edge_tpus=st.lists(TPUS, unique=True).map(tuple), library=LIBRARIES,
    driver=st.builds(Driver), machine=MACHINES, home=st.builds(Home),
    models=st.lists(st.builds(ModelFacts), unique_by=lambda model: model.name).map(tuple),
)  # fmt: skip


@given(FACTS)
def test_each_check_yields_one_row_a_subject_and_each_complaint_a_remedy(facts: Facts) -> None:
    table = schema.check(examine(facts), schema.CHECKS)
    assert set(table["verdict"]) <= {OK, WARNING, TROUBLE, NOT_APPLICABLE}
    assert (table["found"].str.len() > 0).all()
    complaints = table[table["verdict"].isin([WARNING, TROUBLE])]
    assert (complaints["remedy"].fillna("").str.len() > 0).all()
    expected = [(check, None) for _, check, _ in ONCE]
    expected += [
        (check, tpu.path.split("/")[-1]) for check, _ in OF_EDGE_TPUS for tpu in facts.edge_tpus or [None] if tpu
    ]
    expected += [(check, model.name) for check, _ in OF_MODELS for model in facts.models]
    expected += [(check, None) for check, _ in OF_EDGE_TPUS if not facts.edge_tpus]
    expected += [(check, None) for check, _ in OF_MODELS if not facts.models]
    rows = [(row.check, None if row.subject != row.subject else row.subject) for row in table.itertuples()]
    assert sorted(rows, key=str) == sorted(expected, key=str)
