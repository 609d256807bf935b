"""`find`: which sensors this machine has."""

from dataclasses import dataclass
from pathlib import Path

from tpukit.sensors._energy import EnergySource, find_energy
from tpukit.sensors._heat import TemperatureSource, ThrottleCounter, find_temperature, find_throttle


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


def find(root: Path = Path("/sys"), *, edge_tpu: str | None = None) -> Sensors:
    """Return the sensors under `root` that can be read now.

    Temperature is the processor's, or that of the PCIe Edge TPU of this name, such as apex_0; one on USB shows none.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as empty:
    ...     find(Path(empty)).temperature_source
    'none: no thermal zone or hwmon sensor of a processor'
    """
    energy, energy_source = find_energy(root)
    temperature, temperature_source = find_temperature(root, edge_tpu)
    return Sensors(
        energy=energy,
        energy_source=energy_source,
        temperature=temperature,
        temperature_source=temperature_source,
        throttle=find_throttle(root),
    )
