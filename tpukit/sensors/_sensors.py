"""`find`: which sensors this machine has."""

import re
from dataclasses import dataclass
from pathlib import Path

from tpukit.errors import ConfigError
from tpukit.sensors._energy import EnergySource, find_energy
from tpukit.sensors._heat import TemperatureSource, ThrottleCounter, find_temperature, find_throttle

_DEVICE = re.compile(r"cpu|gpu|apex_\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensors:
    """What tells energy and heat here; None where nothing does.

    `energy_source` and `temperature_source` name what does, or begin with "none: " and say why nothing does.
    """

    energy: EnergySource | None
    energy_source: str
    temperature: TemperatureSource | None
    temperature_source: str
    throttle: ThrottleCounter | None


def find(root: Path = Path("/sys"), *, device: str = "cpu") -> Sensors:
    """Return the sensors under `root` that can be read now and tell what `device` takes, and how hot it is.

    A device is "cpu", "gpu" (all graphics cards) or a PCIe Edge TPU by its name, "apex_0"; one on USB tells neither.
    Throttling is the processor's, which feeds any of them. Raises ConfigError for another device.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as empty:
    ...     find(Path(empty)).temperature_source
    'none: no thermal zone or hwmon sensor of a processor'
    """
    if not _DEVICE.fullmatch(device):
        raise ConfigError(
            f"sensors of device {device!r} are not known: expected cpu, gpu, or a PCIe Edge TPU such as apex_0"
        )
    energy, energy_source = find_energy(root, device)
    temperature, temperature_source = find_temperature(root, device)
    return Sensors(
        energy=energy,
        energy_source=energy_source,
        temperature=temperature,
        temperature_source=temperature_source,
        throttle=find_throttle(root),
    )
