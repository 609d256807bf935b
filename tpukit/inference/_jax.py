"""JAX: the CPU, GPUs and Cloud TPUs through XLA."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tpukit import host
from tpukit.clock import Clock, SystemClock
from tpukit.errors import ConfigError, DeviceError, DeviceUnavailableError, ModelLoadError
from tpukit.inference._hardware import stated_peaks
from tpukit.inference._interpreter import one_line
from tpukit.inference._jax_export import imported, read_export
from tpukit.inference._jax_program import Program, compiled, input_tensors
from tpukit.inference._jax_work import work_of
from tpukit.inference._litert import processor_peaks
from tpukit.inference._model import Model
from tpukit.inference._roofline import Peaks
from tpukit.inference._types import Arrays, Facts, Query

#: What a sweep compares a JAX export with: XLA on the CPU, with those of its optimisations off that can be turned off.
JAX_REFERENCE = "jax:reference"

_REFERENCE = "reference"
_PLACES = ("cpu", "gpu", "tpu", _REFERENCE)
_MOST_CHIPS = 1024
# no optimisation of the machine code, no fusing of operations with each other nor into a library's kernels; disabling
# all passes (xla_disable_all_hlo_passes) leaves operations that XLA cannot run, and ended the process on one
_PLAIN: Mapping[str, object] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
    "xla_disable_hlo_passes": "fusion",
    "xla_cpu_experimental_ynn_fusion_type": "",
}
_WHERE = {
    "gpu": "install JAX for it, as by pip install 'jax[cuda13]', and check that nvidia-smi shows the GPU",
    "tpu": "on a Cloud TPU VM, pip install 'jax[tpu]', and end what else holds the TPU",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JaxDevice:
    """A device of JAX, at `place`: cpu, gpu, tpu, JAX's default without one, or `reference`.

    A query takes arrays of the host and returns arrays of the host: the copies to the device and back are part of it,
    as those into and out of an interpreter are on other devices. Where `resident` is set, inputs lie on the device
    before the run begins, outputs stay there, and a query is what the device computes; it waits for that either way.

    `chips` devices of JAX share the batch: each takes its part of the inputs whose first axis is the batch, and all of
    the others. JAX shows one device for each chip, but one for each of a chip's two cores of TPU v2, v3 and TPU7x.

    GPUs, TPUs and several real chips are unproven: only the CPU was at hand, taken for one device and for four.
    """

    place: str = ""
    chips: int = 1
    resident: bool = False
    clock: Clock = field(default_factory=SystemClock)

    about = "JAX on its default backend; jax:cpu, jax:gpu, jax:tpu name one, jax:reference is XLA unoptimised"

    @property
    def name(self) -> str:
        """The name with place and options, as jax:tpu,chips=4."""
        options = [f",chips={self.chips}"] * (self.chips > 1) + [",resident=true"] * self.resident
        return "jax" + f":{self.place}" * bool(self.place) + "".join(options)

    @property
    def sensor(self) -> str:
        """What tells energy and heat: the graphics cards on a GPU, else the processor, a TPU's host too."""
        return "gpu" if self._devices()[0].platform == "gpu" else "cpu"

    def at(self, place: str, options: Mapping[str, str]) -> "JaxDevice":
        """Return the device at a place, with the options chips=N and resident=true. Raises ConfigError for others."""
        if place and place not in _PLACES:
            raise ConfigError(
                f"jax has no place {place!r}: expected {', '.join(_PLACES)}, or jax alone; which of several JAX sees "
                "is up to CUDA_VISIBLE_DEVICES and TPU_VISIBLE_CHIPS"
            )
        if unknown := sorted(options.keys() - {"chips", "resident"}):
            raise ConfigError(f"jax has no option {unknown[0]!r}: expected chips=4, say, or resident=true")
        if options.get("resident", "true") != "true":
            raise ConfigError(f"resident is {options['resident']!r}: expected true, or leave it out")
        chips = options.get("chips", "1")
        if not chips.isdecimal() or not 1 <= int(chips) <= _MOST_CHIPS:
            raise ConfigError(f"chips is {chips!r}: expected a whole number from 1 to {_MOST_CHIPS}")
        return replace(self, place=place, chips=int(chips), resident="resident" in options)

    def alone(self) -> "JaxDevice":
        """Return one chip, which shares its batch with no other."""
        return replace(self, chips=1)

    def runtime(self) -> str:
        """Return JAX's version and what it calls the device; raises DeviceUnavailableError without either."""
        return f"jax {imported().__version__} ({self._devices()[0].device_kind})"

    def peaks(self, threads: int) -> Peaks:
        """Return the processor's peaks with all its cores, which JAX uses whatever `threads` says, or a maker's."""
        first = self._devices()[0]
        if first.platform == "cpu":
            return processor_peaks(host.cores())
        return stated_peaks(first.device_kind, chips=self.chips)

    def load(self, model: Model, *, threads: int, batch: int) -> "JaxSession":
        """Compile an export. Raises ConfigError for threads, ModelLoadError, and DeviceUnavailableError."""
        if threads != 1:
            raise ConfigError(
                f"threads is {threads}: JAX has no such setting, and shares out all cores of the process; leave it "
                "out, and start tpukit with taskset -c 0-3, say, for fewer"
            )
        devices = self._devices()
        exported = read_export(model)
        _check_platform(exported, devices[0].platform, model.name)
        inputs = input_tensors(exported, name=model.name, batch=batch)
        began = self.clock.perf_ns()
        options = _PLAIN if self.place == _REFERENCE else {}
        program = compiled(exported, inputs, name=model.name, devices=devices, options=options)
        compile_s = (self.clock.perf_ns() - began) / 1e9
        work = work_of(program, kept=exported.module_kept_var_idx, devices=devices)
        return JaxSession(program, facts=Facts(compile_s=compile_s, work=work), resident=self.resident)

    def _devices(self) -> list[Any]:
        place = "cpu" if self.place == _REFERENCE else self.place
        found = local_devices(place)
        if len(found) < self.chips:
            raise DeviceUnavailableError(
                f"{self.name}: JAX finds {len(found)} of kind {found[0].device_kind} here: ask for no more chips"
            )
        return found[: self.chips]


