"""Which operator of a model took how long: read from the events of LiteRT's profiler.

An operator that the interpreter runs itself is named by its place. What XNNPACK runs is named by kernels alone, in the
order of execution: several operators may share a kernel, one may need several, and a pointwise convolution is a product
of matrices. So both orders are matched as far as they can be, and an operator has a time only where no way to do so
gives it another kernel.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

_INTERPRETER, _DELEGATE = 1 << 1, 1 << 3  # of LiteRT's enumeration LiteRtProfilerEventType
_US_PER_S = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that LiteRT's profiler saw in one inference, with the names of its C struct.

    `type` tells what it is, `node` which operator (of the graph, or of a delegate's own count), `subgraph` where.
    """

    tag: str
    type: int
    node: int
    subgraph: int
    elapsed_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpTimes:
    """The time of each operator in order of execution, in seconds; NaN where it is not known, and `reason` says why.

    `kernels_s` is the time of everything that was timed, also of what belongs to no single operator. All are medians
    over `runs` inferences. LiteRT counts whole microseconds, cut off: a time is up to 1 µs more than stated, and one
    below that is not known.
    """

    seconds: tuple[float, ...]
    kernels_s: float
    runs: int
    reason: str | None


def not_timed(operators: int, reason: str) -> OpTimes:
    """Return the times of so many operators of which none was measured.

    >>> not_timed(2, "LiteRT is not installed").seconds
    (nan, nan)
    """
    return OpTimes(seconds=(math.nan,) * operators, kernels_s=math.nan, runs=0, reason=reason)


def op_times(types: Sequence[str], runs: Sequence[Sequence[Event]]) -> OpTimes:
    """Return the times of operators, given their types in order of execution and the events of each inference.

    >>> softmax = Event(tag="SOFTMAX", type=2, node=1, subgraph=0, elapsed_us=3)
    >>> product = Event(tag="Fully Connected (NC, F32) GEMM", type=8, node=0, subgraph=0, elapsed_us=40)
    >>> op_times(["FULLY_CONNECTED", "SOFTMAX"], [[product, softmax]]).seconds
    (4e-05, 3e-06)
    """
    timed = [[event for event in events if _is_timed(event, types)] for events in runs]
    if not timed or not timed[0]:
        return not_timed(len(types), "LiteRT's profiler saw no operator")
    names = [_name(event) for event in timed[0]]
    if any([_name(event) for event in events] != names for events in timed):
        return not_timed(len(types), "LiteRT ran other kernels in one inference than in the next")
    elapsed = [[event.elapsed_us for event in events] for events in timed]
    medians = [median(each) for each in zip(*elapsed, strict=True)]
    found = {place: medians[kernel] for kernel, place in _places(types, timed[0]).items()}
    return OpTimes(
        seconds=tuple(found[place] / _US_PER_S if found.get(place) else math.nan for place in range(len(types))),
        kernels_s=median(map(sum, elapsed)) / _US_PER_S,
        runs=len(timed),
        reason=_without_time(len(types) - len(found), list(found.values()).count(0)),
    )


def _is_timed(event: Event, types: Sequence[str]) -> bool:
    return event.type == _DELEGATE or _is_operator(event, types)


def _is_operator(event: Event, types: Sequence[str]) -> bool:
    # a delegate's whole part counts as a node after the last operator, with a tag of its own
    own = event.type == _INTERPRETER and event.subgraph == 0 and event.node < len(types)
    return own and types[event.node].removeprefix("CUSTOM:") == event.tag


def _name(event: Event) -> tuple[str, int, int]:
    return event.tag, event.type, event.node


def _places(types: Sequence[str], events: Sequence[Event]) -> dict[int, int]:
    """Return the place of the operator that each event is of, where that is certain."""
    certain = {at: event.node for at, event in enumerate(events) if _is_operator(event, types)}
    kernels = [at for at in range(len(events)) if at not in certain]
    places = [place for place in range(len(types)) if place not in certain.values()]
    fits = [[_fits(events[at].tag, types[place]) for place in places] for at in kernels]
    return certain | {kernels[row]: places[column] for row, column in _forced(fits)}


def _fits(tag: str, kind: str) -> bool:
    return kind in _KERNELS.get(tag.partition(" (")[0], ())


