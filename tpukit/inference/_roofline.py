"""What a machine's peaks allow a model: the least time that its work can take, and what binds it.

The model is that of S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model for
multicore architectures", Commun. ACM 52(4), 2009. The processor's ceilings are measured, as the Empirical Roofline
Toolkit does (Y. J. Lo et al., PMBS 2014); those of an accelerator are what its maker states.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from tpukit.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from tpukit.inference._inspect import ModelInfo

_Key = TypeVar("_Key", str, int)

#: What `limit_columns` says of a device that is no HasPeaks.
NO_PEAKS = "none: this device's peak was not measured"

OPS_PER_MAC = 2
# operators that read some rows of a constant, so that its size says nothing of what must be read
_PARTIAL_READERS = frozenset(
    {
        "DYNAMIC_UPDATE_SLICE", "EMBEDDING_LOOKUP", "EMBEDDING_LOOKUP_SPARSE", "GATHER", "GATHER_ND",
        "HASHTABLE_LOOKUP", "SLICE", "STRIDED_SLICE",
    }
)  # fmt: skip
# float32 with weights of one byte is computed in int8: XNNPACK quantises the activations on the way
_BYTES_OF_FLOATS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What one run of a model with the batch of its file must do.

    `macs` are multiply-accumulates by type of arithmetic; `unknown_ops` operators are not among them, so the work is at
    least this. `constant_bytes` are the weights and biases, `io_bytes` the inputs and outputs. Activations in between
    are not counted: they may stay in a cache.
    """

    macs: Mapping[str, int]
    constant_bytes: int
    io_bytes: int
    unknown_ops: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """The best rates of a device, and their `source`: how they were measured, or who states them.

    `ops_per_s` are arithmetic operations per second by type, two for each multiply-accumulate. `bytes_per_s` are bytes
    read and written per second, by the size of the working set in bytes. `resident_bytes` of a model's constants stay
    on the device from run to run and need not be read at that rate. Raises ConfigError where a rate is missing or is
    no number above 0.

    >>> peaks = Peaks(ops_per_s={"int8": 8e10}, bytes_per_s={2**14: 9e10, 2**26: 2e10}, source="by hand")
    >>> peaks.bandwidth(300_000) / 1e9
    90.0
    """

    ops_per_s: Mapping[str, float]
    bytes_per_s: Mapping[int, float]
    source: str
    resident_bytes: int = 0

    def __post_init__(self) -> None:
        for name, rates in (("ops_per_s", self.ops_per_s), ("bytes_per_s", self.bytes_per_s)):
            if not rates:
                raise ConfigError(f"peaks have no {name}: expected one rate at least")
            for what, rate in rates.items():
                if not 0 < rate < math.inf:
                    raise ConfigError(f"{name} of {what} is {rate!r}: expected a number above 0")

    def arithmetic(self, dtype: str) -> float:
        """Return operations per second of this type; of one that was not measured, those of the fastest."""
        return self.ops_per_s.get(dtype, max(self.ops_per_s.values()))

    def bandwidth(self, working_set_bytes: int) -> float:
        """Return bytes per second that nothing with this working set can exceed.

        That is the best rate measured at the largest size that is no larger than it, or at any size above: what is
        reached out of a larger cache can be reached out of a smaller one.
        """
        sizes = [size for size in self.bytes_per_s if size <= working_set_bytes]
        least = max(sizes, default=0)
        return max(rate for size, rate in self.bytes_per_s.items() if size >= least)

    def raised_to(self, others: Sequence["Peaks"]) -> "Peaks":
        """Return these peaks, none below those of `others`: what fewer threads reached, more threads can reach.

        They keep their own source.
        """
        every = [self, *others]
        return replace(
            self,
            ops_per_s=_highest([peaks.ops_per_s for peaks in every]),
            bytes_per_s=_highest([peaks.bytes_per_s for peaks in every]),
        )


@runtime_checkable
class HasPeaks(Protocol):
    """A device that knows what its hardware can do at best; `Device` does not ask for it."""

    def peaks(self, threads: int) -> Peaks:
        """Return the peaks with this number of threads. Raises ConfigError where they are not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The least time of one run with this batch; `text` says first whether compute or memory binds it."""

    seconds: float
    batch: int
    text: str


def work(info: "ModelInfo") -> Work:
    """Return what one run of the model must do, read from its operators.

    An operator's arithmetic is of the type of its output, but int8 where float32 meets weights of one byte. Constants
    of which an operator picks rows, as an embedding does, are not counted.

    >>> from tpukit.inference import inspect_model
    >>> work(inspect_model("autoencoder_int8"))
    Work(macs={'int8': 264192}, constant_bytes=270880, io_bytes=1280, unknown_ops=0)
    """
    ops = info.ops
    macs = ops["macs"].fillna(0).groupby(_arithmetic(ops)).sum()
    partial = int(ops.loc[ops["type"].isin(_PARTIAL_READERS), "parameter_bytes"].sum())
    return Work(
        macs={str(dtype): int(n) for dtype, n in macs.items() if n},
        constant_bytes=max(0, info.parameter_bytes - partial),
        io_bytes=sum(tensor.size_bytes for tensor in (*info.inputs, *info.outputs)),
        unknown_ops=int(ops["macs"].isna().sum()),
    )


