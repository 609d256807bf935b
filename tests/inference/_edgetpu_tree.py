"""A kernel of our own that shows Edge TPUs: files below a root, as sysfs, /dev and /proc have them."""

from pathlib import Path


def usb(root: Path, name: str = "2-1", *, usb_id: str = "18d1:9302", speed: str = "5000", number: int = 3) -> Path:
    """Plug an Edge TPU into USB, and return its node."""
    vendor, _, product = usb_id.partition(":")
    bus = int(name.partition("-")[0])
    files = {"idVendor": vendor, "idProduct": product, "speed": speed, "busnum": bus, "devnum": number}
    _write(root / "sys/bus/usb/devices" / name, files)
    return _node(root / f"dev/bus/usb/{bus:03}/{number:03}")


def pci(root: Path, number: int = 0, *, address: str = "0000:01:00.0", **files: object) -> Path:
    """Put an Edge TPU into a PCIe slot, with the driver loaded, and return its node."""
    undriven(root, address)
    shown = {"pci_address": address, "temp": 48050, "trip_point0_temp": 84800, "driver_version": "1.2"}
    _write(root / f"sys/class/apex/apex_{number}", {**shown, "status": "ALIVE", **files})
    return _node(root / f"dev/apex_{number}")


def undriven(root: Path, address: str = "0000:01:00.0") -> None:
    """Put an Edge TPU into a PCIe slot of a kernel that has no driver for it."""
    _write(root / "sys/bus/pci/devices" / address, {"vendor": "0x1ac1", "device": "0x089a"})


def held(root: Path, node: str, *, pid: int, name: str = "python3") -> None:
    """Let a process have a node open."""
    _write(root / "proc" / str(pid), {"comm": name})
    folder = root / "proc" / str(pid) / "fd"
    folder.mkdir()
    (folder / "0").symlink_to("/dev/null")
    (folder / "7").symlink_to(node)


def _write(folder: Path, files: dict[str, object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(f"{value}\n")


def _node(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path
