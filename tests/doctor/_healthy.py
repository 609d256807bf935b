"""A machine in perfect health, as facts and as files, and models that were compiled for the Edge TPU."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tflite
from flatbuffers import flexbuffers

from tests.inference import _edgetpu_tree as tree
from tests.inference import _models
from tpukit.doctor import Driver, Facts, Home, Library, Machine, ModelFacts, Python, Trial
from tpukit.inference import InstalledPycoral, PluggedEdgeTPU

RUNTIME_14 = "libedgetpu runtime 14, build 384591198 (/usr/lib/x86_64-linux-gnu/libedgetpu.so.1.0)"

USB = PluggedEdgeTPU(
    kind="usb",
    path="/sys/bus/usb/devices/2-1",
    usb_id="18d1:9302",
    link_bits_per_s=5e9,
    node="/dev/bus/usb/002/003",
    openable=True,
    permissions="crw-rw---- root plugdev",
)
PCI = PluggedEdgeTPU(
    kind="pci",
    path="/dev/apex_0",
    node="/dev/apex_0",
    openable=True,
    permissions="crw-rw---- root apex",
    temperature_c=48.0,
    slow_from_c=84.8,
    driver="1.2",
    status="ALIVE",
)
UNDRIVEN = PluggedEdgeTPU(kind="pci", path="/sys/bus/pci/devices/0000:01:00.0")
MODEL = ModelFacts(name="mobilenet_edgetpu", ops=1, compiled=1, min_runtime=13)

PYTHON = Python(
    version=(3, 11),
    versions={"ai-edge-litert": "2.3.0", "numpy": "1.26.4", "tflite-runtime": "2.14.0",
              "jax": "0.7.2", "jaxlib": "0.7.2"},
    pycoral=InstalledPycoral(version="2.0.0", summary="Coral Python API", is_googles=True),
    jax_platforms="",
    litert=Trial(said="runs a bundled model"),
)  # fmt: skip
MACHINE = Machine(
    processors=4,
    allowed=4,
    quota=None,
    throttled=None,
    governors=("performance",),
    load_1m=0.1,
    memory_bytes=8 * 2**30,
    memory_available_bytes=6 * 2**30,
    memory_stalled=0.0,
    stolen=0.0,
    cloud_tpus=0,
    nvidia=False,
)
HEALTHY = Facts(
    python=PYTHON,
    edge_tpus=(USB, PCI),
    library=Library(found=True, version=Trial(said=RUNTIME_14), package="16.0tf2.17.1-1.bookworm"),
    driver=Driver(kernel="6.1.0-18-amd64", loaded=True, built=True),
    machine=MACHINE,
    home=Home(path="/home/me/.local/share/tpukit", exists=True, writable=True, open_to_others=()),
    models=(MODEL,),
)


def with_python(**changes: Any) -> Facts:
    return replace(HEALTHY, python=replace(PYTHON, **changes))


def with_versions(**changes: str | None) -> Facts:
    """Return health with other versions, named with _ for -; None takes one away."""
    named = PYTHON.versions | {name.replace("_", "-"): version for name, version in changes.items()}
    return with_python(versions={name: version for name, version in named.items() if version is not None})


def with_machine(**changes: Any) -> Facts:
    return replace(HEALTHY, machine=replace(MACHINE, **changes))


def with_model(**changes: Any) -> Facts:
    return replace(HEALTHY, models=(replace(MODEL, **changes),))


def with_tpu(tpu: PluggedEdgeTPU, **changes: Any) -> Facts:
    return replace(HEALTHY, edge_tpus=(replace(tpu, **changes),))


def machine_tree(root: Path) -> Path:
    """Write a machine of four processors that nothing disturbs, with an Edge TPU in a port of USB 3."""
    tree.usb(root)
    files = {
        "proc/loadavg": "0.10 0.20 0.30 1/100 4711",
        "proc/meminfo": "MemTotal:        8388608 kB\nMemFree:          100000 kB\nMemAvailable:    6291456 kB",
        "proc/pressure/memory": "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00",
        "proc/stat": "cpu  1000 0 500 8000 100 0 0 0 0 0\ncpu0 1 2 3",
        "proc/sys/kernel/osrelease": "6.1.0-18-amd64",
        "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
        "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "performance",
        "var/lib/dpkg/status": package("libedgetpu1-std", "16.0tf2.17.1-1.bookworm"),
    }
    write(root, files)
    return root


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def package(name: str, version: str, status: str = "install ok installed") -> str:
    other = "Package: libc6\nStatus: install ok installed\nVersion: 2.36\n\n"
    return (
        f"{other}Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\nDescription: x\n\n{other}"
    )


def compiled(min_runtime: int | None = 13, *, beside: int = 0) -> bytes:
    """Return a model of one edgetpu-custom-op that asks for a runtime, and of `beside` operators of the CPU."""
    model = tflite.ModelT.InitFromPackedBuf(_models.negated((1, 8)) if beside else _models.custom_op(), 0)
    graph = model.subgraphs[0]
    if beside:
        code = tflite.ModelT.InitFromPackedBuf(_models.custom_op(), 0).operatorCodes[0]
        model.operatorCodes.append(code)
        custom = tflite.OperatorT()
        custom.opcodeIndex = len(model.operatorCodes) - 1
        custom.inputs, custom.outputs = graph.operators[0].inputs, graph.operators[0].outputs
        graph.operators = [custom, *graph.operators * beside]
    graph.operators[0].customOptions = None if min_runtime is None else np.frombuffer(options(min_runtime), np.uint8)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


class _Bytes(str):
    """What a FlexBuffer takes for text, and is none: C++ puts any bytes into a string."""

    def __new__(cls, content: bytes) -> "_Bytes":
        self = super().__new__(cls)
        self.content = content
        return self

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        return self.content


def options(min_runtime: int, identifier: bytes = b"DWN1") -> bytes:
    """Return custom options as edgetpu_compiler writes them: a FlexBuffer map with a Package as its key 4."""
    package_of = flatbuffers.Builder(64)
    compiler = package_of.CreateString("16.0.384591198")
    package_of.StartObject(8)
    package_of.PrependInt32Slot(0, min_runtime, 0)
    package_of.PrependUOffsetTRelativeSlot(4, compiler, 0)
    package_of.Finish(package_of.EndObject(), file_identifier=identifier)
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Int("1", 1)
        builder.Key("4")
        builder.String(_Bytes(bytes(package_of.Output())))
        builder.Int("5", 0)
    return bytes(builder.Finish())
