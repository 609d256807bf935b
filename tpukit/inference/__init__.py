"""Devices, and how fast a model runs on them.

| name | what |
|---|---|
| `benchmark(model, device, scenario)` | one run: samples, summary, verdict, warnings |
| `find_peak(model, device)` | the highest rate of the server scenario that keeps its bound |
| `inspect_model(model)` | tensors, operators, parameters, bytes and what an Edge TPU is predicted to run |
| `with_compiler_log(info, path)` | the same, with what edgetpu_compiler did in the place of the prediction |
| `with_op_times(info, model)` | the same, with each operator's time on the processor, by LiteRT's profiler |
| `least_times(info)` | the least time of a model on every hardware whose peaks are known |
| `cpu_peaks(threads)` | the best rates of arithmetic and of memory that this machine's processor reaches |
| `limit(work(info), peaks)` | the least time that a model can take under such peaks, and what binds it |
| `devices()` | what can run a model here, and why others cannot |
| `under_test(model, …)`, `drive(…)`, `drive_logged(…)` | the same under MLPerf's LoadGen: its numbers and verdict |
| `EdgeTPU(place=…, performance=…)` | the device `edgetpu`, as `get_device("edgetpu:usb:0,performance=low")` gives it |
| `edge_tpus()`, `plugged()` | the Edge TPUs that are plugged in, as a table and as values |
| `open_library(path)` | libedgetpu, opened: its version, and the devices that it lists |
| `tflite_obstacle(versions)`, `pycoral_obstacle(installed_pycoral())` | why those packages must not be imported here |
| `accelerators()`, `stated_peaks(kind)` | the peaks that makers state of their accelerators |
| `jax_model(function, *arguments)` | a function of JAX as a model, for the devices jax, jax:cpu, jax:gpu, jax:tpu |
| `DEVICES` | the registry; `Device`, `Session`: what one must offer |
| `Addressed`, `HasFacts`, `HasPeaks`, `HasSensor`, `SharesBatch` | what it may offer besides |
"""

from tpukit.inference._benchmark import BenchmarkResult, benchmark, check_name
from tpukit.inference._compiler import with_compiler_log
from tpukit.inference._devices import DEVICES, devices, get_device
from tpukit.inference._edgetpu import EdgeTPU
from tpukit.inference._edgetpu_library import EdgeTPULibrary, open_library
from tpukit.inference._edgetpu_plugged import USB_WITH_FIRMWARE, Holder, PluggedEdgeTPU, edge_tpus, plugged
from tpukit.inference._hardware import accelerators, stated_peaks
from tpukit.inference._inspect import ModelInfo, inspect_model
from tpukit.inference._jax import JAX_REFERENCE
from tpukit.inference._jax_export import jax_model
from tpukit.inference._least_times import least_times
from tpukit.inference._loadgen import UnderTest, drive, drive_logged, loadgen_version
from tpukit.inference._loadgen_logs import LoadGenResult, QueryLog
from tpukit.inference._mapping import EdgeTPUMapping
from tpukit.inference._measure import Progress
from tpukit.inference._model import Model, read_model, read_models
from tpukit.inference._peak_rate import PeakRate, check_tolerance, find_peak
from tpukit.inference._peaks import cpu_peaks
from tpukit.inference._pycoral import InstalledPycoral, installed_pycoral, pycoral_obstacle
from tpukit.inference._roofline import HasPeaks, Limit, Peaks, Work, limit, work
from tpukit.inference._rules import INVALID, VALID, rate_text
from tpukit.inference._scenarios import SCENARIOS
from tpukit.inference._serve import Complete, Issue, Issuing
from tpukit.inference._settings import PROFILES, Settings, settings
from tpukit.inference._tflite import tflite_obstacle
from tpukit.inference._timed import with_op_times
from tpukit.inference._types import (
    Addressed,
    Arrays,
    Device,
    Facts,
    HasFacts,
    HasSensor,
    Query,
    Session,
    SharesBatch,
    Tensor,
)
from tpukit.inference._under_test import under_test
from tpukit.interrupts import Cancel

__all__ = [
    "DEVICES",
    "INVALID",
    "JAX_REFERENCE",
    "PROFILES",
    "SCENARIOS",
    "USB_WITH_FIRMWARE",
    "VALID",
    "Addressed",
    "Arrays",
    "BenchmarkResult",
    "Cancel",
    "Complete",
    "Device",
    "EdgeTPU",
    "EdgeTPULibrary",
    "EdgeTPUMapping",
    "Facts",
    "HasFacts",
    "HasPeaks",
    "HasSensor",
    "Holder",
    "InstalledPycoral",
    "Issue",
    "Issuing",
    "Limit",
    "LoadGenResult",
    "Model",
    "ModelInfo",
    "PeakRate",
    "Peaks",
    "PluggedEdgeTPU",
    "Progress",
    "Query",
    "QueryLog",
    "Session",
    "Settings",
    "SharesBatch",
    "Tensor",
    "UnderTest",
    "Work",
    "accelerators",
    "benchmark",
    "check_name",
    "check_tolerance",
    "cpu_peaks",
    "devices",
    "drive",
    "drive_logged",
    "edge_tpus",
    "find_peak",
    "get_device",
    "inspect_model",
    "installed_pycoral",
    "jax_model",
    "least_times",
    "limit",
    "loadgen_version",
    "open_library",
    "plugged",
    "pycoral_obstacle",
    "rate_text",
    "read_model",
    "read_models",
    "settings",
    "stated_peaks",
    "tflite_obstacle",
    "under_test",
    "with_compiler_log",
    "with_op_times",
    "work",
]
