"""Measure TensorFlow Lite models on the CPU, every number with its baseline from the same sweep.

| start here | what it does |
|---|---|
| `benchmark` | measures one model on one device under one scenario |
| `inspect_model` | a model's inputs, outputs, operators, parameters and bytes |
| `devices` | what can run a model on this machine, and why others cannot |
| `History` | the runs measured so far, on disk |

Names are resolved on first use, so that `import tpukit` loads neither NumPy nor pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tpukit.history import History
    from tpukit.inference import BenchmarkResult, benchmark, devices, inspect_model

_HOME = {
    "BenchmarkResult": "tpukit.inference",
    "History": "tpukit.history",
    "benchmark": "tpukit.inference",
    "devices": "tpukit.inference",
    "inspect_model": "tpukit.inference",
}

__all__ = ["BenchmarkResult", "History", "benchmark", "devices", "inspect_model"]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'tpukit' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
