"""The mapping of a model to an Edge TPU in sentences: what is mapped, what ends it, what to do."""

import math
from collections import Counter
from collections.abc import Sequence

from tpukit.inference._mapping import ON_CHIP_BYTES, EdgeTPUMapping
from tpukit.inference._mapping_rules import EIGHT_BITS, Operator

# what a converter leaves of a batch whose size it does not know
_OF_FREE_BATCH = ("SHAPE", "STRIDED_SLICE", "PACK")
_MIB = 2**20


def mapping_notes(operators: Sequence[Operator], mapping: EdgeTPUMapping) -> tuple[str, ...]:
    """Return what is to be said of a prediction: how much is mapped, where it ends and why, the memory, the remedy.

    >>> from tpukit.inference._mapping import predict_mapping
    >>> from tpukit.inference._mapping_rules import Operand
    >>> x, y = (Operand(index=at, shape=(1, 8), dtype="int8") for at in range(2))
    >>> operators = [Operator(type="LOGISTIC", reads=(x,), writes=(y,))]
    >>> mapping_notes(operators, predict_mapping(operators))
    ('Edge TPU, predicted: 1 of 1 operator mapped.',)
    """
    if mapping.compiled:
        return (_compiled(mapping),)
    said = [_how_much(mapping), _not_quantised(operators, mapping), _end(operators, mapping), _memory(mapping)]
    return tuple(sentence for sentence in (*said, _free_batch(operators)) if sentence)


def _compiled(mapping: EdgeTPUMapping) -> str:
    there = sum(mapping.mapped)
    return (
        f"Compiled for the Edge TPU: {there} of {_operators(len(mapping.mapped))} {'is' if there == 1 else 'are'} "
        "edgetpu-custom-op, in which nothing can be counted. Inspect the file that it was compiled from."
    )


def _how_much(mapping: EdgeTPUMapping) -> str:
    share = mapping.macs_share
    of_macs = "" if share is None else f", with {_percent(share)} of the multiply-accumulates"
    return f"Edge TPU, predicted: {sum(mapping.mapped)} of {_operators(len(mapping.mapped))} mapped{of_macs}."


def _not_quantised(operators: Sequence[Operator], mapping: EdgeTPUMapping) -> str:
    moved = Counter(operand.dtype for operator in operators for operand in operator.moved())
    dtype, _ = max(moved.items(), key=lambda item: item[1], default=("int8", 0))
    if any(mapping.mapped) or dtype in EIGHT_BITS:
        return ""
    read = [each for operator in operators for each in operator.reads if each is not None]
    weights = any(each.parameter_bytes and each.dtype in EIGHT_BITS for each in read)
    quantised = "Only its weights are quantised" if weights else "It is not quantised"
    return (
        f"{quantised}: it works on {dtype}, and an Edge TPU computes with 8-bit integers alone. Convert it with full "
        "integer quantisation (a representative data set, TFLITE_BUILTINS_INT8)."
    )


def _end(operators: Sequence[Operator], mapping: EdgeTPUMapping) -> str:
    at = mapping.first_break
    if at is None:
        return ""
    n = mapping.waiting
    after = f"; {_operators(n)} that it could run come{'s' if n == 1 else ''} after" if n else ""
    return f"Op {at} {operators[at].type} ends the subgraph: {mapping.reasons[at]}{after}."


def _memory(mapping: EdgeTPUMapping) -> str:
    if not mapping.parameter_bytes:
        return ""
    parameters = f"{_size(mapping.parameter_bytes)} of parameters"
    if not mapping.streamed_bytes:
        return f"Its {parameters} fit in about {_size(ON_CHIP_BYTES)} on the chip."
    kept, streamed = mapping.parameter_bytes - mapping.streamed_bytes, mapping.streamed_bytes
    return (
        f"Of its {parameters} about {_size(kept)} stay on the chip; the host sends the other {_size(streamed)} in "
        "every inference."
    )


def _free_batch(operators: Sequence[Operator]) -> str:
    if not any(operand.free for operator in operators for operand in operator.moved()):
        return ""
    left = [kind for kind in _OF_FREE_BATCH if any(operator.type == kind for operator in operators)]
    leaves = f", which leaves {', '.join(left)} in the graph" if "SHAPE" in left else ""
    return (
        f"Trap: a size is free (-1 in a shape signature){leaves}; the Edge TPU's compiler may refuse tensors of "
        "unknown size. Fix the batch when converting: keras.Input(batch_shape=(1, …))."
    )


def _operators(n: int) -> str:
    return f"{n} operator{'' if n == 1 else 's'}"


def _size(n: int) -> str:
    # in the compiler's units, to be compared with its log
    return f"{n / _MIB:.3g} MiB" if n >= _MIB else f"{n / 2**10:.3g} KiB"


def _percent(share: float) -> str:
    # never rounded up: a share that is almost all is not all
    return f"{math.floor(share * 1000) / 10:g} %"
