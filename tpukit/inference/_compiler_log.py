"""What edgetpu_compiler says of a model, read from its output or from the `_edgetpu.log` that it writes.

The output has sums, and a table of operators where the compiler was called with -s; the file has the table alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from tpukit.errors import ConfigError

#: The status of what runs on the Edge TPU.
MAPPED = "Mapped to Edge TPU"
_VERSION = re.compile(r"Edge TPU Compiler version (\S+)")
_MODEL = re.compile(r"^(?:Input model|Input|Invalid model): (.+?)\s*$")
_ROW = re.compile(r"^([A-Z][\w:-]*)\s+(\d+)\s+(\S.*?)\s*$")
_FAILED = "Compilation failed"
_FAILURE = re.compile(
    rf"^(?:ERROR|{_FAILED}): (.+)$"
    rf"|^({_FAILED}|Internal compiler error|Model could not be parsed|Model not quantized)(?!:)"
)
_SIZE = re.compile(r"^([\d.]+)\s*(B|KiB|MiB|GiB)$")
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SUMS = {
    "On-chip memory used for caching model parameters": "on_chip_bytes",
    "Off-chip memory used for streaming uncached model parameters": "streamed_bytes",
    "Number of Edge TPU subgraphs": "subgraphs",
    "Total number of operations": "operations",
    "Number of operations that will run on Edge TPU": "mapped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One line of the table of operators: so many of a type have this status."""

    type: str
    count: int
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerLog:
    """What the compiler says of one model; a sum that its output lacks is None, or follows from the rows.

    `model` is the name of the file that was compiled, without folder and ending. `failure` is why nothing was compiled.
    """

    version: str
    model: str
    rows: tuple[LogRow, ...] = ()
    operations: int | None = None
    mapped: int | None = None
    subgraphs: int | None = None
    on_chip_bytes: int | None = None
    streamed_bytes: int | None = None
    failure: str | None = None


def parse_compiler_log(text: str) -> tuple[CompilerLog, ...]:
    """Return what the compiler's output, or its log, says of each model, in order of appearance.

    Raises ConfigError for a text that is neither.

    >>> (log,) = parse_compiler_log('''Edge TPU Compiler version 16.0.384591198
    ... Input: toy.tflite
    ... Output: toy_edgetpu.tflite
    ...
    ... Operator                       Count      Status
    ...
    ... CONV_2D                        3          Mapped to Edge TPU
    ... GATHER                         1          Operation not supported
    ... ''')
    >>> log.model, log.operations, log.mapped
    ('toy', 4, 3)
    """
    version = _VERSION.search(text)
    if version is None:
        raise ConfigError(
            "it is no log of edgetpu_compiler: expected a line 'Edge TPU Compiler version …'; give what the compiler "
            "printed, or the _edgetpu.log that it wrote"
        )
    found: dict[str, CompilerLog] = {}
    before, parts = _parts(text.splitlines())
    for model, lines in parts or [("", [])]:
        known = found.get(model, CompilerLog(version=version[1], model=model))
        found[model] = _read(_with_failure(known, before), lines)
    return tuple(map(_summed, found.values()))


def _parts(lines: Sequence[str]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Return the lines before the first model, and those of each."""
    before: list[str] = []
    parts: list[tuple[str, list[str]]] = []
    for line in (each.strip() for each in lines):
        if named := _MODEL.match(line):
            parts.append((PurePosixPath(named[1]).stem, []))
        elif parts:
            parts[-1][1].append(line)
        else:
            before.append(line)
    return before, parts


def _read(log: CompilerLog, lines: Sequence[str]) -> CompilerLog:
    sums: dict[str, int] = {}
    for line in lines:
        what, _, value = line.partition(": ")
        if what in _SUMS:
            sums[_SUMS[what]] = _number(what, value.strip())
    rows = tuple(
        LogRow(type=row[1], count=int(row[2]), status=row[3]) for row in map(_ROW.match, lines) if row is not None
    )
    if cut := [row for row in rows if row.status != MAPPED and MAPPED.startswith(row.status)]:
        raise ConfigError(
            f"it ends within its line of {cut[0].type}, {cut[0].status!r}: give the whole of what the compiler printed"
        )
    # the output and the file of one compilation, one after the other, have the same table
    return _with_failure(replace(log, rows=rows or log.rows, **sums), lines)  # type: ignore[arg-type]


def _with_failure(log: CompilerLog, lines: Sequence[str]) -> CompilerLog:
    found = [(match[1] or match[2]).rstrip(".! ") for match in map(_FAILURE.match, lines) if match is not None]
    # every failure ends with that line, and one that is tried again says the same again
    reasons = dict.fromkeys(each for each in found if each != _FAILED) or dict.fromkeys(found)
    return replace(log, failure="; ".join(reasons)) if reasons and not log.failure else log


def _number(what: str, value: str) -> int:
    if size := _SIZE.match(value):
        return round(float(size[1]) * _UNITS[size[2]])
    if value.isdecimal():
        return int(value)
    raise ConfigError(f"its line {what!r} has the value {value!r}: expected a whole number or a size as 1.92MiB")


def _summed(log: CompilerLog) -> CompilerLog:
    if log.rows or log.operations is not None:
        log = replace(log, failure=None)  # an error on the way, after which the compiler tried otherwise
    if not log.rows:
        # all is mapped where the output does not say how much
        return log if log.mapped is not None or log.failure else replace(log, mapped=log.operations)
    mapped = sum(row.count for row in log.rows if row.status == MAPPED)
    return replace(log, operations=log.operations or sum(row.count for row in log.rows), mapped=mapped)
