"""What a `.tflite` file says of its compilation for the Edge TPU, read from its bytes. Pure."""

import struct
from collections import Counter
from functools import cache
from typing import Any

#: The operator that edgetpu_compiler puts in the place of those that it compiled.
CUSTOM_OP = b"edgetpu-custom-op"

# what reading meets where an offset of a damaged file points at nothing
_DAMAGE = (AttributeError, IndexError, TypeError, ValueError, struct.error)


def placed(content: bytes) -> tuple[int, int]:
    """Return how many operators the file has, and how many of them are compiled for the Edge TPU.

    The file is one that a runtime has loaded: a damaged one raises whatever reading meets.

    >>> from tpukit.inference import read_model
    >>> placed(read_model("autoencoder_int8").content)
    (10, 0)
    """
    model = _model(content)
    codes = [model.OperatorCodes(at).CustomCode() for at in range(model.OperatorCodesLength())]
    graph = model.Subgraphs(0)
    used = Counter(codes[graph.Operators(at).OpcodeIndex()] for at in range(graph.OperatorsLength()))
    return used.total(), used[CUSTOM_OP]


def compiled_from(content: bytes, other: bytes) -> bool:
    """Return whether a file may be the compilation of another: it is compiled, the other is not, and both have the same
    inputs and outputs. False where either is no such file.

    >>> compiled_from(b"no model", b"no model")
    False
    """
    try:
        is_compiled = placed(content)[1] > 0 and placed(other)[1] == 0
        return is_compiled and _signature(content) == _signature(other)
    except _DAMAGE:
        return False


def _signature(content: bytes) -> list[tuple[list[int], int]]:
    """Return shape and type of each input, then of each output."""
    graph = _model(content).Subgraphs(0)
    tensors = [graph.Inputs(at) for at in range(graph.InputsLength())]
    tensors += [-1, *(graph.Outputs(at) for at in range(graph.OutputsLength()))]
    return [([], -1) if at < 0 else _tensor(graph.Tensors(at)) for at in tensors]


def _tensor(tensor: Any) -> tuple[list[int], int]:
    return [tensor.Shape(axis) for axis in range(tensor.ShapeLength())], tensor.Type()


def _model(content: bytes) -> Any:
    return _schema().Model.GetRootAs(content, 0)


@cache
def _schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated
