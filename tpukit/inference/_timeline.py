"""When each query was due, started and ended."""

from array import array
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

#: Stands for the end of a query that has none.
NEVER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When each query was due, was issued and had its outputs, in nanoseconds of the clock, as arrays of one length.

    `due` is None where a query is due when it is issued. A query that failed, or that nobody waited for, ends NEVER.
    `failure` says what the query `failed` ended with, `cut_short` that somebody stopped the run, `overloaded` that the
    backlog did.
    """

    starts: "array[int]"
    ends: "array[int]"
    due: "array[int] | None" = None
    failure: str | None = None
    failed: int | None = None
    cut_short: bool = False
    overloaded: bool = False

    @property
    def ended(self) -> NDArray[np.bool_]:
        """Which queries have their outputs, shape (n,)."""
        return np.not_equal(self.ends_ns, NEVER)

    @property
    def starts_ns(self) -> NDArray[np.int64]:
        """`starts` as an array, shape (n,)."""
        return _array(self.starts)

    @property
    def ends_ns(self) -> NDArray[np.int64]:
        """`ends` as an array, shape (n,)."""
        return _array(self.ends)

    @property
    def due_ns(self) -> NDArray[np.int64]:
        """When the queries were due, shape (n,)."""
        return self.starts_ns if self.due is None else _array(self.due)

    @property
    def queries(self) -> int:
        """How many queries have their outputs."""
        return int(self.ended.sum())

    @property
    def span_ns(self) -> int:
        """From the first query's start to the last end."""
        return int(self.ends_ns.max() - self.starts[0]) if self.queries else 0

    @property
    def ended_early(self) -> bool:
        """Whether it failed or was stopped."""
        return self.cut_short or self.overloaded or self.failure is not None

    def nothing_more(self) -> "Timeline":
        """Return the timeline of a phase that never began because this one ended early."""
        return replace(self, starts=array("q"), ends=array("q"), due=None, failed=None)


def _array(stamps: "array[int]") -> NDArray[np.int64]:
    return np.frombuffer(stamps, dtype=np.int64) if len(stamps) else np.empty(0, dtype=np.int64)
