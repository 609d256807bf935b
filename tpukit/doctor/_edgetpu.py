"""Checks of Edge TPUs: the library, the kernel's driver, and each device that is plugged in.

What only hardware can show is unproven: these checks were tried on stand-ins for sysfs.
"""

import re

from tpukit.doctor._facts import Facts
from tpukit.doctor._finding import Finding, not_applicable, ok, trouble, warning
from tpukit.inference import USB_WITH_FIRMWARE, PluggedEdgeTPU

#: Why most of these checks do not apply.
NONE_PLUGGED_IN = "no Edge TPU on USB or PCIe"

#: The runtime version of the newest release, libedgetpu 16.0 (google-coral/libedgetpu, api/runtime_version.h).
NEWEST_RUNTIME = 14

_INSTALL = (
    "sudo apt install libedgetpu1-std from Coral's repository (packages.cloud.google.com/apt coral-edgetpu-stable), or "
    "a build for a newer TensorFlow from github.com/feranick/libedgetpu/releases"
)
_NEWER_BUILD = (
    "where loading a model ends in a segmentation fault or in 'Unsupported data type in custom op handler', install a "
    "build for a newer TensorFlow: github.com/feranick/libedgetpu/releases"
)
_NOT_INSTALLED = "libedgetpu is not installed"
_LOADERS = ("ai-edge-litert", "tflite-runtime")
_OLD_TFLITE = ("1.", "2.1.", "2.2.", "2.3.", "2.4.")
#: Where the makers' udev rules stand, and what they say (libedgetpu's and gasket-driver's debian folders).
_RULES = {
    "usb": (
        "/etc/udev/rules.d/99-edgetpu-accelerator.rules",
        'SUBSYSTEM=="usb",ATTRS{idVendor}=="1a6e",ATTRS{idProduct}=="089a",GROUP="plugdev"',
        'SUBSYSTEM=="usb",ATTRS{idVendor}=="18d1",ATTRS{idProduct}=="9302",GROUP="plugdev"',
    ),
    "pci": ("/etc/udev/rules.d/65-apex.rules", 'SUBSYSTEM=="apex",MODE="0660",GROUP="apex"'),
}
_GASKET = "https://github.com/google/gasket-driver"
# google/gasket-driver#12 and #51: class_create lost an argument; #43: the git repository needs patches from there on
_PACKAGE_FAILS, _REPOSITORY_FAILS = (6, 4), (6, 12)
# how close to the temperature at which it slows down
_NEARLY_C = 5.0


def shown_as(tpu: PluggedEdgeTPU) -> str:
    """Return what to call an Edge TPU: 2-1 on USB, apex_0 on PCIe, its address there where no driver has it."""
    return tpu.path.rpartition("/")[2]


def plugged_in(facts: Facts) -> Finding:
    """Which Edge TPUs are plugged in."""
    if not facts.edge_tpus:
        return not_applicable(NONE_PLUGGED_IN)
    return ok(", ".join(f"{'PCIe' if tpu.kind == 'pci' else 'USB'} {shown_as(tpu)}" for tpu in facts.edge_tpus))


def library(facts: Facts) -> Finding:
    """Whether libedgetpu is there, can be loaded, and is the newest."""
    found = facts.library
    if not found.found:
        if not facts.edge_tpus:
            return not_applicable(_NOT_INSTALLED)
        return trouble("libedgetpu is not installed, without which no Edge TPU can be used", _INSTALL)
    if found.version.error:
        said, told, how = found.version.error.partition(": install ")
        return trouble(
            f"libedgetpu cannot be loaded: {said}",
            f"install {how}" if told else f"install one for this machine: {_INSTALL}",
        )
    runtime = runtime_version(facts)
    if runtime is not None and runtime < NEWEST_RUNTIME:
        return warning(
            f"{_called(facts)}, refuses models compiled for runtime {runtime + 1} and later",
            f"install 16.0, which is of runtime {NEWEST_RUNTIME}: {_INSTALL}",
        )
    return ok(_called(facts))


