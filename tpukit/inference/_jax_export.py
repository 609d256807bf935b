"""JAX exports: made of a function, and read back.

An export holds a StableHLO module beside the types of its inputs and outputs (`jax.export`). Reading one unpickles
nothing: containers of a type of its own are looked up among those that this process has registered with
`jax.export.register_pytree_node_serialization`, and are refused without. But XLA compiles and runs the module as native
code, and its reader does not withstand any bytes: a truncated file is refused, while one flipped bit was seen to end
the process. Measure exports that you trust. Modules that call back into Python are refused, for they name functions of
another process.
"""

import hashlib
import struct
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from tpukit.errors import ConfigError, DeviceUnavailableError, MissingDependencyError, ModelLoadError
from tpukit.inference._interpreter import one_line
from tpukit.inference._model import Model

#: What `jax_model` exports for.
PLATFORMS = ("cpu", "cuda", "tpu")

#: What reading meets where a number of the file points at nothing: nothing checks them before.
DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, StopIteration, TypeError,
    ValueError, struct.error,
)  # fmt: skip
_MLIR = b"ML\xefR"


def jax_model(
    function: Callable[..., Any], *arguments: Any, name: str | None = None, platforms: Sequence[str] = PLATFORMS
) -> Model:
    """Return the export of a function as a model, which every jax device measures; its name is the function's.

    `arguments` are example arrays or `jax.ShapeDtypeStruct`s, in any of JAX's containers. Each is an input, made up
    anew for every query; what the function closes over, such as weights given by `functools.partial`, are constants of
    the model. Its first dimension may be free, for any batch: `jax.ShapeDtypeStruct(jax.export.symbolic_shape("b, 64"),
    "float32")`. `platforms` are those of `jax.export.export`: a function that JAX cannot lower for all three needs
    fewer. To keep the model, write its `content` to a file.

    Raises DeviceUnavailableError where JAX cannot be imported, ConfigError where it cannot export the function; what
    the function raises while it is traced passes through.

    >>> import numpy as np
    >>> model = jax_model(lambda x: 2 * x, np.zeros((1, 4), np.float32), name="double")  # doctest: +SKIP
    >>> model.name, model.format  # doctest: +SKIP
    ('double', 'jax')
    """
    jax = imported()
    called = str(name or getattr(function, "__name__", type(function).__name__))
    traced = function if hasattr(function, "lower") else jax.jit(function)
    try:
        content = bytes(jax.export.export(traced, platforms=tuple(platforms))(*arguments).serialize())
    except (NotImplementedError, ValueError) as error:
        raise ConfigError(f"JAX cannot export {called} for {', '.join(platforms)}: {one_line(error)}") from error
    return Model(name=called, content=content, sha256=hashlib.sha256(content).hexdigest())


def imported() -> ModuleType:
    """Return JAX with `jax.export`; raises DeviceUnavailableError where it cannot be imported."""
    try:
        import jax
        import jax.export
    except (ImportError, RuntimeError) as error:  # a RuntimeError says that jax and jaxlib do not go together
        if isinstance(error, ModuleNotFoundError) and error.name == "jax":
            raise DeviceUnavailableError(str(MissingDependencyError("jax", "jax"))) from error
        raise DeviceUnavailableError(f"jax cannot be imported: {one_line(error)}") from error
    module: ModuleType = jax
    return module


def read_export(model: Model) -> Any:
    """Return a model's export, as `jax.export.deserialize` does. Raises ModelLoadError for what is none."""
    jax = imported()
    if model.format != "jax":
        raise ModelLoadError(f"model {model.name} {_what_it_is(model)}")
    try:
        return jax.export.deserialize(bytearray(model.content))
    except DAMAGE as error:
        why = one_line(error) or type(error).__name__
        raise ModelLoadError(
            f"model {model.name} is a damaged or truncated JAX export, or newer than JAX {jax.__version__}: {why}"
        ) from error


def operations(module: Any) -> Iterator[Any]:
    """Yield every operation of an MLIR module, those within others too."""
    pending = [module.operation]
    while pending:
        operation = pending.pop()
        yield operation
        pending += [each.operation for region in operation.regions for block in region for each in block]


def _what_it_is(model: Model) -> str:
    if model.format == "tflite":
        return "is a TFLite file, and JAX runs exports only: measure it on cpu"
    if model.content.startswith(_MLIR):
        return "is a bare MLIR module: export it with jax.export, which adds the types of its inputs and outputs"
    return "is no JAX export: expected what jax.export.export(function)(…).serialize() returns"
