"""The devices that tpukit knows."""

import pandas as pd

from tpukit import schema
from tpukit.errors import ConfigError, DeviceError
from tpukit.inference._litert import LiteRTDevice
from tpukit.inference._types import Device
from tpukit.registry import Registry

#: Every device by name; an installed package adds its own by the entry point group `tpukit.devices`.
DEVICES: Registry[Device] = Registry("device", entry_point="tpukit.devices")

DEVICES.add(
    "cpu",
    LiteRTDevice(name="cpu", about="this machine's processor, LiteRT with its optimised kernels", resolver="AUTO"),
)
DEVICES.add(
    "reference",
    LiteRTDevice(
        name="reference",
        about="LiteRT's plain reference kernels on one thread: the baseline that every optimised device should beat",
        resolver="BUILTIN_REF",
    ),
)


def get_device(device: str | Device) -> Device:
    """Return the device with this name, or the device itself. Raises UnknownNameError."""
    return DEVICES[device] if isinstance(device, str) else device


def devices() -> pd.DataFrame:
    """Return the DEVICES table: what can run a model on this machine, and why others cannot.

    >>> devices().set_index("device").usable["cpu"].item()
    True
    """
    return schema.frame([_row(name) for name in DEVICES], schema.DEVICES)


def _row(name: str) -> dict[str, object]:
    row: dict[str, object] = {"device": name}
    try:
        device = DEVICES[name]
        row["about"] = device.about
        return row | {"usable": True, "runtime": device.runtime()}
    except (ConfigError, DeviceError) as error:
        return row | {"usable": False, "reason": str(error)}