def file_batch(info: "ModelInfo") -> int:
    """Return the batch that the model's file has: the first axis of its first input, 1 where that is free or none."""
    shape = info.inputs[0].shape
    return max(1, shape[0]) if shape else 1


def limit(work: Work, peaks: Peaks, *, batch: int = 1) -> Limit:
    """Return the least time of one run of `batch` samples:

        max(sum over types of 2 macs / ops_per_s, bytes / bandwidth(bytes))

    Multiply-accumulates, inputs and outputs grow with the batch; constants are read once, what stays on the device not
    at all. Types follow one another, as
    operators do, while arithmetic and memory may overlap wholly.

    >>> peaks = Peaks(ops_per_s={"int8": 8e10}, bytes_per_s={2**14: 2e10}, source="1 thread (measured 2026-01-01)")
    >>> limit(Work(macs={"int8": 2_000_000}, constant_bytes=200_000, io_bytes=1_000), peaks).text
    'compute: 2 MMAC int8 at 80 Gop/s, 1 thread (measured 2026-01-01)'
    """
    moved = max(0, work.constant_bytes - peaks.resident_bytes) + batch * work.io_bytes
    bandwidth = peaks.bandwidth(moved)
    compute_s = sum(batch * OPS_PER_MAC * n / peaks.arithmetic(dtype) for dtype, n in work.macs.items())
    memory_s = moved / bandwidth
    computes = compute_s >= memory_s
    what = _compute_text(work, peaks, batch) if computes else f"{_si(moved, 'B')} at {_si(bandwidth, 'B/s')}"
    return Limit(
        seconds=max(compute_s, memory_s),
        batch=batch,
        text=f"{'compute' if computes else 'memory'}: {what}, {_circumstances(work, peaks, batch)}",
    )


def limit_columns(found: Limit, *, metric: str, value: float, runs: int = 1) -> dict[str, Any]:
    """Return the columns of RESULTS that say what bounds a metric, and which share of that its `value` reaches.

    `metric` is throughput_per_s or the name of a latency's column; a query takes `runs` runs of the model, one after
    the other. A share over 1 is shown as it is: it says that the peak was measured too low.

    >>> bound = Limit(seconds=0.001, batch=8, text="memory: ...")
    >>> limit_columns(bound, metric="throughput_per_s", value=2000.0)
    {'limit': 'memory: ...', 'limit_value': 8000.0, 'fraction_of_peak': 0.25}
    """
    if not found.seconds > 0:
        return {"limit": "none: nothing is known of the model's work"}
    throughput = metric == "throughput_per_s"
    bound = found.batch / found.seconds if throughput else runs * found.seconds
    fraction = float(value / bound if throughput else bound / value) if value > 0 else math.nan
    beaten = "; beaten, so this peak was measured too low" if fraction > 1 else ""
    return {"limit": found.text + beaten, "limit_value": bound, "fraction_of_peak": fraction}


def _arithmetic(ops: "pd.DataFrame") -> "pd.Series[Any]":
    bytes_each = ops["parameter_bytes"] / ops["parameters"].where(ops["parameters"] > 0)
    return ops["dtype"].mask((ops["dtype"] == "float32") & (bytes_each < _BYTES_OF_FLOATS).fillna(value=False), "int8")


def _highest(rates: Sequence[Mapping[_Key, float]]) -> dict[_Key, float]:
    keys = {key: None for each in rates for key in each}
    return {key: max(each[key] for each in rates if key in each) for key in keys}


def _compute_text(work: Work, peaks: Peaks, batch: int) -> str:
    return " + ".join(
        f"{_si(batch * n, 'MAC')} {dtype} at {_si(peaks.arithmetic(dtype), 'op/s')}"
        f"{'' if dtype in peaks.ops_per_s else ', the fastest known'}"
        for dtype, n in work.macs.items()
    )


def _circumstances(work: Work, peaks: Peaks, batch: int) -> str:
    batched = f", batch {batch}" if batch > 1 else ""
    unknown = f"; the work of {_count(work.unknown_ops, 'operator')} is unknown" if work.unknown_ops else ""
    return f"{peaks.source}{batched}{unknown}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _si(x: float, unit: str) -> str:
    """Return `x` with three significant digits and the prefix that suits it."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if float(f"{x:.3g}") >= size:
            return f"{float(f'{x / size:.3g}'):g} {prefix}{unit}"
    return f"{x:.3g} {unit}"
