"""What a model's file says of where it can run."""

import struct
from collections.abc import Iterator
from typing import Any

from tpukit.doctor._facts import ModelFacts
from tpukit.errors import DeviceError
from tpukit.inference import Model, inspect_model

EDGE_TPU_OP = "edgetpu-custom-op"
_FLOATS = frozenset({"float16", "float32", "float64", "bfloat16"})
# these only stand at the border between types
_BORDERS = frozenset({"DEQUANTIZE", "QUANTIZE"})
# what reading meets where bytes are not the flatbuffer that they are taken for
_DAMAGE = (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error)
_PACKAGE = b"DWN1"


def seen_model(model: Model) -> ModelFacts:
    """Return what can be seen of a model; that it is damaged, or LiteRT too, is a fact and raises nothing."""
    if model.format == "jax":
        return ModelFacts(name=model.name, jax=True)
    try:
        ops = inspect_model(model).ops
        flat = _flat(model)
        packages, free = list(_packages(flat)), tuple(_free(flat))
    except DeviceError as error:
        return ModelFacts(name=model.name, damage=str(error))
    except _DAMAGE as error:  # what LiteRT does not look at, such as which tensors are inputs
        return ModelFacts(name=model.name, damage=f"model {model.name} is damaged: {error}")
    floats = ops["dtype"].isin(_FLOATS) & ~ops["type"].isin(_BORDERS) & ~ops["type"].str.startswith("CUSTOM:")
    return ModelFacts(
        name=model.name,
        ops=len(ops),
        compiled=len(packages),
        min_runtime=max(map(min_runtime_version, packages), default=0),
        floats=int(floats.sum()),
        free=free,
    )


def min_runtime_version(options: bytes) -> int:
    """Return the runtime version that an edgetpu-custom-op asks for, from its custom options; 0 where it tells none.

    The options are a FlexBuffer map whose key "4" holds a flatbuffer Package, whose first field it is (libedgetpu,
    tflite/custom_op_data.cc and executable/executable.fbs).

    >>> min_runtime_version(b"")
    0
    """
    from flatbuffers import flexbuffers, number_types, table

    try:
        package = bytes(flexbuffers.GetRoot(bytearray(options)).AsMap["4"].AsStringBytes)
        if package[4:8] != _PACKAGE:
            return 0
        root = table.Table(package, struct.unpack_from("<I", package)[0])
        field = root.Offset(4)
        return int(root.Get(number_types.Int32Flags, root.Pos + field)) if field else 0
    except _DAMAGE:
        return 0


def _flat(model: Model) -> Any:
    from ai_edge_litert import schema_py_generated as tflite

    return tflite.ModelT.InitFromPackedBuf(model.content, 0)


def _packages(flat: Any) -> Iterator[bytes]:
    """Yield the custom options of each edgetpu-custom-op."""
    for op in flat.subgraphs[0].operators:
        if (flat.operatorCodes[op.opcodeIndex].customCode or b"").decode(errors="replace") == EDGE_TPU_OP:
            yield b"" if op.customOptions is None else bytes(op.customOptions)


def _free(flat: Any) -> Iterator[str]:
    graph = flat.subgraphs[0]
    for index in graph.inputs:
        tensor = graph.tensors[index]
        shape = tensor.shape if tensor.shapeSignature is None else tensor.shapeSignature
        sizes = [] if shape is None else [int(size) for size in shape]
        if -1 in sizes:
            yield f"{tensor.name.decode(errors='replace')} ({', '.join(map(str, sizes))})"
