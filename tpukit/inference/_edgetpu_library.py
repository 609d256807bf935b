"""libedgetpu, opened through its C interface (tflite/edgetpu_c.cc): which version it is, and which devices it lists.

Its delegate is made by LiteRT's `load_delegate`; it is opened here first because that one, where there is no such
library, leaves an object whose finaliser fails too and says so on standard error.
"""

import ctypes
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tpukit.errors import DeviceUnavailableError
from tpukit.inference._edgetpu_place import Listed
from tpukit.inference._interpreter import LITERT, one_line, stderr_collected
from tpukit.inference._native_errors import in_plain_words

_ENTRY_POINTS = ("tflite_plugin_create_delegate", "tflite_plugin_destroy_delegate")
_NAMES = {"darwin": "libedgetpu.1.dylib", "win32": "edgetpu.dll"}
_KINDS = ("pci", "usb")


class _Device(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("path", ctypes.c_char_p))


class _Symbol(ctypes.Structure):
    _fields_ = (
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("address", ctypes.c_void_p),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTPULibrary:
    """An open libedgetpu; `name` is what the system's linker found it by."""

    name: str
    opened: Any = field(repr=False, compare=False)

    def version(self) -> str:
        """Return its runtime's version, its build, and the file that it was read from, as far as it tells."""
        if not hasattr(self.opened, "edgetpu_version"):
            return f"libedgetpu of unknown version ({self._file()})"
        said = ctypes.CFUNCTYPE(ctypes.c_char_p)(("edgetpu_version", self.opened))()
        return f"libedgetpu {version_text((said or b'').decode(errors='replace'))} ({self._file()})"

    def devices(self) -> tuple[Listed, ...] | None:
        """Return what it lists, in the order that its numbers count; None where it has no such function."""
        if not hasattr(self.opened, "edgetpu_list_devices"):
            return None
        count = ctypes.c_size_t(0)
        listing = ctypes.CFUNCTYPE(ctypes.POINTER(_Device), ctypes.POINTER(ctypes.c_size_t))
        freeing = ctypes.CFUNCTYPE(None, ctypes.POINTER(_Device))
        with stderr_collected():
            found = listing(("edgetpu_list_devices", self.opened))(ctypes.byref(count))
        try:
            return tuple(_listed(found[at]) for at in range(count.value))
        finally:
            freeing(("edgetpu_free_devices", self.opened))(found)

    def delegate(self, options: Mapping[str, str]) -> Any:
        """Return LiteRT's delegate of it; raises ValueError with libedgetpu's words, which mostly are none."""
        with stderr_collected():
            return LITERT.imported().load_delegate(self.name, dict(options))

    def _file(self) -> str:
        """Return the file that the linker took: by it one tells two installed versions apart."""
        try:
            find = ctypes.CDLL(None).dladdr
        except (AttributeError, OSError, TypeError):  # not on Windows
            return self.name
        symbol = _Symbol()
        find.argtypes = (ctypes.c_void_p, ctypes.POINTER(_Symbol))
        if not find(ctypes.cast(self.opened[_ENTRY_POINTS[0]], ctypes.c_void_p), ctypes.byref(symbol)):
            return self.name
        return str(Path(os.fsdecode(symbol.file)).resolve())


def open_library(name: str | None) -> EdgeTPULibrary:
    """Open libedgetpu: the one that the system's linker finds, or the one at a path.

    Raises DeviceUnavailableError, in plain words, where there is none or it is no such library.
    """
    wanted = default_name(sys.platform) if name is None else os.path.expanduser(name)  # noqa: PTH111 Path's raises
    try:
        opened = ctypes.CDLL(wanted)
        for entry in _ENTRY_POINTS:
            getattr(opened, entry)
    except (OSError, AttributeError) as error:
        said = one_line(error)
        raise DeviceUnavailableError(in_plain_words(said) or f"{wanted} cannot be loaded: {said}") from error
    return EdgeTPULibrary(name=wanted, opened=opened)


def default_name(platform: str) -> str:
    """Return what libedgetpu is called on a platform of `sys.platform`.

    >>> default_name("linux")
    'libedgetpu.so.1'
    """
    return _NAMES.get(platform, "libedgetpu.so.1")


def version_text(said: str) -> str:
    """Return what `edgetpu_version` says, without what is the same in every build.

    >>> version_text("BuildLabel(COMPILER=6.3.0,DATE=redacted,TIME=redacted,CL_NUMBER=317268237), RuntimeVersion(13)")
    'runtime 13, build 317268237'
    """
    runtime, build = re.search(r"RuntimeVersion\((\d+)\)", said), re.search(r"CL_NUMBER=(\d+)", said)
    if not runtime:
        return said or "of unknown version"
    return f"runtime {runtime[1]}, build {build[1]}" if build else f"runtime {runtime[1]}"


def _listed(device: _Device) -> Listed:
    return Listed(kind=_KINDS[device.type == 1], path=(device.path or b"").decode(errors="replace"))
