"""LiteRT, or its predecessor tflite-runtime, on the CPU: with optimised kernels, or with plain reference kernels."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tpukit import host, paths
from tpukit.inference._interpreter import LITERT, InterpreterSession, Runtime, load_session
from tpukit.inference._model import Model
from tpukit.inference._peaks import cpu_peaks
from tpukit.inference._roofline import Peaks


@dataclass(frozen=True, slots=True, kw_only=True)
class LiteRTDevice:
    """The CPU through `package`; `resolver` is the name of the OpResolverType that picks the kernels."""

    name: str
    about: str
    resolver: str
    package: Runtime = LITERT

    def runtime(self) -> str:
        """Return the package with its version; raises DeviceUnavailableError where it cannot be imported."""
        return self.package.version()

    def load(self, model: Model, *, threads: int, batch: int) -> InterpreterSession:
        """Load a TFLite model and set its batch. Raises ModelLoadError."""
        return load_session(model, runtime=self.package, threads=threads, batch=batch, resolver=self.resolver)

    def peaks(self, threads: int) -> Peaks:
        """Return the processor's peaks, whatever kernels this device uses; measured on the first call on a machine."""
        return processor_peaks(threads)


def processor_peaks(threads: int) -> Peaks:
    """Return the processor's peaks, kept for the rest of the process."""
    return _peaks_of(paths.home(), min(threads, host.cores()))


@cache
def _peaks_of(home: Path, threads: int) -> Peaks:
    return cpu_peaks(threads, home=home)
