"""What a device and a session are, and what some of them offer besides."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from tpukit.inference._model import Model
from tpukit.inference._roofline import Peaks, Work

Arrays = tuple[NDArray[Any], ...]

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a session knows of its model once it is loaded; None where it does not.

    `compile_s` is the part of loading that compiled for the device. `ops` are the operators that the runtime was given,
    `ops_on_device` those of them that the device itself runs, and not the processor beside it. `work` is what one run
    of the loaded batch must do, where the device knows better than the model's file, and `peaks` are those of what it
    was loaded on, where that shows only then.
    """

    compile_s: float | None = None
    ops: int | None = None
    ops_on_device: int | None = None
    work: Work | None = None
    peaks: Peaks | None = None


@runtime_checkable
class HasFacts(Protocol):
    """A session that knows `facts` of its model; `Session` does not ask for it."""

    @property
    def facts(self) -> Facts:
        """What is known since the model was loaded."""


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


@runtime_checkable
class HasSensor(Protocol):
    """A device that names the `sensors.find(device=…)` which tell its energy and heat; of others the processor's."""

    @property
    def sensor(self) -> str:
        """Its name there, as gpu or apex_0."""


@runtime_checkable
class SharesBatch(Protocol):
    """A device of several chips that share a batch, and so may not take one sample; `Device` does not ask for it."""

    def alone(self) -> Device:
        """Return one of them, which takes a batch of 1."""


@runtime_checkable
class Addressed(Protocol):
    """A device that is one of several of its kind, or takes options; `Device` does not ask for it."""

    def at(self, place: str, options: Mapping[str, str]) -> Device:
        """Return the device at a place, such as usb:0, with options; the place is empty for any.

        Its `name` tells place and options. Raises ConfigError for a place or an option that there cannot be.
        """
