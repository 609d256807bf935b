"""Which operators an Edge TPU runs, and within which limits: a table of small rules.

The table is that of Coral, "TensorFlow models on the Edge TPU" (coral.ai/docs/edgetpu/models-intro: model requirements,
supported operations), with the limits of the newest runtime, 14. Coral names two limits without a number, which no rule
can hold: a reshape or a resize of a large tensor may stay on the processor. The rules were not held against the
compiler.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: The types that an Edge TPU computes with.
EIGHT_BITS = ("int8", "uint8")
_INNERMOST = 3
_MOST_SOFTMAX = 16_000
_DEPTH_STEP = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operand:
    """A tensor as an operator meets it: `index` names it in its model, `values` are those of a constant.

    `parameter_bytes` is the size of weights and biases, 0 of any other tensor. `free` says whether an axis has no size
    before the model is loaded, `state` whether its operator keeps it from run to run.
    """

    index: int
    shape: tuple[int, ...]
    dtype: str
    values: NDArray[Any] | None = None
    parameter_bytes: int = 0
    free: bool = False
    state: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operator:
    """An operator of a model, with the schema's names of its type and `options`; an input left out is None."""

    type: str
    reads: tuple[Operand | None, ...]
    writes: tuple[Operand, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    macs: int | None = None

    def moved(self) -> list[Operand]:
        """Return what it reads and writes that is neither a constant nor its own state."""
        every = [each for each in (*self.reads, *self.writes) if each is not None]
        return [each for each in every if each.values is None and not each.state]

    def integers(self, place: int) -> list[int]:
        """Return the whole numbers of the constant that it reads at a place; none where there is none."""
        operand = self.reads[place] if place < len(self.reads) else None
        return [] if operand is None or operand.values is None else [int(value) for value in operand.values.flat]


#: Why an operator stays on the processor; None where the rule has nothing against it.
Rule = Callable[[Operator], str | None]


def obstacle(operator: Operator) -> str | None:
    """Return why the Edge TPU does not run an operator by itself; None where it does.

    >>> x = Operand(index=0, shape=(1, 8), dtype="float32")
    >>> obstacle(Operator(type="LOGISTIC", reads=(x,), writes=(x,)))
    'works on float32, not on 8 bits'
    >>> obstacle(Operator(type="GATHER", reads=(x,), writes=(x,)))
    'the Edge TPU has no GATHER'
    """
    if operator.type not in SUPPORTED:
        return f"the Edge TPU has no {operator.type}"
    found = (rule(operator) for rule in (*SUPPORTED[operator.type], *_GENERAL))
    return next((reason for reason in found if reason), None)


def _eight_bits(operator: Operator) -> str | None:
    other = next((each.dtype for each in operator.moved() if each.dtype not in EIGHT_BITS), None)
    return f"works on {other}, not on 8 bits" if other else None


def _three_axes(operator: Operator) -> str | None:
    large = next((each.shape for each in operator.moved() if math.prod(each.shape[:-_INNERMOST]) > 1), None)
    return f"{_by(large)} has more than its 3 inner axes above 1" if large else None


def _no_fused_activation(operator: Operator) -> str | None:
    return "has a fused activation" if operator.options.get("fusedActivationFunction") else None


def _equal_dilation(operator: Operator) -> str | None:
    x, y = (operator.options.get(f"dilation{axis}Factor", 1) for axis in "WH")
    return f"dilates by {x} in x and by {y} in y" if x != y else None


def _zeros_alone(operator: Operator) -> str | None:
    constants = [each.values for each in operator.reads if each is not None and each.values is not None]
    if not constants or (len(operator.reads) == 2 and not np.any(constants[0])):  # noqa: PLR2004 Coral's number
        return None
    return "joins a constant that is not zeros beside one other input"


def _constant_weights(operator: Operator) -> str | None:
    weights = [each for each in operator.reads[1:3] if each is not None]
    return None if all(each.values is not None for each in weights) else "its weights are no constants"


def _default_weights(operator: Operator) -> str | None:
    return "has shuffled weights" if operator.options.get("weightsFormat") else None


def _one_row(operator: Operator) -> str | None:
    shape = operator.writes[0].shape
    return f"its output {_by(shape)} is no single row" if math.prod(shape[:-1]) > 1 else None


def _no_batch_reduced(operator: Operator) -> str | None:
    return "reduces the batch" if 0 in _axes(operator, operator.integers(1)) else None


def _depth_in_fours(operator: Operator) -> str | None:
    first = operator.reads[0]
    shape = first.shape if first is not None else ()
    depth = len(shape) - 1
    if depth not in _axes(operator, operator.integers(1)) or shape[depth] % _DEPTH_STEP == 0:
        return None
    return f"reduces a depth of {shape[depth]}, no multiple of {_DEPTH_STEP}"


def _no_batch_packed(operator: Operator) -> str | None:
    rank = len(operator.writes[0].shape)
    axis = int(operator.options.get("axis", 0)) % rank if rank else 0
    return "packs along the batch" if axis == 0 else None


def _no_batch_padded(operator: Operator) -> str | None:
    return "pads the batch" if any(operator.integers(1)[:2]) else None


def _no_batch_split(operator: Operator) -> str | None:
    whole = operator.reads[1] if len(operator.reads) > 1 else None
    rank = len(whole.shape) if whole is not None else 0
    return "splits the batch" if rank and 0 in {axis % rank for axis in operator.integers(0)} else None


def _alpha_by_channel(operator: Operator) -> str | None:
    alpha = operator.reads[1] if len(operator.reads) > 1 else None
    return "alpha is more than one row" if alpha is not None and math.prod(alpha.shape[:-1]) > 1 else None


def _constant_shape(operator: Operator) -> str | None:
    shape = operator.reads[1] if len(operator.reads) > 1 else None
    return "its shape is computed while the model runs" if shape is not None and shape.values is None else None


def _short_softmax(operator: Operator) -> str | None:
    elements = math.prod(operator.writes[0].shape)
    return f"{elements} elements are over {_MOST_SOFTMAX}" if elements > _MOST_SOFTMAX else None


def _unit_strides(operator: Operator) -> str | None:
    if any(stride != 1 for stride in operator.integers(3)):
        return "strides are not all 1"
    masked = operator.options.get("ellipsisMask") or operator.options.get("newAxisMask")
    return "has an ellipsis or a new axis" if masked else None


def _axes(operator: Operator, axes: list[int]) -> set[int]:
    first = operator.reads[0]
    rank = len(first.shape) if first is not None else 0
    return {axis % rank for axis in axes} if rank else set()


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


_GENERAL: tuple[Rule, ...] = (_eight_bits, _three_axes)
#: The operators that Coral lists, each with the limits that it names beside those of every operator.
SUPPORTED: dict[str, tuple[Rule, ...]] = {
    "ADD": (),
    "AVERAGE_POOL_2D": (_no_fused_activation,),
    "CONCATENATION": (_no_fused_activation, _zeros_alone),
    "CONV_2D": (_constant_weights, _equal_dilation),
    "DEPTHWISE_CONV_2D": (_constant_weights, _equal_dilation),
    "EXPAND_DIMS": (),
    "FULLY_CONNECTED": (_constant_weights, _default_weights, _one_row),
    "L2_NORMALIZATION": (),
    "LOGISTIC": (),
    "MAXIMUM": (),
    "MAX_POOL_2D": (_no_fused_activation,),
    "MEAN": (_no_batch_reduced, _depth_in_fours),
    "MINIMUM": (),
    "MUL": (),
    "PACK": (_no_batch_packed,),
    "PAD": (_no_batch_padded,),
    "PRELU": (_alpha_by_channel,),
    "QUANTIZE": (),
    "REDUCE_MAX": (_no_batch_reduced,),
    "REDUCE_MIN": (_no_batch_reduced,),
    "RELU": (),
    "RELU6": (),
    "RELU_N1_TO_1": (),
    "RESHAPE": (_constant_shape,),
    "RESIZE_BILINEAR": (),
    "RESIZE_NEAREST_NEIGHBOR": (),
    "RSQRT": (),
    "SLICE": (),
    "SOFTMAX": (_one_row, _short_softmax),
    "SPACE_TO_DEPTH": (),
    "SPLIT": (_no_batch_split,),
    "SQUARED_DIFFERENCE": (),
    "SQUEEZE": (),
    "STRIDED_SLICE": (_unit_strides,),
    "SUB": (),
    "SUM": (_no_batch_reduced,),
    "TANH": (),
    "TRANSPOSE": (),
    "TRANSPOSE_CONV": (),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (),
}
