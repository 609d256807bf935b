"""TFLite models written without TensorFlow, small enough to compute by hand."""

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as tflite
from numpy.typing import NDArray

_TYPES = {
    "float32": tflite.TensorType.FLOAT32,
    "int8": tflite.TensorType.INT8,
    "int16": tflite.TensorType.INT16,
    "int32": tflite.TensorType.INT32,
}


class Graph:
    """One subgraph under construction; `tensor` and `op` add to it, `content` packs it into a file's bytes."""

    def __init__(self) -> None:
        self._model = tflite.ModelT()
        self._model.version = 3
        self._model.buffers = [tflite.BufferT()]
        self._model.operatorCodes = []
        self._graph = tflite.SubGraphT()
        self._graph.name, self._graph.tensors, self._graph.operators = b"main", [], []
        self._model.subgraphs = [self._graph]

    def tensor(
        self,
        name: str,
        shape: list[int],
        dtype: str = "float32",
        *,
        data: NDArray[Any] | None = None,
        scale: tuple[float, int] | None = None,
        signature: tuple[int, ...] | None = None,
    ) -> int:
        """Add a tensor, a constant one with `data`, a quantised one with `scale` = (scale, zero point)."""
        tensor = tflite.TensorT()
        tensor.name, tensor.shape, tensor.type = name.encode(), np.array(shape, np.int32), _TYPES[dtype]
        tensor.shapeSignature = None if signature is None else np.array(signature, np.int32)
        tensor.buffer = 0 if data is None else self._buffer(data.astype(dtype))
        if scale:
            tensor.quantization = tflite.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale[0]], [scale[1]]
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def op(
        self, kind: str, reads: list[int], writes: list[int], options: Any = None, *, custom: str | None = None
    ) -> None:
        """Add an operator of the schema's name `kind`; `options` is its options object."""
        code = tflite.OperatorCodeT()
        code.builtinCode, code.version = getattr(tflite.BuiltinOperator, kind), 1
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.customCode = custom and custom.encode()
        operator = tflite.OperatorT()
        operator.opcodeIndex = len(self._model.operatorCodes)
        operator.inputs, operator.outputs = np.array(reads, np.int32), np.array(writes, np.int32)
        if options is not None:
            operator.builtinOptionsType = getattr(tflite.BuiltinOptions, type(options).__name__.removesuffix("T"))
            operator.builtinOptions = options
        self._model.operatorCodes.append(code)
        self._graph.operators.append(operator)

    def dense(self, name: str, into: int, weights: NDArray[Any], batch: int = 1) -> int:
        """Add a float32 product with `weights`, shape (outputs, inputs), and return the output."""
        constant = self.tensor(f"{name}_w", list(weights.shape), data=weights)
        out = self.tensor(name, [batch, len(weights)])
        self.op("FULLY_CONNECTED", [into, constant, -1], [out], tflite.FullyConnectedOptionsT())
        return out

    def content(self, inputs: list[int], outputs: list[int]) -> bytes:
        """Return the bytes of the `.tflite` file."""
        self._graph.inputs, self._graph.outputs = np.array(inputs, np.int32), np.array(outputs, np.int32)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _buffer(self, data: NDArray[Any]) -> int:
        buffer = tflite.BufferT()
        buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        return len(self._model.buffers) - 1


def identity(n: int = 4) -> bytes:
    """y = x, float32: the class of a sample is the place of its largest element."""
    graph = Graph()
    x = graph.tensor("x", [1, n])
    return graph.content([x], [graph.dense("y", x, np.eye(n))])


def dense(n: int = 8, m: int = 4, seed: int = 0, batch: int = 1) -> bytes:
    """y = W x, float32, W drawn by `seed`; the file has this batch."""
    graph = Graph()
    x = graph.tensor("x", [batch, n])
    return graph.content([x], [graph.dense("y", x, np.random.default_rng(seed).standard_normal((m, n)), batch)])


def quantised(n: int = 4) -> bytes:
    """y = x through int8: x is 0.5 a step around -10, y 1 a step around 0."""
    graph = Graph()
    x = graph.tensor("x", [1, n], "int8", scale=(0.5, -10))
    w = graph.tensor("w", [n, n], "int8", data=np.eye(n) * 100, scale=(0.01, 0))
    bias = graph.tensor("b", [n], "int32", data=np.zeros(n), scale=(0.005, 0))
    y = graph.tensor("y", [1, n], "int8", scale=(1.0, 0))
    graph.op("FULLY_CONNECTED", [x, w, bias], [y], tflite.FullyConnectedOptionsT())
    return graph.content([x], [y])


def two_by_two() -> bytes:
    """Two inputs of 4 and 6, two outputs of 3 and 2, each its own product."""
    graph, rng = Graph(), np.random.default_rng(1)
    a, b = graph.tensor("a", [1, 4]), graph.tensor("b", [1, 6])
    outputs = [graph.dense("p", a, rng.standard_normal((3, 4))), graph.dense("q", b, rng.standard_normal((2, 6)))]
    return graph.content([a, b], outputs)


def custom_op(code: str = "edgetpu-custom-op") -> bytes:
    """One operator that LiteRT does not have."""
    graph = Graph()
    x, y = graph.tensor("x", [1, 8]), graph.tensor("y", [1, 4])
    graph.op("CUSTOM", [x], [y], custom=code)
    return graph.content([x], [y])


def compiled(tpu_ops: int = 1, cpu_ops: int = 0) -> bytes:
    """What edgetpu_compiler makes of `quantised(4)`; `cpu_ops` are what it left to the processor."""
    graph = Graph()
    x = at = graph.tensor("x", [1, 4], "int8", scale=(0.5, -10))
    for place in range(tpu_ops + cpu_ops):
        y = graph.tensor(f"y{place}", [1, 4], "int8", scale=(1.0, 0))
        if place < tpu_ops:
            graph.op("CUSTOM", [at], [y], custom="edgetpu-custom-op")
        else:
            graph.op("RELU", [at], [y])
        at = y
    return graph.content([x], [at])


def reshaped(shape: tuple[int, ...] = (1, 8)) -> bytes:
    """x of shape (1, 8) in another shape: (1, 8) refuses another batch, (1, -1) flattens it."""
    graph = Graph()
    x = graph.tensor("x", [1, 8])
    constant = graph.tensor("shape", [len(shape)], "int32", data=np.array(shape))
    y = graph.tensor("y", [1, 8])
    options = tflite.ReshapeOptionsT()
    options.newShape = np.array(shape, np.int32)
    graph.op("RESHAPE", [x, constant], [y], options)
    return graph.content([x], [y])


def summed_over_batch() -> bytes:
    """y is the running sum over the rows of a batch: x itself where there is one row."""
    graph = Graph()
    x = graph.tensor("x", [1, 8])
    axis = graph.tensor("axis", [], "int32", data=np.array(0))
    y = graph.tensor("y", [1, 8])
    graph.op("CUMSUM", [x, axis], [y], tflite.CumsumOptionsT())
    return graph.content([x], [y])


def negated(shape: tuple[int, ...] = (), signature: tuple[int, ...] | None = None) -> bytes:
    """y = -x, float32; `signature` says with -1 which axes of the shape are free, without a shape x is one number."""
    graph = Graph()
    x, y = graph.tensor("x", list(shape), signature=signature), graph.tensor("y", list(shape), signature=signature)
    graph.op("NEG", [x], [y], tflite.NegOptionsT())
    return graph.content([x], [y])
