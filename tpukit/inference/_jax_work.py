"""What a program that XLA has compiled must do, for its limit."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tpukit.inference._jax_export import operations
from tpukit.inference._jax_program import Program
from tpukit.inference._roofline import OPS_PER_MAC, Work

#: What MLIR prints in the place of several elements.
_LEFT_OUT = "__elided__"
_PRODUCTS = {"stablehlo.convolution", "stablehlo.dot", "stablehlo.dot_general"}


def work_of(program: Program, *, kept: Sequence[int], devices: Sequence[Any]) -> Work | None:
    """Return the least that one run of a program must do on all its devices; None where XLA does not tell.

    Arithmetic is XLA's own count of the compiled program's operations (`cost_analysis`, of one device): one for each
    element of an elementwise operation, two for each multiply-accumulate, nothing for custom calls, and the body of a
    loop once, however often it runs, so loops are among the operators whose work is unknown. All are taken for those
    of the program's matrix products and convolutions, of several types the narrowest, which is the fastest. A TPU
    multiplies float32 in bfloat16 unless it is told otherwise.

    Of memory count the inputs (`kept` are the numbers of those used), the outputs and the module's constants, which
    each device reads, though never more than XLA counts as accessed; not what passes between operations, for that may
    stay on the chip.
    """
    counted = program.run.cost_analysis()  # type: ignore[attr-defined]
    if not counted:
        return None
    io_bytes = sum(program.inputs[at].size_bytes for at in kept) + sum(each.size_bytes for each in program.outputs)
    between = max(0, int(counted.get("bytes accessed", 0)) - io_bytes // len(devices))
    macs = int(max(0.0, counted.get("flops", 0.0)) * len(devices) / OPS_PER_MAC)
    kinds, constant_bytes, loops = _read(program.lowered.compiler_ir("stablehlo"))
    dtype = min(sorted(kinds), key=_bits, default=program.outputs[0].dtype if program.outputs else "float32")
    if devices[0].platform == "tpu" and dtype == "float32":
        dtype = "bfloat16"
    return Work(
        macs={dtype: macs} if macs else {},
        constant_bytes=len(devices) * min(constant_bytes, between),
        io_bytes=io_bytes,
        unknown_ops=loops,
    )


def _read(module: Any) -> tuple[set[str], int, int]:
    """Return the types of a module's products, the bytes of its constants, and how many loops it has."""
    from jaxlib.mlir import ir

    with module.context:
        every = list(operations(module))
        kinds = {
            _dtype(ir.RankedTensorType(operand.type).element_type)
            for each in every
            if each.name in _PRODUCTS
            for operand in each.operands
        }
        constants = _constants(each for each in every if each.name == "stablehlo.constant")
        return kinds, sum(constants), sum(each.name == "stablehlo.while" for each in every)


def _constants(every: Iterator[Any]) -> Iterator[int]:
    from jaxlib.mlir import ir

    for each in every:
        of = ir.RankedTensorType(each.results[0].type)
        # one that repeats a single number is written into the code, and printed whole; attributes do not tell, since
        # the bindings cannot read those of complex numbers
        if _LEFT_OUT in each.get_asm(large_elements_limit=1):
            yield math.prod(of.shape) * _bits(_dtype(of.element_type)) // 8


def _dtype(element: Any) -> str:
    """Return NumPy's name of an MLIR type.

    >>> [_dtype(each) for each in ("f32", "bf16", "i8", "ui8", "i1", "f8E4M3FN", "complex<f32>")]
    ['float32', 'bfloat16', 'int8', 'uint8', 'bool', 'float8_e4m3fn', 'complex64']
    """
    text = str(element)
    if part := re.fullmatch(r"complex<f(\d+)>", text):
        return f"complex{2 * int(part[1])}"
    if text == "i1":
        return "bool"
    if found := re.fullmatch(r"(bf|f|ui|si|i)(\d+)(\w*)", text):
        kind, bits, variant = found.groups()
        name = {"bf": "bfloat", "f": "float", "ui": "uint"}.get(kind, "int")
        return f"{name}{bits}{'_' if variant else ''}{variant.lower()}"
    return text


def _bits(dtype: str) -> int:
    found = re.search(r"\d+", dtype)
    return int(found[0]) if found else 8
