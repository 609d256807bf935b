"""The predicted mapping of a model held against what the compiler says of it."""

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, NoReturn

import pandas as pd

from tpukit import schema
from tpukit.errors import ConfigError
from tpukit.inference._compiler_log import MAPPED, CompilerLog, LogRow
from tpukit.inference._inspect import ModelInfo

_MIB = 2**20


def confirmed(info: ModelInfo, logs: Sequence[CompilerLog]) -> ModelInfo:
    """Return `info` with what the compiler did in the place of what was predicted, as far as its log tells.

    `compiler` becomes a COMPILED table, one row a type of operator, and `notes` compare. Where operators of one type
    fared differently, the log does not tell which of them: those of `ops` stand as predicted where their number agrees,
    and are missing where it does not. Of a model that the compiler refused nothing is mapped. Raises ConfigError where
    no log is of this model, by its name or its operators, or where it does not say what became of it.

    >>> from tpukit.inference import inspect_model
    >>> from tpukit.inference._compiler_log import parse_compiler_log
    >>> logs = parse_compiler_log('''Edge TPU Compiler version 16.0.384591198
    ... Input model: autoencoder_int8.tflite
    ... Number of Edge TPU subgraphs: 1
    ... Total number of operations: 10
    ... ''')
    >>> confirmed(inspect_model("autoencoder_int8"), logs).notes[0]
    'Edge TPU: the compiler, 16.0.384591198, mapped 10 of 10 operators in 1 subgraph; the prediction was 10.'
    """
    log = _of(info, logs)
    table = _table(info, log)
    return replace(info, ops=_ops(info.ops, table, log), compiler=table, notes=_notes(info, log, table))


def _of(info: ModelInfo, logs: Sequence[CompilerLog]) -> CompilerLog:
    if info.mapping.compiled:
        raise ConfigError(f"model {info.name} is compiled already: inspect the file that it was compiled from")
    log = next((each for each in logs if each.model in ("", info.name)), None)
    if log is None:
        others = ", ".join(each.model for each in logs)
        raise ConfigError(f"it is of {others}, not of {info.name}: give the log of this model")
    here = Counter(map(_type, info.ops["type"]))
    there = Counter[str]()
    for row in log.rows:
        there[row.type] += row.count
    for kind in sorted(here | there) if there else ():
        if here[kind] != there[kind]:
            _refuse(info, f"{there[kind]} {kind}", str(here[kind]))
    if log.operations is not None and log.operations != len(info.ops):
        _refuse(info, f"{log.operations} operators", str(len(info.ops)))
    if log.operations is None and not log.failure:
        raise ConfigError(
            "it ends before it says what became of the model: compile again, and give all that is printed"
        )
    return log


def _refuse(info: ModelInfo, there: str, here: str) -> NoReturn:
    raise ConfigError(
        f"it is of another model named {info.name}: it has {there}, this one {here}; give the log of this model"
    )


def _type(name: str) -> str:
    return name.partition(":")[0]  # the compiler says CUSTOM of each


def _table(info: ModelInfo, log: CompilerLog) -> pd.DataFrame:
    types = [_type(name) for name in info.ops["type"]]
    ops = Counter(types)
    predicted = Counter(kind for kind, mapped in zip(types, info.mapping.mapped, strict=True) if mapped)
    rows = [
        {"model": info.name, "type": kind, "ops": n, "predicted": predicted[kind], "compiled": _compiled(log, kind, n)}
        | {"status": _status(log, kind)}
        for kind, n in ops.items()
    ]
    return schema.frame(rows, schema.COMPILED)


def _compiled(log: CompilerLog, kind: str, n: int) -> int | None:
    if log.failure:
        return 0
    if log.rows:
        return sum(row.count for row in log.rows if row.type == kind and row.status == MAPPED)
    # without a table the sum tells of each type only where it is all or nothing
    return {0: 0, log.operations: n}.get(log.mapped)


def _status(log: CompilerLog, kind: str) -> str | None:
    return "; ".join(f"{row.count} {row.status}" for row in _unmapped(log, kind)) or None


def _unmapped(log: CompilerLog, kind: str) -> list[LogRow]:
    return [row for row in log.rows if row.type == kind and row.status != MAPPED]


def _ops(ops: pd.DataFrame, table: pd.DataFrame, log: CompilerLog) -> pd.DataFrame:
    by_type = {row["type"]: row | {"reason": _reason(log, row["type"])} for row in table.to_dict("records")}
    rows = [_op(row, by_type[_type(row["type"])]) for row in ops.to_dict("records")]
    return schema.frame([{str(name): value for name, value in row.items()} for row in rows], schema.OPS)


def _op(row: dict[Hashable, Any], fared: dict[Hashable, Any]) -> dict[Hashable, Any]:
    compiled, n = fared["compiled"], fared["ops"]
    if compiled is pd.NA:
        return row | {"mapped": None, "reason": "the log does not say"}
    if compiled in (0, n):
        return row | {"mapped": compiled == n, "reason": None if compiled else fared["reason"]}
    if compiled == fared["predicted"]:
        return row  # as many as predicted, and nothing says that they are others
    return row | {"mapped": None, "reason": f"the log says {compiled} of {n}, not which"}


def _reason(log: CompilerLog, kind: str) -> str:
    if log.failure:
        return "the compiler refused the model"
    left = _unmapped(log, kind)
    # of several it does not tell which operator has which
    return left[0].status if len(left) == 1 else _status(log, kind) or "the compiler left it to the processor"


def _notes(info: ModelInfo, log: CompilerLog, table: pd.DataFrame) -> tuple[str, ...]:
    if log.failure:
        return (f"Edge TPU: the compiler, {log.version}, refused the model: {log.failure}.", *info.notes)
    return tuple(note for note in (_how_much(info, log), _differences(table), _memory(log)) if note)


def _how_much(info: ModelInfo, log: CompilerLog) -> str:
    graphs = "" if log.subgraphs is None else f" in {log.subgraphs} subgraph{'' if log.subgraphs == 1 else 's'}"
    mapped = "an unknown number" if log.mapped is None else str(log.mapped)
    n = len(info.ops)
    return (
        f"Edge TPU: the compiler, {log.version}, mapped {mapped} of {n} operator{'' if n == 1 else 's'}{graphs}; the "
        f"prediction was {sum(info.mapping.mapped)}."
    )


def _differences(table: pd.DataFrame) -> str:
    known = table[table["compiled"].notna()]
    if known.empty:
        return "Its log has no table of operators, so nothing is known of each: call it with -s."
    other = known[known["compiled"] != known["predicted"]]
    if other.empty:
        return "Both agree for every type of operator."
    named = "; ".join(
        f"{row.type} {row.compiled} of {row.ops} mapped, {row.predicted} predicted" for row in other.itertuples()
    )
    return f"They differ for {len(other)} of {len(known)} types of operator: {named}."


def _memory(log: CompilerLog) -> str:
    if log.on_chip_bytes is None or log.streamed_bytes is None:
        return ""
    kept, streamed = log.on_chip_bytes / _MIB, log.streamed_bytes / _MIB
    sent = "the host sends none" if not streamed else f"the host sends {streamed:.2f} MiB in every inference"
    return f"{kept:.2f} MiB of parameters stay on the chip; {sent}."
