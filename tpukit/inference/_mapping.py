"""What of a model an Edge TPU would run: predicted from its operators, until a compiler's log tells.

The compiler makes one subgraph: the first set of operators that it supports and whose inputs are there, found as TFLite
parts a graph for a delegate (tensorflow/lite/graph_info.cc). What waits for an operator outside of it stays on the
processor too. That is unproven: it agrees with logs that people published, and was not held against the compiler.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tpukit.inference._compiled import CUSTOM_OP
from tpukit.inference._mapping_rules import Operator, obstacle

#: The operator that stands for what was compiled for the Edge TPU.
COMPILED_OP = f"CUSTOM:{CUSTOM_OP.decode()}"
#: What an Edge TPU has for parameters: "roughly 8 MB" of SRAM (coral.ai/docs/edgetpu/compiler), of which the compiler
#: reports up to 8.05 MiB as free.
ON_CHIP_BYTES = 8 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTPUMapping:
    """The prediction: for each operator whether it is mapped, and why not; both in order of execution.

    `first_break` is the place of the first operator that ends the Edge TPU's subgraph, None where nothing does;
    `waiting` operators could run there but for such ends.
    `macs_share` is the share of multiply-accumulates that is mapped, None where they are none or not known.
    `parameter_bytes` are those of the mapped operators, `streamed_bytes` what of them has no room on the chip.
    `compiled` says that the model was compiled for the Edge TPU already: then `mapped` is a fact, and what the compiled
    operators hold is not known.
    """

    mapped: tuple[bool, ...]
    reasons: tuple[str | None, ...]
    first_break: int | None
    waiting: int
    macs_share: float | None
    parameter_bytes: int
    streamed_bytes: int
    compiled: bool = False


def predict_mapping(operators: Sequence[Operator], *, on_chip_bytes: int = ON_CHIP_BYTES) -> EdgeTPUMapping:
    """Return what the Edge TPU's compiler would map of these operators, given in order of execution.

    >>> from tpukit.inference._mapping_rules import Operand
    >>> x, y, z = (Operand(index=at, shape=(1, 8), dtype="int8") for at in range(3))
    >>> first = Operator(type="LOGISTIC", reads=(x,), writes=(y,))
    >>> found = predict_mapping([first, Operator(type="ELU", reads=(y,), writes=(z,))])
    >>> found.mapped, found.reasons, found.first_break
    ((True, False), (None, 'the Edge TPU has no ELU'), 1)
    """
    if any(each.type == COMPILED_OP for each in operators):
        return _of_compiled(operators)
    obstacles = [obstacle(each) for each in operators]
    placed = _placed(operators, [reason is None for reason in obstacles])
    mapped = tuple(place and reason is None for place, reason in zip(placed, obstacles, strict=True))
    reasons, ends = _reasons(operators, obstacles, placed)
    parameter_bytes = _parameter_bytes([each for each, there in zip(operators, mapped, strict=True) if there])
    return EdgeTPUMapping(
        mapped=mapped,
        reasons=reasons,
        first_break=min(ends, default=None),
        waiting=placed.count(False) - len(ends),
        macs_share=_macs_share(operators, mapped),
        parameter_bytes=parameter_bytes,
        streamed_bytes=max(0, parameter_bytes - on_chip_bytes),
    )


def _placed(operators: Sequence[Operator], supported: Sequence[bool]) -> list[bool]:
    """Whether each operator is in the first subgraph, or runs on the processor before it."""
    pending = {operand.index for each in operators for operand in each.writes}
    placed = [False] * len(operators)
    for _ in range(2):  # what the processor runs first, if anything, and the first subgraph
        kind = None
        for at, operator in enumerate(operators):
            if placed[at] or kind == (not supported[at]) or not _is_ready(operator, pending):
                continue
            kind, placed[at] = supported[at], True
            pending -= {operand.index for operand in operator.writes}
        if kind:
            break
    return placed


def _is_ready(operator: Operator, pending: set[int]) -> bool:
    return all(operand is None or operand.index not in pending for operand in operator.reads)


def _reasons(
    operators: Sequence[Operator], obstacles: Sequence[str | None], placed: Sequence[bool]
) -> tuple[tuple[str | None, ...], list[int]]:
    """Return why each operator is not mapped, and the places of those that others wait for."""
    culprits: dict[int, int] = {}  # of the tensors that come too late
    reasons, ends = [], []
    for at, (operator, reason) in enumerate(zip(operators, obstacles, strict=True)):
        if placed[at]:
            reasons.append(reason)
            continue
        blamed = [culprits[each.index] for each in operator.reads if each is not None and each.index in culprits]
        culprit = min(blamed, default=at)
        culprits |= dict.fromkeys((operand.index for operand in operator.writes), culprit)
        if reason:
            ends.append(at)
        reasons.append(reason or f"after op {culprit} {operators[culprit].type}, which is not mapped")
    return tuple(reasons), ends


def _parameter_bytes(operators: Sequence[Operator]) -> int:
    sizes = {each.index: each.parameter_bytes for operator in operators for each in operator.reads if each is not None}
    return sum(sizes.values())


def _macs_share(operators: Sequence[Operator], mapped: Sequence[bool]) -> float | None:
    macs = [each.macs for each in operators]
    known = [n for n in macs if n is not None]
    total = sum(known)
    if len(known) < len(macs) or not total:
        return None
    return sum(n for n, there in zip(known, mapped, strict=True) if there) / total


def _of_compiled(operators: Sequence[Operator]) -> EdgeTPUMapping:
    mapped = tuple(each.type == COMPILED_OP for each in operators)
    return EdgeTPUMapping(
        mapped=mapped,
        reasons=tuple(None if there else "the compiler left it to the processor" for there in mapped),
        first_break=None,
        waiting=0,
        macs_share=None,
        parameter_bytes=0,
        streamed_bytes=0,
        compiled=True,
    )
