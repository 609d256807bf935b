"""MobileNetV2 1.0 224 with zero weights: its graph as published, in the types that a test asks for.

M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, table 2.
"""

from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as tflite

from tests.inference._models import Graph

#: Expansion, channels, repeats and stride of each row of the table.
ROWS = (
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
)  # fmt: skip
CLASSES, SIZE = 1000, 224


class _Net:
    def __init__(self, dtype: str, *, free_batch: bool) -> None:
        self.graph, self.dtype, self.free_batch = Graph(), dtype, free_batch
        self.x = self.activation([1, SIZE, SIZE, 3])

    def activation(self, shape: Sequence[int]) -> int:
        signature = (-1, *shape[1:]) if self.free_batch else None
        return self.graph.tensor(f"t{len(self.graph._graph.tensors)}", list(shape), self.dtype, signature=signature)

    def weights(self, shape: Sequence[int], dtype: str | None = None) -> int:
        kind = dtype or self.dtype
        return self.graph.tensor(f"w{len(self.graph._graph.tensors)}", list(shape), kind, data=np.zeros(shape))

    def bias(self, n: int) -> int:
        return self.weights([n], "int32" if self.dtype == "int8" else None)

    def conv(self, into: int, size: int, depth: int, filters: int, *, kernel: int = 1, stride: int = 1) -> int:
        out = self.activation([1, size // stride, size // stride, filters])
        options = tflite.Conv2DOptionsT()
        options.strideW = options.strideH = stride
        reads = [into, self.weights([filters, kernel, kernel, depth]), self.bias(filters)]
        self.graph.op("CONV_2D", reads, [out], options)
        return out

    def depthwise(self, into: int, size: int, depth: int, *, stride: int) -> int:
        out = self.activation([1, size // stride, size // stride, depth])
        options = tflite.DepthwiseConv2DOptionsT()
        options.strideW, options.strideH, options.depthMultiplier = stride, stride, 1
        reads = [into, self.weights([1, 3, 3, depth]), self.bias(depth)]
        self.graph.op("DEPTHWISE_CONV_2D", reads, [out], options)
        return out

    def add(self, left: int, right: int, shape: Sequence[int]) -> int:
        out = self.activation(shape)
        self.graph.op("ADD", [left, right], [out], tflite.AddOptionsT())
        return out

    def computed_reshape(self, into: int, shape: Sequence[int]) -> int:
        """Reshape to a shape computed from that of the input, as a converter leaves it for a batch of any size."""
        tensor, constant = self.graph.tensor, self.weights([1], "int32")
        whole, batch, packed = tensor("shape", [2], "int32"), tensor("batch", [], "int32"), tensor("to", [2], "int32")
        self.graph.op("SHAPE", [into], [whole], tflite.ShapeOptionsT())
        self.graph.op("STRIDED_SLICE", [whole, constant, constant, constant], [batch], tflite.StridedSliceOptionsT())
        self.graph.op("PACK", [batch, self.weights([], "int32")], [packed], tflite.PackOptionsT())
        out = self.activation(shape)
        self.graph.op("RESHAPE", [into, packed], [out], tflite.ReshapeOptionsT())
        return out


def mobilenet_v2(dtype: str = "int8", *, free_batch: bool = False, odd_block: int | None = None) -> bytes:
    """Return the model's file; `odd_block` is the block whose output goes through a NEG, which no Edge TPU has."""
    net = _Net(dtype, free_batch=free_batch)
    size, depth = SIZE // 2, 32
    into = net.conv(net.x, SIZE, 3, depth, kernel=3, stride=2)
    blocks = [(t, c, s if n == 0 else 1) for t, c, repeats, s in ROWS for n in range(repeats)]
    for number, (expansion, channels, stride) in enumerate(blocks):
        wide = depth * expansion
        out = net.conv(into, size, depth, wide) if expansion > 1 else into
        out = net.depthwise(out, size, wide, stride=stride)
        size //= stride
        out = net.conv(out, size, wide, channels)
        if stride == 1 and channels == depth:
            out = net.add(into, out, [1, size, size, channels])
        if number == odd_block:
            odd = net.activation([1, size, size, channels])
            net.graph.op("NEG", [out], [odd], tflite.NegOptionsT())
            out = odd
        into, depth = out, channels
    into, depth = net.conv(into, size, depth, 1280), 1280
    pooled = net.activation([1, depth])
    axes = net.graph.tensor("axes", [2], "int32", data=np.array([1, 2]))
    net.graph.op("MEAN", [into, axes], [pooled], tflite.ReducerOptionsT())
    if free_batch:
        pooled = net.computed_reshape(pooled, [1, depth])
    logits, y = net.activation([1, CLASSES]), net.activation([1, CLASSES])
    reads = [pooled, net.weights([CLASSES, depth]), net.bias(CLASSES)]
    net.graph.op("FULLY_CONNECTED", reads, [logits], tflite.FullyConnectedOptionsT())
    net.graph.op("SOFTMAX", [logits], [y], tflite.SoftmaxOptionsT())
    return net.graph.content([net.x], [y])
