"""Which of several Edge TPUs a place means, and what is known of that one before it is opened.

A place is what libedgetpu takes as its option `device` (tflite/edgetpu_delegate_for_custom_op_tflite_plugin.cc).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from tpukit.inference._edgetpu_plugged import PluggedEdgeTPU
from tpukit.inference._hardware import stated_peaks
from tpukit.inference._roofline import Peaks

_PLACE = re.compile(r"(usb|pci)?(:[0-9]+)?|[0-9]+")
_FASTEST = "edgetpu usb3"


class _OfAKind(Protocol):
    @property
    def kind(self) -> str: ...


_Found = TypeVar("_Found", bound=_OfAKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A device as libedgetpu lists it: kind (pci or usb), and path in sysfs or `/dev`."""

    kind: str
    path: str


def is_place(place: str) -> bool:
    """Return whether a place is written as one: usb, usb:N, pci, pci:N, :N, N, or empty for any.

    >>> [is_place(place) for place in ("", "usb", "pci:1", "0", "gpu")]
    [True, True, True, True, False]
    """
    return _PLACE.fullmatch(place) is not None


def address(place: str) -> str:
    """Return a place as libedgetpu takes it.

    >>> address("1"), address("usb:1")
    (':1', 'usb:1')
    """
    return f":{place}" if place.isdecimal() else place


def at_place(devices: Sequence[_Found], place: str) -> list[_Found]:
    """Return those of the devices that a place may mean, in their order, which is what its numbers count.

    Of any kind libedgetpu tries those on PCIe first, and no other where there are some (`ExtendRequestDeviceType` and
    `OpenDeviceInternal` of tflite/edgetpu_manager_direct.cc).

    >>> devices = [Listed(kind="usb", path="/u"), Listed(kind="pci", path="/p")]
    >>> [[found.path for found in at_place(devices, place)] for place in ("", ":0", "usb", "pci:1")]
    [['/p'], ['/u'], ['/u'], []]
    """
    kind, _, number = address(place).partition(":")
    those = [device for device in devices if kind in ("", device.kind)]
    if number:
        return those[int(number) :][:1]
    return [device for device in those if device.kind == "pci"] or those


def shown_at(found: Sequence[PluggedEdgeTPU], place: str) -> list[PluggedEdgeTPU]:
    """Return what the kernel shows at a place; all that it shows where that is nothing which has a driver."""
    return at_place([each for each in found if each.node], place) or list(found)


def sensor_of(shown: Sequence[PluggedEdgeTPU]) -> str:
    """Return what tells energy and heat: the driver of one on PCIe; else the processor's, for one on USB has none."""
    nodes = [Path(each.node).name for each in shown if each.kind == "pci" and each.node]
    return nodes[0] if len(nodes) == len(shown) == 1 else "cpu"


def connected_peaks(shown: Sequence[PluggedEdgeTPU], place: str) -> Peaks:
    """Return what the maker states of a device as it is connected; raises ConfigError as `stated_peaks` does."""
    kinds = {"edgetpu pci"} if place.startswith("pci") else {each.hardware for each in shown}
    if len(kinds) == 1 and (kind := kinds.pop()):
        return stated_peaks(kind)
    fastest = stated_peaks(_FASTEST)
    return replace(fastest, source=f"{fastest.source}, the fastest link, for its own is not known")
