"""The Edge TPU, through LiteRT's external delegate and libedgetpu; neither pycoral nor tflite-runtime takes part."""

import contextlib
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from tpukit.errors import ConfigError, DeviceError, DeviceUnavailableError, ModelLoadError
from tpukit.inference._compiled import CUSTOM_OP, placed
from tpukit.inference._edgetpu_library import EdgeTPULibrary, open_library
from tpukit.inference._edgetpu_place import Listed, address, at_place, connected_peaks, is_place, sensor_of, shown_at
from tpukit.inference._edgetpu_plugged import PluggedEdgeTPU, plugged
from tpukit.inference._inspect import ModelInfo, inspect_model
from tpukit.inference._interpreter import LITERT, InterpreterSession, check_file, load_session
from tpukit.inference._model import Model
from tpukit.inference._native_errors import not_created, not_opened
from tpukit.inference._roofline import Peaks, Work, file_batch, work
from tpukit.inference._types import Arrays, Facts, Query

_PERFORMANCE = ("low", "medium", "high", "max")
_TRUTH = {"true": True, "false": False}
_LONGEST_QUEUE = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTPU:
    """An Edge TPU at a place: "" is any, `usb` and `pci` are any of their kind, `usb:0`, `pci:1` and `:0` count them as
    libedgetpu lists them.

    `performance` is low, medium, high or max, which sets the clock; `usb_always_dfu` loads the firmware each time;
    `usb_max_bulk_in_queue_length` is 0 to 255. None is libedgetpu's own choice. It reads these of a device with a
    number alone (tflite/edgetpu_delegate_for_custom_op_tflite_plugin.cc), so that with them a place without one means
    the first. A device that this process has open already is shared, and keeps the options that it was opened with
    (tflite/edgetpu_manager_direct.cc): close the other session first.
    `library` is a path of libedgetpu; below `root` lies what the kernel shows of devices.

    Raises ConfigError for a place or a value that there cannot be. Unproven on hardware: tests run it against a
    stand-in for libedgetpu. The real one is known to end the whole process when its device is pulled out, and Google's
    16.0, built against TensorFlow 2.5, to do so in newer runtimes (google-coral/edgetpu issues 11 and 812).

    >>> EdgeTPU(place="usb", performance="low").name
    'edgetpu:usb:0,performance=low'
    """

    place: str = ""
    performance: str | None = None
    usb_always_dfu: bool | None = None
    usb_max_bulk_in_queue_length: int | None = None
    library: str | None = None
    root: Path = Path("/")

    about: ClassVar[str] = "a Coral Edge TPU on USB or PCIe, through LiteRT and libedgetpu"

    def __post_init__(self) -> None:
        if not is_place(self.place):
            raise ConfigError(f"place {self.place!r} of an Edge TPU: expected usb, pci, usb:0, pci:0 or :0")
        if self.performance not in (None, *_PERFORMANCE):
            raise ConfigError(f"performance is {self.performance!r}: expected {', '.join(_PERFORMANCE)}")
        length = self.usb_max_bulk_in_queue_length
        if length is not None and not 0 <= length <= _LONGEST_QUEUE:
            raise ConfigError(f"usb_max_bulk_in_queue_length is {length}: expected 0 to {_LONGEST_QUEUE}")
        if self.place.startswith("pci") and (self.usb_always_dfu, length) != (None, None):
            raise ConfigError(f"options of USB do not go with the place {self.place}: leave them out")

    @property
    def name(self) -> str:
        """The name that `get_device` takes for it."""
        address = self._address()
        place = f":{address.removeprefix(':')}" if address else ""
        given = {option: value for option in _OPTIONS if (value := getattr(self, option)) is not None}
        return f"edgetpu{place}" + "".join(f",{option}={_spelled(value)}" for option, value in given.items())

    @property
    def sensor(self) -> str:
        """What tells its energy and heat: the driver of one on PCIe, else the processor's."""
        return sensor_of(self._shown() or ())

    def at(self, place: str, options: Mapping[str, str]) -> "EdgeTPU":
        """Return the Edge TPU at a place, with options as text: those of the class.

        >>> EdgeTPU().at("0", {"usb_always_dfu": "true"}).name
        'edgetpu:0,usb_always_dfu=true'
        """
        for option in options:
            if option not in _OPTIONS:
                raise ConfigError(f"edgetpu has no option {option!r}: it has {', '.join(_OPTIONS)}")
        given = {option: _OPTIONS[option](option, value) for option, value in options.items()}
        return replace(self, place=address(place), **given)

    def delegate_options(self) -> dict[str, str]:
        """Return the options as libedgetpu names and spells them.

        >>> EdgeTPU(performance="max", usb_always_dfu=False).delegate_options()
        {'device': ':0', 'Performance': 'Max', 'Usb.AlwaysDfu': 'False'}
        """
        options = {
            "device": self._address() or None,
            "Performance": self.performance and self.performance.capitalize(),
            "Usb.AlwaysDfu": self.usb_always_dfu,
            "Usb.MaxBulkInQueueLength": self.usb_max_bulk_in_queue_length,
        }
        return {option: str(value) for option, value in options.items() if value is not None}

    def runtime(self) -> str:
        """Return the versions of LiteRT and libedgetpu.

        Raises DeviceUnavailableError where either is missing, or no such device can be opened.
        """
        litert, library = LITERT.version(), open_library(self.library)
        self._check_listed(library.devices())
        self._peaks()  # what is wrong with the table of accelerators is said before anything is measured
        return f"{litert}, {library.version()}"

    def load(self, model: Model, *, threads: int, batch: int) -> "EdgeTPUSession":
        """Load a model that edgetpu_compiler compiled; `threads` run what it left to the processor.

        Raises ModelLoadError, also for a model that is not compiled and would run on the processor alone, and
        DeviceUnavailableError where the device cannot be opened.
        """
        library = open_library(self.library)
        check_compiled(model)
        with released_where_it_fails():
            session = load_session(
                model, runtime=LITERT, threads=threads, batch=batch, delegates=[self._delegate(library)]
            )
        return EdgeTPUSession(session, model, batch=batch, peaks=self._peaks())

    def _delegate(self, library: EdgeTPULibrary) -> Any:
        try:
            return library.delegate(self.delegate_options())
        except ValueError as error:
            raise DeviceUnavailableError(not_created(str(error), self._there(library))) from error

    def _address(self) -> str:
        """Return the place as libedgetpu takes it, with a number where it would not read the options without."""
        tuned = (self.performance, self.usb_always_dfu, self.usb_max_bulk_in_queue_length) != (None, None, None)
        place = address(self.place)
        return f"{place}:0" if tuned and ":" not in place else place

    def _shown(self) -> list[PluggedEdgeTPU] | None:
        """Return what the kernel shows of the device, None where it shows nothing of any, as outside Linux."""
        return shown_at(plugged(self.root), self._address()) if (self.root / "sys/bus").is_dir() else None

    def _there(self, library: EdgeTPULibrary) -> list[PluggedEdgeTPU] | None:
        """Return what the kernel shows; None also where libedgetpu lists a device that it hides, as in a container."""
        shown = self._shown()
        return None if not shown and at_place(library.devices() or (), self._address()) else shown

    def _check_listed(self, listed: Sequence[Listed] | None) -> None:
        """Raise DeviceUnavailableError where nothing is there, or nothing that this process may open."""
        shown = self._shown()
        if listed and not at_place(listed, self._address()):
            there = ", ".join(each.path for each in listed)
            raise DeviceUnavailableError(
                f"no Edge TPU is at {self._address()}: libedgetpu lists {len(listed)}, counted from 0: {there}"
            )
        if listed == () or (shown == [] and listed is None):
            raise DeviceUnavailableError(not_opened(shown or ()))
        if shown and not any(each.openable for each in shown):
            raise DeviceUnavailableError(not_opened(shown))

    def _peaks(self) -> Peaks:
        return connected_peaks(self._shown() or (), self.place)


