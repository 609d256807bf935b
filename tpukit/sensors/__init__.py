"""Energy and heat: what tells them on this machine, and what they were in one run.

| name | what |
|---|---|
| `find(root, device="cpu")` | a device's `Sensors`: an `EnergySource`, a `TemperatureSource`, a `ThrottleCounter` |
| `Recorder(sensors, clock=…)` | reads them before, in and after a run; then tells the columns of RESULTS |
| `read_meter(path)` | the log of an external meter, a `Meter`, whose `energy(start_ns, end_ns)` is an `Energy` |

Where several tell energy, one is taken: a power monitor of hwmon (INA219 and its kin), then the device's own: RAPL or
AMD's drivers for the processor, NVML or amdgpu for graphics cards. RAPL is the processor's package alone: an
accelerator on USB or PCIe is not in it. What feeds something else is never taken.
"""

from tpukit.sensors._account import Energy
from tpukit.sensors._energy import EnergySource
from tpukit.sensors._heat import TemperatureSource, ThrottleCounter
from tpukit.sensors._meter import Meter
from tpukit.sensors._meter_csv import read_meter
from tpukit.sensors._recorder import Recorder
from tpukit.sensors._sensors import Sensors, find

__all__ = [
    "Energy",
    "EnergySource",
    "Meter",
    "Recorder",
    "Sensors",
    "TemperatureSource",
    "ThrottleCounter",
    "find",
    "read_meter",
]
