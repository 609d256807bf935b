"""Kernels that come near a processor's peaks: LiteRT's own, so that a model is compared with what it runs on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from tpukit.errors import DeviceError
from tpukit.inference._interpreter import open_interpreter, stderr_collected
from tpukit.inference._model import Model
from tpukit.inference._roofline import OPS_PER_MAC

Of = TypeVar("Of", str, int)

# (side, channels in, channels out) of pointwise convolutions: the fastest of 60 shapes tried for int8 and float32, on
# one thread and on two
_POINTWISE = ((22, 512, 512), (16, 512, 512), (14, 512, 512), (14, 256, 256))
# bytes copied from and to, together: from the first-level cache to beyond most last-level ones
_COPIED_BYTES = tuple(2**power for power in range(14, 27, 2))
# (width, layers) of products of one row: each layer's weights lie apart and are read once
_STREAMED = ((512, 1), (1024, 1), (2048, 1), (2048, 4), (2048, 16))
# so many bytes a call that the call itself costs less than 1 % of it
_CALL_BYTES = 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel(Generic[Of]):
    """Something to run: `of` is the type of its arithmetic, or the bytes of its working set.

    `amount` is how many operations it does, or how many bytes it reads and writes, in one run.
    """

    of: Of
    amount: int
    run: Callable[[], object]


class Kernels(Protocol):
    """What peaks are measured with; each kernel is ready to run with this number of threads."""

    def arithmetic(self, threads: int) -> Sequence[Kernel[str]]:
        """Return kernels that do as many operations per second as can be, by type."""

    def streams(self, threads: int) -> Sequence[Kernel[int]]:
        """Return kernels that read and write as many bytes per second as can be, by size of the working set."""


class LiteRTKernels:
    """Pointwise convolutions for arithmetic; NumPy's copy, on one thread, and products of one row for streams.

    A model reads its weights more than it copies, and the product does so on as many threads as the model has. Copying
    on threads of Python's was slower than on one of them, at each size up to 256 MB.
    """

    def arithmetic(self, threads: int) -> Sequence[Kernel[str]]:
        """Return the convolutions, each in int8 and float32."""
        return [_pointwise(dtype, shape, threads) for dtype in ("int8", "float32") for shape in _POINTWISE]

    def streams(self, threads: int) -> Sequence[Kernel[int]]:
        """Return the copies and the products."""
        copies = [_copy(working_set) for working_set in _COPIED_BYTES]
        return [*copies, *(_streamed(width, layers, threads) for width, layers in _STREAMED)]


def _pointwise(dtype: str, shape: tuple[int, int, int], threads: int) -> Kernel[str]:
    side, inputs, outputs = shape
    graph = _Graph(dtype)
    into = graph.tensor((1, side, side, inputs))
    weights = graph.constant((outputs, 1, 1, inputs), graph.buffer((outputs, inputs)))
    out = graph.tensor((1, side, side, outputs))
    graph.add("CONV_2D", [into, weights, graph.bias(outputs)], out)
    macs = side * side * inputs * outputs
    return Kernel(of=dtype, amount=OPS_PER_MAC * macs, run=_invoke(graph.content(into, out), threads))


def _streamed(width: int, layers: int, threads: int) -> Kernel[int]:
    graph = _Graph("int8")
    # one buffer of the file for all layers: XNNPACK copies the weights of each to a place of its own
    buffer = graph.buffer((width, width))
    into = last = graph.tensor((1, width))
    for _ in range(layers):
        out = graph.tensor((1, width))
        graph.add("FULLY_CONNECTED", [last, graph.constant((width, width), buffer), graph.bias(width)], out)
        last = out
    size_bytes = layers * width * width
    return Kernel(of=size_bytes, amount=size_bytes, run=_invoke(graph.content(into, last), threads))


def _copy(working_set: int) -> Kernel[int]:
    half, times = working_set // 2, max(1, _CALL_BYTES // working_set)
    source, target = (_again(np.ones(half, np.uint8), times) for _ in range(2))

    def run() -> None:
        np.copyto(target, source)

    return Kernel(of=working_set, amount=times * working_set, run=run)


def _again(array: NDArray[np.uint8], times: int) -> NDArray[np.void]:
    # one element as large as the array, `times` over at the same place: NumPy copies it so often in one call
    return np.lib.stride_tricks.as_strided(array.view(f"V{len(array)}"), (times,), (0,))


def _invoke(content: bytes, threads: int) -> Callable[[], object]:
    model = Model(name="a kernel of tpukit's own", content=content, sha256="")
    interpreter = open_interpreter(model, threads=threads, resolver="AUTO")
    try:
        with stderr_collected():
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise DeviceError(f"the processor's peak cannot be measured: {' '.join(str(error).split())}") from error
    (into,) = interpreter.get_input_details()
    # what the memory happens to hold may be numbers that are slow to compute with
    interpreter.set_tensor(into["index"], np.ones(into["shape"], into["dtype"]))
    invoke: Callable[[], object] = interpreter.invoke
    return invoke


class _Graph:
    """A TFLite model under construction, all of one type; quantised by one scale a tensor where that is int8."""

    def __init__(self, dtype: str) -> None:
        from ai_edge_litert import schema_py_generated as tflite

        self._tflite, self._dtype = tflite, dtype
        self._graph = tflite.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._buffers: list[Any] = [tflite.BufferT()]
        self._codes: list[Any] = []

    def buffer(self, shape: tuple[int, int]) -> int:
        """Return a new buffer of weights."""
        values = np.random.default_rng(0).integers(-127, 128, shape, np.int8).astype(self._dtype)
        return self._filled(values)

    def constant(self, shape: tuple[int, ...], buffer: int) -> int:
        """Return a new tensor of the weights in a buffer."""
        return self._tensor(shape, self._dtype, buffer, scale=1e-3)

    def bias(self, n: int) -> int:
        """Return a new tensor of `n` zeros, of the type that biases have."""
        dtype = "int32" if self._dtype == "int8" else self._dtype
        return self._tensor((n,), dtype, self._filled(np.zeros(n, dtype)), scale=1e-3)

    def tensor(self, shape: tuple[int, ...]) -> int:
        """Return a new tensor that is no constant."""
        return self._tensor(shape, self._dtype, 0, scale=1.0)

    def add(self, kind: str, reads: list[int], writes: int) -> None:
        """Add an operator of the schema's name `kind`."""
        code, operator = self._tflite.OperatorCodeT(), self._tflite.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self._tflite.BuiltinOperator, kind)
        code.version = 1
        operator.opcodeIndex = len(self._codes)
        operator.inputs, operator.outputs = np.array(reads, np.int32), np.array([writes], np.int32)
        name, options = self._options(kind)
        operator.builtinOptionsType = getattr(self._tflite.BuiltinOptions, name)
        operator.builtinOptions = options
        self._codes.append(code)
        self._graph.operators.append(operator)

    def content(self, into: int, out: int) -> bytes:
        """Return the bytes of the `.tflite` file."""
        import flatbuffers

        model = self._tflite.ModelT()
        model.version, model.buffers, model.operatorCodes, model.subgraphs = (
            3,
            self._buffers,
            self._codes,
            [self._graph],
        )
        self._graph.inputs, self._graph.outputs = np.array([into], np.int32), np.array([out], np.int32)
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _filled(self, values: NDArray[Any]) -> int:
        buffer = self._tflite.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self._buffers.append(buffer)
        return len(self._buffers) - 1

    def _tensor(self, shape: tuple[int, ...], dtype: str, buffer: int, *, scale: float) -> int:
        tensor = self._tflite.TensorT()
        tensor.name = f"t{len(self._graph.tensors)}".encode()
        tensor.shape, tensor.type, tensor.buffer = np.array(shape, np.int32), self._type(dtype), buffer
        if self._dtype == "int8":
            tensor.quantization = self._tflite.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _type(self, dtype: str) -> int:
        return int(getattr(self._tflite.TensorType, dtype.upper()))

    def _options(self, kind: str) -> tuple[str, Any]:
        if kind == "FULLY_CONNECTED":
            return "FullyConnectedOptions", self._tflite.FullyConnectedOptionsT()
        options = self._tflite.Conv2DOptionsT()
        options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
        return "Conv2DOptions", options
