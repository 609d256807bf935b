"""Graphics cards, by NVIDIA's library where it is installed (extra `nvml`)."""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from tpukit.sensors._account import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Cards:
    """The cards whose energy is counted; `read` returns microjoules of each or raises OSError."""

    names: tuple[str, ...]
    read: Callable[[], Reading]


def find_cards(refused: list[str]) -> Cards | None:
    """Return all cards of this machine, or None; a driver's refusal is noted in `refused`.

    nvmlDeviceGetTotalEnergyConsumption tells millijoules since the driver was loaded, from Volta (2017) on.
    """
    try:
        nvml: Any = import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
        names = tuple(_text(nvml.nvmlDeviceGetName(handle)) for handle in handles)
        for handle in handles:
            nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except nvml.NVMLError as error:
        refused.append(f"NVML: {error}")
        return None

    def read() -> Reading:
        try:
            return tuple(int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) * 1000 for handle in handles)
        except nvml.NVMLError as error:
            raise OSError(errno.EIO, str(error), "NVML") from error

    return Cards(names=names, read=read) if handles else None


def _text(name: str | bytes) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name  # bytes before nvidia-ml-py 12