def check_compiled(model: Model) -> None:
    """Raise ModelLoadError for a damaged model, and for one that has no operator for the Edge TPU."""
    check_file(model)
    ops, on_device = placed(model.content)
    if not on_device:
        raise ModelLoadError(
            f"model {model.name}: 0 of {ops} ops on the TPU: it is not compiled for it and would run on the CPU; "
            "compile it with edgetpu_compiler, or measure it with --device cpu"
        )


@contextlib.contextmanager
def released_where_it_fails() -> Iterator[None]:
    """Let go of the device where loading fails, for an error that is kept keeps what its frames hold.

    A notebook keeps the last error, and libedgetpu hands a device that this process has open to the next model too,
    with the options of the first.
    """
    try:
        yield
    except DeviceError as error:
        raised: BaseException | None = error
        while raised is not None:
            traceback.clear_frames(raised.__traceback__)
            raised = raised.__cause__
        raise


class EdgeTPUSession:
    """A model on an Edge TPU."""

    def __init__(self, session: InterpreterSession, model: Model, *, batch: int, peaks: Peaks) -> None:
        self._session, self._model, self._batch, self._peaks = session, model, batch, peaks
        self.inputs, self.outputs = session.inputs, session.outputs

    def bind(self, samples: Sequence[Arrays]) -> Query:
        """Return the function that runs one sample."""
        return self._session.bind(samples)

    def close(self) -> None:
        """Release the device."""
        self._session.close()

    @property
    def facts(self) -> Facts:
        """Where its operators run, and what bounds it: the work of the model that it was compiled from, and the link.

        LiteRT refuses a compiled operator that libedgetpu does not take, so all of them run on the device.
        """
        ops, on_device = placed(self._model.content)
        source = _inspected(self._model.uncompiled)
        of = f", work of {source.name}" if source else ""
        return Facts(
            ops=ops,
            ops_on_device=on_device,
            work=_work(inspect_model(self._model), source, self._batch),
            peaks=replace(self._peaks, source=f"{self._peaks.source}{of}"),
        )