class JaxSession:
    """A compiled export; `facts` are its compile time and its work."""

    def __init__(self, program: Program, *, facts: Facts, resident: bool) -> None:
        self._program: Program | None = program
        self._resident = resident
        self.inputs, self.outputs, self.facts = program.inputs, program.outputs, facts

    def bind(self, samples: Sequence[Arrays]) -> Query:
        """Return the function that runs one sample and waits until its outputs are computed."""
        if self._program is None:
            raise DeviceError("this session is closed: load the model again")
        return _bound(self._program, samples, resident=self._resident)

    def close(self) -> None:
        """Release the program."""
        self._program = None


def local_devices(place: str) -> list[Any]:
    """Return JAX's devices of a platform on this machine, or of its default one; DeviceUnavailableError without."""
    try:
        found: list[Any] = imported().local_devices(backend=place or None)
    except RuntimeError as error:
        remedy = f"; {_WHERE[place]}" if place in _WHERE else ""
        raise DeviceUnavailableError(f"JAX finds no {place or 'device'}: {one_line(error)}{remedy}") from error
    return found


def _bound(program: Program, samples: Sequence[Arrays], *, resident: bool) -> Query:
    jax, run = imported(), program.run
    wait = jax.block_until_ready
    if not resident:

        def query(index: int) -> Arrays:
            try:
                return tuple([np.asarray(each) for each in wait(run(*samples[index]))])
            except (RuntimeError, TypeError, ValueError) as error:
                raise DeviceError(one_line(error)) from error

        return query

    def place(sample: Arrays) -> list[Any]:
        return [jax.device_put(array, where) for array, where in zip(sample, program.placements, strict=True)]

    try:
        placed = wait([place(sample) for sample in samples])
    except (RuntimeError, TypeError, ValueError) as error:
        raise DeviceError(one_line(error)) from error

    def resident_query(index: int) -> Arrays:
        try:
            return tuple(wait(run(*placed[index])))
        except (RuntimeError, TypeError, ValueError) as error:
            raise DeviceError(one_line(error)) from error

    return resident_query


def _check_platform(exported: Any, platform: str, name: str) -> None:
    takes = {"gpu": {"cuda", "rocm"}}.get(platform, {platform})
    if not takes & set(exported.platforms):
        raise ModelLoadError(
            f"model {name} is exported for {', '.join(exported.platforms)}, not for {platform}: export it with "
            f'jax.export.export(function, platforms=["cpu", "cuda", "tpu"])'
        )
