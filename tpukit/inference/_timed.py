"""The operators of a model with the time that each takes on this machine's processor."""

import math
from dataclasses import replace
from pathlib import Path

from tpukit import schema
from tpukit.inference._inspect import ModelInfo
from tpukit.inference._model import Model, read_model
from tpukit.inference._op_times import OpTimes
from tpukit.inference._profiler import Profiler


def with_op_times(info: ModelInfo, model: str | Path | Model, *, profiler: Profiler | None = None) -> ModelInfo:
    """Return `info` with `time_s` of each operator where LiteRT's profiler tells it, and a note on what it tells.

    `model` is the one that `info` is of. It runs for about a second, on one thread, in another process; where that
    fails no time is known, and the note says why. Raises what `read_model` does.

    >>> from tpukit.inference import inspect_model
    >>> broken = Profiler(command=("false",))
    >>> with_op_times(inspect_model("ds_cnn_int8"), "ds_cnn_int8", profiler=broken).notes[-1]
    "No times of operators: LiteRT's profiler failed: its process ended with 1."
    """
    found = (profiler or Profiler())(read_model(model), info.ops["type"].tolist())
    ops = schema.check(info.ops.assign(time_s=list(found.seconds)), schema.OPS)
    return replace(info, ops=ops, notes=(*info.notes, _note(found)))


def _note(found: OpTimes) -> str:
    if not found.runs:
        return f"No times of operators: {found.reason}."
    known = [each for each in found.seconds if not math.isnan(each)]
    missing = f"; {found.reason}" if found.reason else ""
    return (
        f"Times on the processor, one thread, medians of {found.runs} inferences under LiteRT's profiler: "
        f"{len(known)} of {len(found.seconds)} operators, {sum(known) * 1e6:.0f} of {found.kernels_s * 1e6:.0f} µs"
        f"{missing}."
    )
