"""Google's pycoral, where it is installed: an Edge TPU through its own interpreter."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module, metadata
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from tpukit import host
from tpukit.errors import ConfigError, DeviceError, DeviceUnavailableError, ModelLoadError
from tpukit.inference._edgetpu import EdgeTPUSession, check_compiled
from tpukit.inference._edgetpu_place import Listed, address, at_place, connected_peaks, is_place, sensor_of, shown_at
from tpukit.inference._edgetpu_plugged import PluggedEdgeTPU, plugged
from tpukit.inference._interpreter import Runtime, one_line, session_of, stderr_collected
from tpukit.inference._model import Model
from tpukit.inference._native_errors import in_plain_words, not_created, not_opened, refused_by_edge_tpu
from tpukit.inference._tflite import tflite_obstacle

_NO_NEED = "tpukit does not need it: use device edgetpu"
# the summary of the package of that name on the public index
_CORAL_REEFS = "Coral Atlas"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledPycoral:
    """A package named pycoral; `is_googles` says whether it has `pycoral.utils.edgetpu`.

    `version` and `summary` are those of its distribution, empty where it has none.
    """

    version: str
    summary: str
    is_googles: bool


def installed_pycoral(folders: Sequence[str] | None = None) -> InstalledPycoral | None:
    """Return what is installed under the name pycoral in `folders` (default: `sys.path`), None where nothing is.

    It is looked at, and never imported.
    """
    package = PathFinder.find_spec("pycoral", folders)
    if package is None or package.origin is None:  # a folder of that name is no installation
        return None
    path = list(sys.path if folders is None else folders)
    found = next(iter(metadata.distributions(name="pycoral", path=path)), None)
    utils = PathFinder.find_spec("pycoral.utils", package.submodule_search_locations or [])
    edgetpu = utils and PathFinder.find_spec("pycoral.utils.edgetpu", utils.submodule_search_locations or [])
    return InstalledPycoral(
        version=found.version if found else "",
        summary=(found.metadata["Summary"] or "") if found else "",
        is_googles=edgetpu is not None,
    )


def pycoral_obstacle(installed: InstalledPycoral | None) -> str | None:
    """Return why pycoral must not be imported, None where it is Google's.

    >>> print(pycoral_obstacle(None))
    Google's pycoral is not installed; tpukit does not need it: use device edgetpu
    """
    if installed is None:
        return f"Google's pycoral is not installed; {_NO_NEED}"
    if installed.is_googles:
        return None
    what = "a coral-reef tool" if _CORAL_REEFS in installed.summary else "which has no pycoral.utils.edgetpu"
    return f"the pycoral installed here (version {installed.version or 'unknown'}, {what}) is not Google's; {_NO_NEED}"


def _obstacle() -> str | None:
    # Google's pycoral runs models by tflite-runtime
    return pycoral_obstacle(installed_pycoral()) or tflite_obstacle(host.versions(("tflite-runtime", "numpy")))


PYCORAL = Runtime(name="pycoral", distribution="pycoral", module="pycoral.utils.edgetpu", obstacle=_obstacle)


@dataclass(frozen=True, slots=True, kw_only=True)
class PycoralDevice:
    """An Edge TPU through Google's pycoral, as its examples use it; unproven on hardware.

    `place` is empty for any, or one of usb, usb:N, pci, pci:N and :N, as pycoral counts them. Raises ConfigError for
    another one. Below `root` lies what the kernel shows of devices.

    >>> PycoralDevice(place="usb:0").name
    'pycoral:usb:0'
    """

    place: str = ""
    root: Path = Path("/")

    about: ClassVar[str] = "an Edge TPU through Google's pycoral, where that is installed"

    def __post_init__(self) -> None:
        if not is_place(self.place):
            raise ConfigError(f"device pycoral has no place {self.place!r}: expected usb, usb:N, pci, pci:N or N")

    @property
    def name(self) -> str:
        """Its name with its place."""
        return f"pycoral:{self.place.removeprefix(':')}" if self.place else "pycoral"

    @property
    def sensor(self) -> str:
        """What tells its energy and heat: the driver of one on PCIe, else the processor's."""
        return sensor_of(shown_at(plugged(self.root), self.place))

    def at(self, place: str, options: Mapping[str, str]) -> "PycoralDevice":
        """Return the device at this place. Raises ConfigError for an option: pycoral takes none."""
        if options:
            raise ConfigError(f"device pycoral takes no options, got {', '.join(options)}: device edgetpu has them")
        return replace(self, place=place)

    def runtime(self) -> str:
        """Return the versions of pycoral and of the Edge TPU's library.

        Raises DeviceUnavailableError where pycoral is not Google's, cannot be imported or lists no Edge TPU here.
        """
        module = PYCORAL.imported()
        self._found(module)
        library = module.get_runtime_version()
        version = re.search(r"RuntimeVersion\(\w+\)", library)
        return f"pycoral {import_module('pycoral').__version__}, libedgetpu {version[0] if version else library}"

    def load(self, model: Model, *, threads: int, batch: int) -> EdgeTPUSession:
        """Load a model that is compiled for the Edge TPU.

        Raises ModelLoadError for another one, and for several threads: pycoral's interpreter has one.
        """
        if threads != 1:
            raise ModelLoadError(f"pycoral runs in 1 thread, got {threads}: give 1, or use device edgetpu")
        module = PYCORAL.imported()
        check_compiled(model)
        paths = {each.path for each in self._found(module)}  # both have them by the library's paths
        shown = [each for each in plugged(self.root) if each.path in paths]
        with stderr_collected() as said:
            interpreter = self._opened(module, model, shown)
            session = session_of(interpreter, model, runtime=PYCORAL, batch=batch, said=said, known=refused_by_edge_tpu)
        return EdgeTPUSession(session, model, batch=batch, peaks=connected_peaks(shown, self.place))

    def _opened(self, module: ModuleType, model: Model, shown: Sequence[PluggedEdgeTPU]) -> Any:
        try:
            return module.make_interpreter(model.content, device=address(self.place) or None)
        except (OSError, RuntimeError, ValueError) as error:
            raise _explained(error, model, shown) from error

    def _found(self, module: ModuleType) -> list[Listed]:
        listed = [Listed(kind=each["type"], path=each["path"]) for each in module.list_edge_tpus()]
        if not listed:
            raise DeviceUnavailableError(not_opened(plugged(self.root)))
        if found := at_place(listed, self.place):
            return found
        every = ", ".join(f"{each.kind} {each.path}" for each in listed)
        raise DeviceUnavailableError(f"no Edge TPU is at {self.name}: pycoral lists {every}")


def _explained(error: Exception, model: Model, shown: Sequence[PluggedEdgeTPU]) -> DeviceError:
    """Return what made pycoral's interpreter fail, in plain words."""
    if "Failed to load delegate" in str(error):
        return DeviceUnavailableError(not_created(str(error), shown or None))
    text = one_line(error)
    return ModelLoadError(f"model {model.name}: {in_plain_words(text, runtime='pycoral') or text}")