def _called(facts: Facts) -> str:
    package = f"package {facts.library.package}" if facts.library.package else "of no package of dpkg"
    return f"{facts.library.version.said or 'libedgetpu'}, {package}"


def runtime_version(facts: Facts) -> int | None:
    """Return the runtime version that libedgetpu says it is of; None where it is not known."""
    match = re.match(r"libedgetpu runtime (\d+)", facts.library.version.said or "")
    return int(match[1]) if match else None


def pair(facts: Facts) -> Finding:
    """Whether libedgetpu was built for the TensorFlow Lite that loads it.

    Google's packages up to 16.0 were built with TensorFlow 2.5 at the latest, and its pycoral asks for tflite-runtime
    2.5.0.post1; 15.0 with tflite-runtime 2.1 fails (google-coral/edgetpu#259). Which newer ones fit is not known.
    """
    package, versions = facts.library.package, facts.python.versions
    if not facts.library.found:
        return not_applicable(_NOT_INSTALLED)
    if versions.get("tflite-runtime", "").startswith(_OLD_TFLITE):
        return trouble(
            f"tflite-runtime {versions['tflite-runtime']} is older than what libedgetpu was built with",
            "pip install 'tflite-runtime>=2.5', or pip uninstall tflite-runtime: LiteRT takes its place",
        )
    loaders = " and ".join(f"{name} {versions[name]}" for name in _LOADERS if name in versions)
    if not loaders:
        return not_applicable("nothing is installed that loads libedgetpu")
    if package is None:
        return not_applicable("what libedgetpu was built with is not known")
    if built := re.search(r"tf(\d+\.\d+)", package, re.IGNORECASE):
        return ok(f"libedgetpu was built with TensorFlow {built[1]}: no misfit with {loaders} is known")
    return warning(
        f"libedgetpu {package} was built with TensorFlow 2.5 or older, and may not fit {loaders}", _NEWER_BUILD
    )


def driver(facts: Facts) -> Finding:
    """Whether the kernel has the driver that Edge TPUs on PCIe need."""
    if not facts.edge_tpus:
        return not_applicable(NONE_PLUGGED_IN)
    cards = [tpu for tpu in facts.edge_tpus if tpu.kind == "pci"]
    if not cards:
        return not_applicable("none is on PCIe")
    missing = ", ".join(shown_as(tpu) for tpu in cards if tpu.node is None)
    if not missing:
        return ok(f"the apex module has {', '.join(map(shown_as, cards))}")
    if facts.driver.loaded:
        return trouble(f"the apex module is loaded, but does not take {missing}", "sudo dmesg | grep -i apex says why")
    if facts.driver.built:
        return trouble(
            f"the apex module of kernel {facts.driver.kernel} is not loaded",
            "sudo modprobe apex; where that says 'Key was rejected', Secure Boot wants the module signed (mokutil)",
        )
    return trouble(f"kernel {facts.driver.kernel} has no gasket and apex modules", _build(facts.driver.kernel))


def _build(kernel: str) -> str:
    headers = f"sudo apt install linux-headers-{kernel} gasket-dkms, then sudo modprobe apex"
    match = re.match(r"(\d+)\.(\d+)", kernel)
    number = (int(match[1]), int(match[2])) if match else (0, 0)
    if number < _PACKAGE_FAILS:
        return headers
    patched = ", with the patches for 6.12 and 6.13 from its issues and pull requests" * (number >= _REPOSITORY_FAILS)
    return (
        f"Google's package gasket-dkms 1.0-18 does not build on kernel 6.4 and later: build it from {_GASKET} "
        f"(debuild -us -uc -tc -b){patched}, install it, then sudo modprobe apex"
    )


