"""One subgraph of a model's file: its operators, with what each computes, reads and writes."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpukit.inference._mapping_rules import Operand, Operator
from tpukit.inference._roofline import OPS_PER_MAC

_BITS = {
    "FLOAT64": 64, "INT64": 64, "UINT64": 64, "COMPLEX64": 64, "COMPLEX128": 128, "FLOAT32": 32, "INT32": 32,
    "UINT32": 32, "FLOAT16": 16, "BFLOAT16": 16, "INT16": 16, "UINT16": 16, "INT8": 8, "UINT8": 8, "BOOL": 8,
    "INT4": 4, "INT2": 2,
}  # fmt: skip
_NUMPY = {"INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64}


class Graph:
    """One subgraph of a model's flatbuffer."""

    def __init__(self, name: str, flat: Any, subgraph: Any) -> None:
        self._name, self._flat, self._graph = name, flat, subgraph
        self._constants = {index for index in range(len(self._graph.tensors)) if self._is_constant(index)}

    def rows(self) -> list[dict[str, Any]]:
        """Return the OPS records, in order of execution, without what is predicted of them."""
        return [self._row(place, op) for place, op in enumerate(self._operators())]

    def operators(self) -> list[Operator]:
        """Return the operators, in order of execution."""
        return [self._operator(op) for op in self._operators()]

    def parameters(self) -> dict[int, tuple[int, int]]:
        """Return elements and bytes of the weights and biases, all constants but the shaping ones, by their buffer."""
        shaping = {index for op in self._operators() for index in self._shaping(op)}
        return {
            self._graph.tensors[index].buffer: (math.prod(self.shape(index)), self.size_bytes(index))
            for index in sorted(self._constants - shaping)
        }

    def shape(self, index: int) -> tuple[int, ...]:
        """Return the shape of a tensor; () for a scalar."""
        shape = self._graph.tensors[index].shape
        return () if shape is None else tuple(int(size) for size in shape)

    def size_bytes(self, index: int) -> int:
        """Return the bytes of a tensor; 0 for types without a fixed size."""
        return math.prod(self.shape(index)) * _BITS.get(self._dtype(index), 0) // 8

    def _operators(self) -> list[Any]:
        return _listed(self._graph.operators)

    def _shaping(self, op: Any) -> list[int]:
        # by place in the operator's own list, in which -1 keeps the place of an input that was left out
        places = _SHAPING.get(self._type(op), ())
        return [int(index) for place, index in enumerate(_listed(op.inputs)) if place in places]

    def _row(self, place: int, op: Any) -> dict[str, Any]:
        reads, writes = _indices(op.inputs), _indices(op.outputs)
        constants = [index for index in reads if index in self._constants]
        moved = [index for index in reads + writes if index not in self._constants]
        macs, constant_bytes, moved_bytes = self._macs(op, reads, writes), self._bytes(constants), self._bytes(moved)
        all_bytes = constant_bytes + moved_bytes
        return {
            "model": self._name,
            "op": place,
            "type": self._type(op),
            "shape": "x".join(map(str, self.shape(writes[0]))) if writes else None,
            "dtype": self._dtype(writes[0]).lower() if writes else None,
            "macs": macs,
            "parameters": sum(math.prod(self.shape(index)) for index in constants),
            "parameter_bytes": constant_bytes,
            "activation_bytes": moved_bytes,
            "moved_bytes": all_bytes,
            "intensity": math.nan if macs is None or not all_bytes else OPS_PER_MAC * macs / all_bytes,
        }

    def _operator(self, op: Any) -> Operator:
        shaping = set(self._shaping(op))
        return Operator(
            type=self._type(op),
            reads=tuple(self._operand(int(index), shaping) if index >= 0 else None for index in _listed(op.inputs)),
            writes=tuple(self._operand(index, shaping) for index in _indices(op.outputs)),
            options=vars(op.builtinOptions) if op.builtinOptions is not None else {},
            macs=self._macs(op, _indices(op.inputs), _indices(op.outputs)),
        )

    def _operand(self, index: int, shaping: set[int]) -> Operand:
        tensor, constant = self._graph.tensors[index], index in self._constants
        return Operand(
            index=index,
            shape=self.shape(index),
            dtype=self._dtype(index).lower(),
            values=self._values(index) if constant else None,
            parameter_bytes=self.size_bytes(index) if constant and index not in shaping else 0,
            free=any(size < 0 for size in _listed(tensor.shapeSignature)),
            state=bool(tensor.isVariable),
        )

    def _values(self, index: int) -> NDArray[Any]:
        """Return a constant's numbers, in whatever shape; its bytes where the type has none in NumPy."""
        data = np.asarray(self._flat.buffers[self._graph.tensors[index].buffer].data, dtype=np.uint8)
        return data.view(_NUMPY.get(self._dtype(index), np.uint8))

    def _bytes(self, indices: list[int]) -> int:
        return sum(self.size_bytes(index) for index in indices)

    def _type(self, op: Any) -> str:
        code = self._flat.operatorCodes[op.opcodeIndex]
        # models older than schema 3a hold the code in the one-byte field alone
        name = _names("BuiltinOperator")[max(code.builtinCode, code.deprecatedBuiltinCode)]
        return f"CUSTOM:{code.customCode.decode()}" if name == "CUSTOM" else name

    def _dtype(self, index: int) -> str:
        return _names("TensorType")[self._graph.tensors[index].type]

    def _is_constant(self, index: int) -> bool:
        data = self._flat.buffers[self._graph.tensors[index].buffer].data
        return data is not None and len(data) > 0

    def _macs(self, op: Any, reads: list[int], writes: list[int]) -> int | None:
        kind = self._type(op)
        if kind.startswith("CUSTOM") or kind in _UNKNOWN_MACS:
            return None
        depth = _DEPTH.get(kind)
        if depth is None:
            return 0
        elements = math.prod(self.shape(reads[2] if kind == "TRANSPOSE_CONV" else writes[0]))
        shapes = [self.shape(index) for index in reads]
        if getattr(op.builtinOptions, "adjX", False):
            shapes[0] = (*shapes[0][:-2], shapes[0][-1], shapes[0][-2])  # BATCH_MATMUL of the transposed left side
        return elements * depth(shapes)


