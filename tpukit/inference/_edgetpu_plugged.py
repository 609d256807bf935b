"""The Edge TPUs that are plugged in: what sysfs, /dev and /proc show of them, whether or not anything can drive them.

The names are those of the Linux kernel's USB and PCI trees and of google/gasket-driver (gasket_core.c, apex_driver.c);
the USB ids are those of google-coral/libedgetpu's udev rule. Unproven: nobody has read them off a device for tpukit.
"""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tpukit import schema

#: The USB ids (vendor, product) of an Edge TPU whose firmware the first use is yet to load, and of one that has it.
USB_BEFORE_FIRMWARE, USB_WITH_FIRMWARE = "1a6e:089a", "18d1:9302"

_PCI_ID = ("0x1ac1", "0x089a")
_USB3_BITS_PER_S = 5e9
_UDEV_GROUPS = {"usb": "plugdev", "pci": "apex"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A process that has a device open; `name` is that of its program."""

    pid: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PluggedEdgeTPU:
    """An Edge TPU as the kernel shows it; None is what it does not tell.

    `kind` is usb or pci. `path` is what libedgetpu calls it: `/sys/bus/usb/devices/2-1`, `/dev/apex_0`; of a PCI device
    without a driver it is that in `/sys/bus/pci/devices`. `node` is the file that a process opens to use it, None where
    the kernel made none, and `openable` whether this process may. `permissions` are the node's, as `ls -l` shows them.
    `holders` are the processes that have it open, of those that this one may look into, itself too. `slow_from_c` is
    where the driver begins to slow it down.
    """

    kind: str
    path: str
    usb_id: str | None = None
    link_bits_per_s: float | None = None
    node: str | None = None
    openable: bool = False
    permissions: str | None = None
    holders: tuple[Holder, ...] = ()
    temperature_c: float | None = None
    slow_from_c: float | None = None
    driver: str | None = None
    status: str | None = None

    @property
    def hardware(self) -> str | None:
        """The kind by which `stated_peaks` knows it: edgetpu usb3, usb2 or pci; None where the link is not told."""
        if self.kind == "pci":
            return "edgetpu pci"
        if self.link_bits_per_s is None:
            return None
        return "edgetpu usb3" if self.link_bits_per_s >= _USB3_BITS_PER_S else "edgetpu usb2"

    @property
    def group(self) -> str:
        """The group that the makers' udev rule gives its node to."""
        return _UDEV_GROUPS[self.kind]

    def trouble(self) -> str | None:
        """Say what keeps this process from using it, and what to do; None where nothing shows.

        >>> PluggedEdgeTPU(kind="pci", path="/dev/apex_0", node="/dev/apex_0", openable=True).trouble() is None
        True
        """
        if self.node is None:
            return (
                f"{self.path} has no driver: the kernel module apex is not loaded or not built for this kernel; "
                "install gasket-dkms, then `sudo modprobe apex`"
            )
        if not self.openable:
            return (
                f"this user may not open {self.node} ({self.permissions or 'it does not exist'}): install the udev "
                f"rule of libedgetpu or gasket-dkms, `sudo usermod -aG {self.group} $USER`, then log in again"
            )
        # libedgetpu shares a device among the delegates of one process
        if others := [holder for holder in self.holders if holder.pid != os.getpid()]:
            held = " and ".join(f"process {holder.pid} ({holder.name})" for holder in others)
            return f"{self.node} is held by {held}: end it, or wait until it is done"
        return None


def plugged(root: Path = Path("/")) -> tuple[PluggedEdgeTPU, ...]:
    """Return the Edge TPUs that the kernel shows below `root`, those on USB first, each kind in order of its names.

    Empty where there is no sysfs, as on macOS and Windows.

    >>> plugged(Path("/nowhere"))
    ()
    """
    return (*_on_usb(root), *_on_pci(root))


def edge_tpus(root: Path = Path("/")) -> pd.DataFrame:
    """Return the EDGE_TPUS table: what is plugged in, and what keeps this process from using it.

    >>> edge_tpus(Path("/nowhere")).empty
    True
    """
    return schema.frame([_row(each) for each in plugged(root)], schema.EDGE_TPUS)


def _row(found: PluggedEdgeTPU) -> dict[str, object]:
    return {
        "kind": found.kind,
        "path": found.path,
        "usb_id": found.usb_id,
        "link_bits_per_s": found.link_bits_per_s,
        "node": found.node,
        "openable": found.openable,
        "held_by": " ".join(f"{holder.pid}:{holder.name}" for holder in found.holders) or None,
        "temperature_c": found.temperature_c,
        "driver": found.driver,
        "status": found.status,
        "note": found.trouble() or _remark(found),
    }


def _remark(found: PluggedEdgeTPU) -> str | None:
    if found.hardware == "edgetpu usb2":
        return "on a USB 2 port or cable, a tenth of the speed of USB 3: use a USB 3 port (blue) and cable"
    if found.usb_id == USB_BEFORE_FIRMWARE:
        return "its firmware is loaded on first use, and its USB id changes then"
    return None


def _on_usb(root: Path) -> Iterator[PluggedEdgeTPU]:
    for folder in _children(root / "sys/bus/usb/devices"):
        usb_id = f"{_line(folder / 'idVendor')}:{_line(folder / 'idProduct')}"
        if usb_id not in (USB_BEFORE_FIRMWARE, USB_WITH_FIRMWARE):
            continue
        bus, number = _number(folder / "busnum"), _number(folder / "devnum")
        node = None if bus is None or number is None else f"/dev/bus/usb/{bus:03.0f}/{number:03.0f}"
        yield PluggedEdgeTPU(
            kind="usb",
            path=f"/sys/bus/usb/devices/{folder.name}",
            usb_id=usb_id,
            link_bits_per_s=_scaled(folder / "speed", 1e6),
            node=node,
            openable=_openable(root, node),
            permissions=_permissions(root, node),
            holders=_holders(root, node),
        )


def _on_pci(root: Path) -> Iterator[PluggedEdgeTPU]:
    driven = {_address(folder): folder for folder in _children(root / "sys/class/apex")}
    for folder in driven.values():
        yield _apex(root, folder)
    for folder in _children(root / "sys/bus/pci/devices"):
        if (_line(folder / "vendor"), _line(folder / "device")) == _PCI_ID and folder.name not in driven:
            yield PluggedEdgeTPU(kind="pci", path=f"/sys/bus/pci/devices/{folder.name}")


def _apex(root: Path, folder: Path) -> PluggedEdgeTPU:
    node = f"/dev/{folder.name}"
    return PluggedEdgeTPU(
        kind="pci",
        path=node,
        node=node,
        openable=_openable(root, node),
        permissions=_permissions(root, node),
        holders=_holders(root, node),
        temperature_c=_scaled(folder / "temp", 1e-3),
        slow_from_c=_scaled(folder / "trip_point0_temp", 1e-3),
        driver=_line(folder / "driver_version") or None,
        status=_line(folder / "status") or None,
    )


def _address(folder: Path) -> str:
    return _line(folder / "pci_address") or (folder / "device").resolve().name


def _openable(root: Path, node: str | None) -> bool:
    return node is not None and os.access(_below(root, node), os.R_OK | os.W_OK, effective_ids=True)


def _permissions(root: Path, node: str | None) -> str | None:
    """Return mode, owner and group of a node, None where there is none."""
    if node is None:
        return None
    try:
        found = _below(root, node).stat()
    except OSError:
        return None
    import grp  # neither exists on Windows, where there is no sysfs
    import pwd

    owner = _named(lambda: pwd.getpwuid(found.st_uid).pw_name, found.st_uid)
    return f"{stat.filemode(found.st_mode)} {owner} {_named(lambda: grp.getgrgid(found.st_gid).gr_name, found.st_gid)}"


def _named(name: Callable[[], str], number: int) -> str:
    try:
        return name()
    except KeyError:  # an id without a name, as in a container
        return str(number)


def _holders(root: Path, node: str | None) -> tuple[Holder, ...]:
    """Return the processes that have the node open, of those whose files this one may list."""
    if node is None:
        return ()
    wanted = {node, str(_below(root, node))}
    numbered = [folder for folder in _children(root / "proc") if folder.name.isdecimal()]
    found = [folder for folder in numbered if any(_link(file) in wanted for file in _children(folder / "fd"))]
    return tuple(Holder(pid=int(folder.name), name=_line(folder / "comm")) for folder in found)


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def _children(folder: Path) -> list[Path]:
    """Return what a folder holds, 2-1 before 10-1; nothing where it is absent or may not be listed."""
    try:
        return sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))
    except OSError:
        return []


def _link(file: Path) -> str:
    try:
        return os.readlink(file)  # noqa: PTH115 twice as fast as Path.readlink, and it is called for every file of every process
    except OSError:
        return ""


def _line(file: Path) -> str:
    try:
        return file.read_text(errors="replace").strip()
    except OSError:
        return ""


def _number(file: Path) -> float | None:
    try:
        return float(_line(file))
    except ValueError:
        return None


def _scaled(file: Path, factor: float) -> float | None:
    value = _number(file)
    return None if value is None else value * factor
