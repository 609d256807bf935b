"""The devices that tpukit knows."""

import pandas as pd

from tpukit import schema
from tpukit.errors import ConfigError, DeviceError
from tpukit.inference._edgetpu import EdgeTPU
from tpukit.inference._jax import JaxDevice
from tpukit.inference._litert import LiteRTDevice
from tpukit.inference._pycoral import PycoralDevice
from tpukit.inference._tflite import TFLITE
from tpukit.inference._types import Addressed, Device
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
DEVICES.add("edgetpu", EdgeTPU())
DEVICES.add("jax", JaxDevice())
DEVICES.add(
    "tflite",
    LiteRTDevice(
        name="tflite",
        about="this machine's processor, Google's tflite-runtime",
        resolver="AUTO",
        package=TFLITE,
    ),
)
DEVICES.add("pycoral", PycoralDevice())


def get_device(device: str | Device) -> Device:
    """Return the device of this name, or the device itself.

    A name may go on with a place and with options: `name[:place][,option=value…]`, as in `edgetpu:usb:0` or
    `edgetpu,performance=low`. Raises UnknownNameError, or ConfigError for a place or option that the device lacks.

    >>> get_device("cpu").name
    'cpu'
    """
    if not isinstance(device, str):
        return device
    address, *given = device.split(",")
    name, _, place = address.partition(":")
    found = DEVICES[name]
    if address == name and not given:
        return found
    if not isinstance(found, Addressed):
        raise ConfigError(f"device {device!r}: {name} has neither places nor options, give {name} alone")
    options = [_option(device, each) for each in given]
    names = [option for option, _ in options]
    if twice := [option for at, option in enumerate(names) if option in names[:at]]:
        raise ConfigError(f"device {device!r}: {twice[0]} is given twice, give it once")
    return found.at(place, dict(options))


def _option(device: str, given: str) -> tuple[str, str]:
    option, equals, value = given.partition("=")
    if not (option and equals and value):
        raise ConfigError(f"device {device!r}: {given!r} is no option, expected option=value")
    return option, value


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
