"""TFLite models in an interpreter: LiteRT's, or that of a package with the same interface."""

import contextlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from types import ModuleType
from typing import IO, Any

import numpy as np

from tpukit.errors import DeviceError, DeviceUnavailableError, ModelLoadError
from tpukit.inference._model import TFLITE, Model
from tpukit.inference._native_errors import in_plain_words, refused_by_edge_tpu
from tpukit.inference._types import Arrays, Query, Tensor

_LOG = logging.getLogger(__name__)
_STDERR_LOCK = threading.Lock()


def _no_obstacle() -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """A package that runs TFLite models: what people call it, its distribution, the module of its interpreter.

    `obstacle` is asked before the module is imported, and says why it must not be.
    """

    name: str
    distribution: str
    module: str
    obstacle: Callable[[], str | None] = _no_obstacle

    def imported(self) -> ModuleType:
        """Return the module, with `Interpreter`, `OpResolverType` and `load_delegate`.

        Raises DeviceUnavailableError where it cannot be imported.
        """
        if reason := self.obstacle():
            raise DeviceUnavailableError(reason)
        try:
            return import_module(self.module)
        except ImportError as error:
            raise DeviceUnavailableError(f"{self.distribution} cannot be imported: {error}") from error

    def version(self) -> str:
        """Return the distribution with its version; raises DeviceUnavailableError where it cannot be imported."""
        self.imported()
        return f"{self.distribution} {metadata.version(self.distribution)}"


LITERT = Runtime(name="LiteRT", distribution="ai-edge-litert", module="ai_edge_litert.interpreter")


def load_session(
    model: Model,
    *,
    runtime: Runtime,
    threads: int,
    batch: int,
    resolver: str = "AUTO",
    delegates: Sequence[Any] = (),
) -> "InterpreterSession":
    """Load a TFLite model and set its batch.

    `resolver` is the name of the OpResolverType that picks the kernels, `delegates` are what `load_delegate` returned
    for libedgetpu.
    Raises ModelLoadError, and DeviceUnavailableError where the runtime cannot be imported.
    """
    if runtime is not LITERT:
        check_file(model)
    with stderr_collected() as said:
        interpreter = _opened(model, runtime=runtime, threads=threads, resolver=resolver, delegates=delegates)
        known = refused_by_edge_tpu if delegates else _unknown
        return session_of(interpreter, model, runtime=runtime, batch=batch, said=said, known=known)


def check_file(model: Model) -> None:
    """Raise ModelLoadError for what is no whole TFLite model.

    LiteRT checks every offset of a file, which takes it less than 0.1 ms. tflite-runtime does not: of 102 truncations
    of the bundled digits_cnn_int8, 99 ended its process.
    """
    open_interpreter(model, threads=1, resolver="BUILTIN_REF")


def session_of(
    interpreter: Any,
    model: Model,
    *,
    runtime: Runtime,
    batch: int,
    said: Callable[[], list[str]],
    known: Callable[[str], str | None],
) -> "InterpreterSession":
    """Set the batch of an interpreter of `model`, and allocate its tensors.

    `said` returns what native code wrote meanwhile, `known` a native error in plain words where it knows it. Raises
    ModelLoadError.
    """
    try:
        _set_batch(interpreter, batch)
        interpreter.allocate_tensors()
        return InterpreterSession(interpreter)
    except (ValueError, RuntimeError) as error:
        if words := known(one_line(error)):
            raise ModelLoadError(f"model {model.name}: {words}") from error
        raise _refusal(model, runtime, error, batch=batch, said=said()) from error


def _unknown(_error: str) -> None:
    return None