#: Multiply-accumulates for each output element (each input element of a transposed convolution), from input shapes.
_DEPTH: dict[str, Callable[[list[tuple[int, ...]]], int]] = {
    "CONV_2D": lambda shapes: math.prod(shapes[1][1:]),
    "CONV_3D": lambda shapes: math.prod(shapes[1][:-1]),
    "DEPTHWISE_CONV_2D": lambda shapes: math.prod(shapes[1][1:3]),
    "FULLY_CONNECTED": lambda shapes: shapes[1][-1],
    "BATCH_MATMUL": lambda shapes: shapes[0][-1],
    "TRANSPOSE_CONV": lambda shapes: math.prod(shapes[1][:3]),
}
#: The places of the inputs that say how to arrange the others: axes, paddings, shapes, indices, counts.
_SHAPING: dict[str, tuple[int, ...]] = {
    "ARG_MAX": (1,), "ARG_MIN": (1,), "BATCH_TO_SPACE_ND": (1, 2), "BROADCAST_ARGS": (0, 1), "BROADCAST_TO": (1,),
    "CONV_3D_TRANSPOSE": (0,), "CUMSUM": (1,), "DILATE": (1, 2), "DYNAMIC_UPDATE_SLICE": (2,), "EMBEDDING_LOOKUP": (0,),
    "EXPAND_DIMS": (1,), "FILL": (0,), "GATHER": (1,), "GATHER_ND": (1,), "MEAN": (1,), "MIRROR_PAD": (1,),
    "MULTINOMIAL": (1,), "ONE_HOT": (0, 1), "PAD": (1,), "PADV2": (1, 2), "RANDOM_STANDARD_NORMAL": (0,),
    "RANDOM_UNIFORM": (0,), "RANGE": (0, 1, 2), "REDUCE_ALL": (1,), "REDUCE_ANY": (1,), "REDUCE_MAX": (1,),
    "REDUCE_MIN": (1,), "REDUCE_PROD": (1,), "RESHAPE": (1,), "RESIZE_BILINEAR": (1,), "RESIZE_NEAREST_NEIGHBOR": (1,),
    "REVERSE_SEQUENCE": (1,), "REVERSE_V2": (1,), "RFFT2D": (1,), "SCATTER_ND": (0, 2), "SEGMENT_SUM": (1,),
    "SLICE": (1, 2), "SPACE_TO_BATCH_ND": (1, 2), "SPARSE_TO_DENSE": (0, 1), "SPLIT": (0,), "SPLIT_V": (1, 2),
    "STRIDED_SLICE": (1, 2, 3), "SUM": (1,), "TILE": (1,), "TOPK_V2": (1,), "TRANSPOSE": (1,), "TRANSPOSE_CONV": (0,),
    "UNSORTED_SEGMENT_MAX": (1, 2), "UNSORTED_SEGMENT_MIN": (1, 2), "UNSORTED_SEGMENT_PROD": (1, 2),
    "UNSORTED_SEGMENT_SUM": (1, 2),
}  # fmt: skip
_UNKNOWN_MACS = frozenset(
    {
        "BIDIRECTIONAL_SEQUENCE_LSTM", "BIDIRECTIONAL_SEQUENCE_RNN", "CALL", "CONV_3D_TRANSPOSE", "DELEGATE", "IF",
        "LSTM", "RNN", "STABLEHLO_COMPOSITE", "STABLEHLO_CONVOLUTION", "STABLEHLO_DOT_GENERAL", "SVDF",
        "UNIDIRECTIONAL_SEQUENCE_LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN", "WHILE",
    }
)  # fmt: skip


def _indices(vector: Any) -> list[int]:
    # -1 stands for an optional input that was left out
    return [int(index) for index in _listed(vector) if index >= 0]


def _listed(vector: Any) -> list[Any]:
    return [] if vector is None else list(vector)  # one without elements may be absent


@cache
def _names(enumeration: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as tflite

    members = vars(getattr(tflite, enumeration))
    return {value: name for name, value in members.items() if not name.startswith("_")}
