"""What the checks decide from: everything that was seen of a machine, as values."""

from collections.abc import Mapping
from dataclasses import dataclass

from tpukit.inference import InstalledPycoral, PluggedEdgeTPU


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Something that was tried in a process of its own: what it said, or why it failed."""

    said: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """The interpreter and the distributions in it; `versions` holds those of interest that are installed.

    `jax_platforms` is the environment variable JAX_PLATFORMS.
    """

    version: tuple[int, int]
    versions: Mapping[str, str]
    pycoral: InstalledPycoral | None
    jax_platforms: str
    litert: Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """The kernel's driver of Edge TPUs on PCIe: whether it is loaded, and built for this kernel."""

    kernel: str
    loaded: bool
    built: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """libedgetpu: whether the loader finds one, what its version function says or why it fails, and dpkg's version."""

    found: bool
    version: Trial = Trial()
    package: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What makes numbers noisy. What the system does not show is None, and `governors` empty.

    `quota` are the processors' worth of time that the container grants. `throttled`, `memory_stalled` and `stolen` are
    shares in 0..1: of the container's periods, of the last minute, and of the time since the machine started.
    """

    processors: int
    allowed: int
    quota: float | None
    throttled: float | None
    governors: tuple[str, ...]
    load_1m: float | None
    memory_bytes: int | None
    memory_available_bytes: int | None
    memory_stalled: float | None
    stolen: float | None
    cloud_tpus: int
    nvidia: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder of tpukit's state: `writable` speaks of the nearest folder that exists, `open_to_others` of itself.

    `odd` names what stands in its way: a file where a folder should be.
    """

    path: str
    exists: bool
    writable: bool
    open_to_others: tuple[str, ...]
    odd: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model's file. `damage` says why it cannot be read, `jax` that it is a JAX export; the rest then says nothing.

    `compiled` of its `ops` are edgetpu-custom-op, `min_runtime` the newest runtime that one of them asks for, 0 where
    none tells. `floats` are the operators that compute in floating point, `free` the inputs without a fixed shape.
    """

    name: str
    damage: str | None = None
    jax: bool = False
    ops: int = 0
    compiled: int = 0
    min_runtime: int = 0
    floats: int = 0
    free: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the checks decide from."""

    python: Python
    edge_tpus: tuple[PluggedEdgeTPU, ...]
    library: Library
    driver: Driver
    machine: Machine
    home: Home
    models: tuple[ModelFacts, ...] = ()