def _forced(fits: Sequence[Sequence[bool]]) -> list[tuple[int, int]]:
    """Return the pairs of row and column that are in a longest common order, where none pairs either with another."""
    rows, columns = len(fits), len(fits[0]) if fits else 0
    after = _longest(fits)
    before = _longest([row[::-1] for row in fits[::-1]])  # and both its ends turned
    in_some = [
        (row, column)
        for row in range(rows)
        for column in range(columns)
        if fits[row][column] and before[rows - row][columns - column] + 1 + after[row + 1][column + 1] == after[0][0]
    ]
    by_row, by_column = Counter(row for row, _ in in_some), Counter(column for _, column in in_some)
    return [(row, column) for row, column in in_some if by_row[row] == by_column[column] == 1]


def _longest(fits: Sequence[Sequence[bool]]) -> list[list[int]]:
    """Return the length of the longest common order of what is left from each row and column on."""
    rows, columns = len(fits), len(fits[0]) if fits else 0
    length = [[0] * (columns + 1) for _ in range(rows + 1)]
    for row in reversed(range(rows)):
        for column in reversed(range(columns)):
            length[row][column] = max(
                fits[row][column] + length[row + 1][column + 1], length[row + 1][column], length[row][column + 1]
            )
    return length


def _without_time(unmatched: int, short: int) -> str | None:
    said = []
    if unmatched:
        said.append(f"{_operators(unmatched, 'has', 'have')} no kernel of XNNPACK alone")
    if short:
        said.append(f"{_operators(short, 'takes', 'take')} less than the 1 µs that LiteRT's profiler counts in")
    return "; ".join(said) or None


def _operators(n: int, singular: str, plural: str) -> str:
    return f"1 operator {singular}" if n == 1 else f"{n} operators {plural}"


#: The types of operators that each of XNNPACK's kernels can be, by the kernel's name without layout and type.
_KERNELS: dict[str, tuple[str, ...]] = {
    "Abs": ("ABS",),
    "Add": ("ADD",),
    "Average Pooling": ("AVERAGE_POOL_2D", "MEAN"),
    "Batch Matrix Multiply": ("BATCH_MATMUL",),
    "Ceiling": ("CEIL",),
    "Clamp": ("RELU", "RELU6", "RELU_N1_TO_1"),
    "Constant Pad": ("PAD", "PADV2"),
    "Convert": ("QUANTIZE", "DEQUANTIZE", "CAST"),
    "Convolution": ("CONV_2D", "DEPTHWISE_CONV_2D"),
    "Copy": ("RESHAPE", "EXPAND_DIMS", "SQUEEZE", "CONCATENATION", "SPLIT"),
    "Deconvolution": ("TRANSPOSE_CONV",),
    "Depth To Space": ("DEPTH_TO_SPACE",),
    "Divide": ("DIV",),
    "Dynamic Fully Connected": ("FULLY_CONNECTED", "BATCH_MATMUL"),
    "ELU": ("ELU",),
    "Exp": ("EXP",),
    "Floor": ("FLOOR",),
    "Fully Connected": ("FULLY_CONNECTED", "CONV_2D", "BATCH_MATMUL"),
    "GELU": ("GELU",),
    "HardSwish": ("HARD_SWISH",),
    "LeakyReLU": ("LEAKY_RELU",),
    "Log": ("LOG",),
    "Max Pooling": ("MAX_POOL_2D",),
    "Maximum": ("MAXIMUM",),
    "Mean": ("MEAN", "AVERAGE_POOL_2D"),
    "Minimum": ("MINIMUM",),
    "Multiply": ("MUL",),
    "Negate": ("NEG",),
    "PReLU": ("PRELU",),
    "Reciprocal Square Root": ("RSQRT",),
    "Reduce Max": ("REDUCE_MAX",),
    "Reduce Min": ("REDUCE_MIN",),
    "Resize Bilinear": ("RESIZE_BILINEAR",),
    "Sigmoid": ("LOGISTIC",),
    "Slice": ("SLICE", "STRIDED_SLICE", "SPLIT"),
    "Softmax": ("SOFTMAX",),
    "Space To Depth": ("SPACE_TO_DEPTH",),
    "Square": ("SQUARE",),
    "Square Root": ("SQRT",),
    "Squared Difference": ("SQUARED_DIFFERENCE",),
    "Static Expand Dims": ("EXPAND_DIMS",),
    "Static Reshape": ("RESHAPE", "EXPAND_DIMS", "SQUEEZE"),
    "Subtract": ("SUB",),
    "Sum": ("SUM",),
    "TanH": ("TANH",),
    "Transpose": ("TRANSPOSE",),
}
