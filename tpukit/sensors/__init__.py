"""Energy and heat: what tells them on this machine, and what they were in one run.

| name | what |
|---|---|
| `find(root)` | the `Sensors` here: an `EnergySource`, a `TemperatureSource`, a `ThrottleCounter`, or why none |
| `Recorder(sensors, clock=…)` | reads them before, in and after a run; then tells the columns of RESULTS |
| `read_meter(path)` | the log of an external meter, a `Meter`, whose `energy(start_ns, end_ns)` is an `Energy` |

Where several tell energy, one is taken: a power monitor of hwmon (INA219 and its kin), then RAPL, another sensor of
hwmon, NVIDIA's cards. RAPL is the processor's package alone: an accelerator on USB or PCIe is not in it.
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