def permission(tpu: PluggedEdgeTPU) -> Finding:
    """Whether this user may open the device's file."""
    if tpu.node is None:
        return not_applicable("the kernel made no file for it")
    if tpu.openable:
        return ok(f"{tpu.node} may be opened")
    if tpu.permissions is None:
        whole = "/dev/bus/usb" if tpu.kind == "usb" else tpu.node
        return trouble(
            f"{tpu.node} does not exist, though the kernel shows the device",
            f"in a container pass it in: docker run --device {whole}; on USB --privileged -v {whole}:{whole}, since "
            "its number changes at the first use",
        )
    file, *rules = _RULES[tpu.kind]
    steps = (
        f"see to it that {file} says:",
        *rules,
        "sudo udevadm control --reload-rules && sudo udevadm trigger",
        f"sudo groupadd -f {tpu.group} && sudo usermod -aG {tpu.group} $USER",
        "log in again, and plug it in anew",
    )
    return trouble(f"this user may not open {tpu.node} ({tpu.permissions})", "\n".join(steps))


def usb_speed(tpu: PluggedEdgeTPU) -> Finding:
    """Whether the device stands in a port of USB 3: on USB 2 inputs and outputs take about ten times as long."""
    if tpu.kind != "usb":
        return not_applicable("it is on PCIe")
    if tpu.link_bits_per_s is None:
        return not_applicable("the kernel does not say how fast its port is")
    found = f"{tpu.link_bits_per_s / 1e6:.0f} Mbit/s"
    if tpu.hardware == "edgetpu usb3":
        return ok(found)
    return warning(
        f"{found}: a port, cable or hub of USB 2",
        "plug it into a port of USB 3 (blue, or marked SS) with the cable that came with it, and without a hub",
    )


def firmware(tpu: PluggedEdgeTPU) -> Finding:
    """Whether a USB device has its firmware, which libedgetpu loads into it at the first use."""
    if tpu.kind != "usb":
        return not_applicable("it is on PCIe")
    if tpu.usb_id == USB_WITH_FIRMWARE:
        return ok(f"loaded ({tpu.usb_id})")
    return ok(f"not loaded yet ({tpu.usb_id}): normal until the first use, after which it is {USB_WITH_FIRMWARE}")


def holder(tpu: PluggedEdgeTPU) -> Finding:
    """Whether another process has the device open: one at a time can."""
    if tpu.node is None:
        return not_applicable("the kernel made no file for it")
    if not tpu.holders:
        return ok("no other process is seen to have it open")
    held = " and ".join(f"process {each.pid} ({each.name})" for each in tpu.holders)
    return trouble(f"held by {held}", "end that (kill, systemctl stop, docker stop), or name another device")


def status(tpu: PluggedEdgeTPU) -> Finding:
    """Whether the kernel's driver reaches the device."""
    if tpu.status is None:
        return not_applicable("it is on USB" if tpu.kind == "usb" else "the kernel has no driver for it")
    found = f"{tpu.status}, driver {tpu.driver or 'of unknown version'}"
    if tpu.status == "ALIVE":
        return ok(found)
    return trouble(found, "sudo modprobe -r apex && sudo modprobe apex, or start the machine anew; then check its seat")


def temperature(tpu: PluggedEdgeTPU) -> Finding:
    """Whether the device is near the temperature at which its driver begins to slow it down."""
    if tpu.temperature_c is None:
        return not_applicable("USB tells no temperature" if tpu.kind == "usb" else "its driver tells no temperature")
    found = f"{tpu.temperature_c:.1f} °C"
    if tpu.slow_from_c is None:
        return ok(found)
    if tpu.temperature_c < tpu.slow_from_c - _NEARLY_C:
        return ok(f"{found}, slowed down from {tpu.slow_from_c:.1f} °C")
    return warning(
        f"{found}, and its driver slows it down from {tpu.slow_from_c:.1f} °C",
        "let it cool down, give it air or a heat sink, and measure again",
    )