class InterpreterSession:
    """A TFLite model in an interpreter, its tensors allocated or not."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self.inputs = tuple(_tensor(detail) for detail in interpreter.get_input_details())
        self.outputs = tuple(_tensor(detail) for detail in interpreter.get_output_details())

    def bind(self, samples: Sequence[Arrays]) -> Query:
        """Return the function that sets the inputs of one sample, invokes and copies the outputs."""
        into = [detail["index"] for detail in self._interpreter.get_input_details()]
        out = [detail["index"] for detail in self._interpreter.get_output_details()]
        if len(into) == len(out) == 1:
            return _bind_one(self._interpreter, into[0], out[0], [arrays[0] for arrays in samples])
        return _bind_many(self._interpreter, into, out, samples)

    def close(self) -> None:
        """Release the interpreter."""
        self._interpreter = None


def _bind_one(interpreter: Any, into: int, out: int, arrays: list[Any]) -> Query:
    # specialised: a loop over a tuple of inputs costs 1.4 to 2.0 us a query, a fifth of a 10 us model
    set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def query(index: int) -> Arrays:
        try:
            set_tensor(into, arrays[index])
            invoke()
            return (get_tensor(out),)
        except (ValueError, RuntimeError) as error:
            raise _failure(error) from error

    return query


def _bind_many(interpreter: Any, into: list[int], out: list[int], samples: Sequence[Arrays]) -> Query:
    set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

    def query(index: int) -> Arrays:
        try:
            for tensor, array in zip(into, samples[index], strict=True):
                set_tensor(tensor, array)
            invoke()
            return tuple([get_tensor(tensor) for tensor in out])
        except (ValueError, RuntimeError) as error:
            raise _failure(error) from error

    return query


def _failure(error: Exception) -> DeviceError:
    said = one_line(error)
    return DeviceError(in_plain_words(said) or said)


def open_interpreter(model: Model, *, threads: int, resolver: str) -> Any:
    """Return a LiteRT interpreter of a checked file, its tensors not allocated.

    Raises ModelLoadError for what is no whole TFLite model, DeviceUnavailableError where LiteRT cannot be imported.
    """
    with stderr_collected():
        return _opened(model, runtime=LITERT, threads=threads, resolver=resolver, delegates=())


def _opened(model: Model, *, runtime: Runtime, threads: int, resolver: str, delegates: Sequence[Any]) -> Any:
    if model.format == "jax":
        raise ModelLoadError(
            f"model {model.name} is a JAX export: measure it on jax or jax:cpu, say, and bench shows its work too"
        )
    if model.format != "tflite":
        raise ModelLoadError(f"model {model.name} is not a TFLite file: its bytes 4 to 8 are not {TFLITE.decode()}")
    module = runtime.imported()
    try:
        return module.Interpreter(
            model_content=model.content,
            num_threads=threads,
            experimental_op_resolver_type=module.OpResolverType[resolver],
            experimental_delegates=list(delegates),
        )
    except (ValueError, RuntimeError) as error:
        why = one_line(error)
        if delegates and (known := refused_by_edge_tpu(why)):
            raise ModelLoadError(f"model {model.name}: {known}") from error
        if "Didn't find op" in why:
            raise _lacks_operator(model, runtime, why) from error
        raise ModelLoadError(f"model {model.name} is damaged or truncated: {why}") from error


def _set_batch(interpreter: Any, batch: int) -> None:
    """Resize the inputs to `batch` samples; a batch of 1 leaves the model as its file has it."""
    for detail in interpreter.get_input_details():
        name, shape = detail["name"], [int(size) for size in detail["shape"]]
        signature = [int(size) for size in detail["shape_signature"]] or shape
        if -1 in signature[1:]:
            raise ValueError(f"input {name} has the shape {tuple(signature)}: fix all but the first when converting it")
        if batch == 1 and signature == shape:
            continue
        if batch > 1 and signature[:1] not in ([1], [-1], [batch]):
            what = f"has the shape {tuple(shape)}" if shape else "is a scalar"
            raise ValueError(f"input {name} {what} and no batch of 1 to enlarge")
        interpreter.resize_tensor_input(detail["index"], [batch, *shape[1:]])


def _refusal(model: Model, runtime: Runtime, error: Exception, *, batch: int, said: list[str]) -> ModelLoadError:
    why = one_line(error)
    if known := in_plain_words(why, runtime=runtime.name):
        return ModelLoadError(f"model {model.name}: {known}")
    details = " ".join(line for line in said if line not in why and not line.startswith("INFO"))
    if "custom op" in why or "unresolved" in why.lower():
        return _lacks_operator(model, runtime, why)
    batched = f" a batch of {batch} for" if batch > 1 else ""
    return ModelLoadError(f"{runtime.name} refuses{batched} model {model.name}: {why} {details}".strip())


def _lacks_operator(model: Model, runtime: Runtime, why: str) -> ModelLoadError:
    return ModelLoadError(f"model {model.name} has an operator that {runtime.name} lacks: {why}")


def _tensor(detail: dict[str, Any]) -> Tensor:
    scales, zeros = (detail["quantization_parameters"][key] for key in ("scales", "zero_points"))
    one = len(scales) == 1
    return Tensor(
        name=detail["name"],
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scales[0]) if one else None,
        zero_point=int(zeros[0]) if one else None,
    )


def one_line(error: Exception) -> str:
    """Return an error's text on one line."""
    return " ".join(str(error).split())


@contextlib.contextmanager
def stderr_collected() -> Iterator[Callable[[], list[str]]]:
    """Collect what native code writes on file descriptor 2: LiteRT says there, and only there, what it missed.

    Yields a function that returns the lines so far. At the end they go to the log at DEBUG, so that a report or a pipe
    is not sprinkled with them.
    """
    with _STDERR_LOCK:
        try:
            saved = os.dup(2)
        except OSError:  # it is closed, so nothing can be said there
            yield list
            return
        with tempfile.TemporaryFile() as collected:
            if sys.stderr is not None:
                sys.stderr.flush()
            os.dup2(collected.fileno(), 2)
            try:
                yield lambda: _lines(collected)
            finally:
                os.dup2(saved, 2)
                os.close(saved)
                for line in _lines(collected):
                    _LOG.debug("LiteRT: %s", line)


def _lines(collected: IO[bytes]) -> list[str]:
    collected.seek(0)
    return collected.read().decode(errors="replace").splitlines()
