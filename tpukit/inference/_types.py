"""What a device, a session and a run's settings are."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tpukit.errors import ConfigError, UnknownNameError
from tpukit.inference._model import Model
from tpukit.inference._scenarios import SCENARIOS

Arrays = tuple[NDArray[Any], ...]
# beyond these the runtimes overflow, or a run would outlive its machine
_MAX_DURATION_S = 1e7
_RANGES = {"min_queries": (1, 10**12), "threads": (1, 1024), "batch": (1, 2**16), "seed": (0, 2**63 - 1)}

#: Runs the prepared sample with this index and returns its outputs.
Query = Callable[[int], Arrays]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """An input or output; `scale` and `zero_point` are None where it is not quantised by one scale."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields as a mapping that JSON can hold."""
        return asdict(self)

    @property
    def size_bytes(self) -> int:
        """Bytes of one such tensor."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


class Session(Protocol):
    """A model loaded on a device, ready to run."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    def bind(self, samples: Sequence[Arrays]) -> Query:
        """Prepare `samples` (one array for each input, in order) and return the function that runs one of them.

        That function sets the inputs, runs the model, waits for the outputs and returns them; it is the measured
        path, so it does nothing else. It raises DeviceError where the device fails.
        """

    def close(self) -> None:
        """Release the device."""


class Device(Protocol):
    """Something that can run a model."""

    @property
    def name(self) -> str:
        """The name it is registered under."""

    @property
    def about(self) -> str:
        """What it is, in one line."""

    def runtime(self) -> str:
        """Return what executes the model, with its version; raises DeviceUnavailableError where it is not usable."""

    def load(self, model: Model, *, threads: int, batch: int) -> Session:
        """Load the model; a batch of 1 is the model as its file has it, a larger one resizes its inputs' first axis.

        Raises ModelLoadError where the device cannot take it, or not with this batch.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one run is made; raises ConfigError on what cannot be used, UnknownNameError for an unknown scenario."""

    scenario: str
    duration_s: float
    min_queries: int
    threads: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise UnknownNameError("scenario", self.scenario, SCENARIOS)
        # a NaN is not between anything
        is_number = isinstance(self.duration_s, int | float) and not isinstance(self.duration_s, bool)
        if not is_number or not 0 < self.duration_s <= _MAX_DURATION_S:
            raise ConfigError(
                f"duration is {self.duration_s!r} s: expected a number of seconds above 0, up to {_MAX_DURATION_S:g}"
            )
        for name, (least, most) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise ConfigError(f"{name} is {value!r}: expected a whole number from {least} to {most}")
