"""An export with the shapes of a run, compiled by XLA for some devices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from tpukit.errors import ModelLoadError
from tpukit.inference._interpreter import one_line, stderr_collected
from tpukit.inference._jax_export import DAMAGE, imported, operations
from tpukit.inference._types import Tensor

_UNKNOWN_OPTION = "No such compile option: "
_LONGEST = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A compiled export: `run` takes arrays in order and returns device arrays, maybe before they are computed.

    `placements` are the shardings of the inputs.
    """

    run: Callable[..., Sequence[Any]]
    lowered: Any
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    placements: tuple[Any, ...]


def input_tensors(exported: Any, *, name: str, batch: int) -> tuple[Tensor, ...]:
    """Return an export's inputs with this batch, which takes the place of free first dimensions.

    Raises ModelLoadError for a dimension that is free elsewhere, and for a batch that a fixed export does not have.
    """
    named = _named("args", exported.in_tree, exported.in_avals)
    if not named:
        raise ModelLoadError(f"model {name} takes no inputs: export a function of at least one array")
    free = {str(each.shape[0]) for _, each in named if each.shape and not isinstance(each.shape[0], int)}
    if len(free) > 1 or not all(each.isidentifier() for each in free):
        raise ModelLoadError(
            f"model {name} has the free dimensions {', '.join(sorted(free))}: export it with one name for all of them"
        )
    first = named[0][1].shape
    if not free and batch > 1 and first[:1] != (batch,):
        raise ModelLoadError(
            f"model {name} is exported for inputs of the shape {_text(first)}, not for a batch of {batch}: export it "
            'with a free first dimension, as of jax.export.symbolic_shape("b, …")'
        )
    return tuple(_tensor(path, _fixed(each.shape, path, name, batch), each.dtype, name) for path, each in named)


def compiled(
    exported: Any, inputs: Sequence[Tensor], *, name: str, devices: Sequence[Any], options: Mapping[str, object]
) -> Program:
    """Trace, lower and compile an export for some devices, which share the batch where they are several.

    `options` are XLA's; those that this XLA does not have are left out. Raises ModelLoadError where JAX refuses.
    """
    jax = imported()
    _check_types([*exported.in_avals, *exported.out_avals], name)
    placements = _placements(exported, inputs, devices, name)

    def flat(*leaves: Any) -> Any:
        arguments, named = jax.tree_util.tree_unflatten(exported.in_tree, leaves)
        return jax.tree_util.tree_leaves(exported.call(*arguments, **named))

    specs = [jax.ShapeDtypeStruct(each.shape, each.dtype) for each in inputs]
    with _refusing(name):
        lowered = jax.jit(flat, in_shardings=placements).lower(*specs)
    _check_calls(lowered, name)
    with _refusing(name):
        run = _compiled(lowered, options)
    return Program(
        run=run,
        lowered=lowered,
        inputs=tuple(inputs),
        outputs=tuple(
            _tensor(path, tuple(each.shape), each.dtype, name)
            for path, each in _named("result", exported.out_tree, lowered.out_info)
        ),
        placements=placements,
    )


@contextmanager
def _refusing(name: str) -> Iterator[None]:
    from jaxlib.mlir.ir import MLIRError

    try:
        with stderr_collected():
            yield
    except (*DAMAGE, MLIRError) as error:
        raise ModelLoadError(f"JAX refuses model {name}: {one_line(error)[:_LONGEST]}") from error


def _check_calls(lowered: Any, name: str) -> None:
    for each in operations(lowered.compiler_ir("stablehlo")):
        if each.name == "stablehlo.custom_call" and "python" in (target := str(each.attributes["call_target_name"])):
            raise ModelLoadError(
                f"model {name} calls back into Python ({target}), which an export cannot carry: leave callbacks out"
            )


def _compiled(lowered: Any, options: Mapping[str, object]) -> Any:
    try:
        return lowered.compile(compiler_options=dict(options))
    except RuntimeError as error:
        fewer = {option: value for option, value in options.items() if f"'{option}'" not in str(error)}
        if _UNKNOWN_OPTION not in str(error) or len(fewer) == len(options):
            raise
    return _compiled(lowered, fewer)


def _placements(exported: Any, inputs: Sequence[Tensor], devices: Sequence[Any], name: str) -> tuple[Any, ...]:
    jax = imported()
    if len(devices) == 1:
        return (jax.sharding.SingleDeviceSharding(devices[0]),) * len(inputs)
    batch, chips = (inputs[0].shape or (1,))[0], len(devices)
    if batch % chips:
        raise ModelLoadError(
            f"the batch of model {name} is {batch}, which {chips} chips cannot share: give a multiple of {chips}"
        )
    mesh = jax.sharding.Mesh(np.array(devices), ("batch",))
    shared, whole = (jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec(*axes)) for axes in (["batch"], []))
    free = [each.shape[0] for each in exported.in_avals if each.shape and not isinstance(each.shape[0], int)]
    lead = free[0] if free else batch
    return tuple(shared if each.shape[:1] == (lead,) else whole for each in exported.in_avals)


def _check_types(every: Sequence[Any], name: str) -> None:
    # half of a complex128 are 64 bits
    wide = sorted({each.dtype.name for each in every if each.dtype.name.endswith(("64", "128"))} - {"complex64"})
    if wide and not imported().config.jax_enable_x64:
        raise ModelLoadError(f"model {name} uses {wide[0]}, which JAX leaves out: set JAX_ENABLE_X64=1")


def _named(prefix: str, tree: Any, leaves: Sequence[Any]) -> list[tuple[str, Any]]:
    """Return leaves with where they stand, as args[0]['x'] or result."""
    util = imported().tree_util
    paths = [path for path, _ in util.tree_leaves_with_path(util.tree_unflatten(tree, list(range(len(leaves)))))]
    # inputs stand in the pair of arguments and named ones
    keys = [util.keystr(path[1:] if prefix == "args" else path) for path in paths]
    return [(f"{prefix}{key}", leaf) for key, leaf in zip(keys, leaves, strict=True)]


def _fixed(shape: tuple[Any, ...], path: str, name: str, batch: int) -> tuple[int, ...]:
    if any(not isinstance(size, int) for size in shape[1:]):
        raise ModelLoadError(
            f"input {path} of model {name} has the shape {_text(shape)}: fix all but the first when exporting it"
        )
    return tuple(size if isinstance(size, int) else batch for size in shape)


def _tensor(path: str, shape: tuple[int, ...], dtype: Any, name: str) -> Tensor:
    try:
        return Tensor(name=path, shape=shape, dtype=np.dtype(dtype).name)
    except TypeError as error:
        raise ModelLoadError(f"{path} of model {name} is of type {dtype}: export a function of plain arrays") from error


def _text(shape: Sequence[Any]) -> str:
    return f"({', '.join(map(str, shape))})"
