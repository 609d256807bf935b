"""Which runs were measured in turn: pairs of neighbours in time of which now the one side is first, now the other."""

from typing import NamedTuple, TypeAlias

from tpukit.stats import Array

#: Seconds between the end of a pair's first run and the start of its second, at most.
LONGEST_PAUSE_S = 600.0

Places: TypeAlias = tuple[list[int], list[int]]


class Times(NamedTuple):
    """When the runs of one side were started and how long they took, both in seconds and of shape (n,)."""

    starts: Array
    lengths: Array


class _Run(NamedTuple):
    start: float
    side: int
    place: int
    end: float


def pairs(base: Times, new: Times) -> Places:
    """Return the places, on both sides, of the runs that make pairs; none is in two.

    A pair is two runs next to each other in time, one of each side, between which no more than `LONGEST_PAUSE_S` pass.
    The base is first in every other pair and the new side in those between. So a machine that becomes slower makes the
    new run of one pair slower and that of the next one faster, and is not taken for a change. Runs that would give two
    pairs of one order in succession are left out: base, new, new, base, … gives a pair for every two runs; base, new,
    base, new, … one for every three.

    >>> import numpy as np
    >>> second, starts = np.ones(2), np.array([0.0, 3.0])
    >>> pairs(Times(starts, second), Times(np.array([1.0, 2.0]), second))
    ([0, 1], [0, 1])
    """
    found: Places = ([], [])
    waiting: _Run | None = None
    last_first: int | None = None
    for run in sorted([*_runs(base, 0), *_runs(new, 1)]):
        if waiting is None or waiting.side in (run.side, last_first) or run.start - waiting.end > LONGEST_PAUSE_S:
            waiting = run
            continue
        found[waiting.side].append(waiting.place)
        found[run.side].append(run.place)
        last_first = waiting.side
        waiting = None
    return found


def _runs(times: Times, side: int) -> list[_Run]:
    ends = times.starts + times.lengths
    return [
        _Run(float(at), side, place, float(end)) for place, (at, end) in enumerate(zip(times.starts, ends, strict=True))
    ]