def _inspected(model: Model | None) -> ModelInfo | None:
    """Return what a model consists of that is nice to know, None where it cannot be read."""
    try:
        return None if model is None else inspect_model(model)
    except ModelLoadError:  # a run is not to be lost for a file beside its model
        return None


def _work(info: ModelInfo, source: ModelInfo | None, batch: int) -> Work:
    """Return what one run of a compiled model must do: a compiled operator hides its arithmetic, and shows its tensors.

    Where the model that it was compiled from is not known, that arithmetic is unknown.
    """
    hidden = info.ops["type"] == f"CUSTOM:{CUSTOM_OP.decode()}"
    rows = max(1, batch // file_batch(info))
    moved = rows * int(info.ops.loc[hidden, "activation_bytes"].sum())
    if source is None:
        return Work(macs={}, constant_bytes=0, io_bytes=moved, unknown_ops=int(hidden.sum()))
    known = work(source)
    return replace(known, macs={dtype: rows * n for dtype, n in known.macs.items()}, io_bytes=moved)


def _spelled(value: str | bool | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _text(_option: str, value: str) -> str:
    return value


def _truth(option: str, value: str) -> bool:
    if value not in _TRUTH:
        raise ConfigError(f"{option} is {value!r}: expected true or false")
    return _TRUTH[value]


def _count(option: str, value: str) -> int:
    if not value.isdecimal():
        raise ConfigError(f"{option} is {value!r}: expected 0 to {_LONGEST_QUEUE}")
    return int(value)


_OPTIONS: dict[str, Callable[[str, str], Any]] = {
    "performance": _text,
    "usb_always_dfu": _truth,
    "usb_max_bulk_in_queue_length": _count,
    "library": _text,
}
