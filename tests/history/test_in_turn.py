"""Which runs make a pair: neighbours in time of which each side is first in every other pair."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpukit.history._in_turn import LONGEST_PAUSE_S, Times, pairs
from tpukit.stats import min_pairs, paired_change


def times(order: str, *, every_s: float = 10.0, length_s: float = 9.0) -> tuple[Times, Times]:
    """Return when the runs b and n of an order begin, and how long each takes."""
    sides = [np.array([at * every_s for at, each in enumerate(order) if each == side]) for side in "bn"]
    return Times(sides[0], np.full(len(sides[0]), length_s)), Times(sides[1], np.full(len(sides[1]), length_s))


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("bnnbbnnb", ([0, 1, 2, 3], [0, 1, 2, 3])),
        ("nbbnnbbn", ([0, 1, 2, 3], [0, 1, 2, 3])),
        ("bbnnbbnn", ([1, 2, 3], [0, 1, 2])),
        ("bnbnbnbn", ([0, 2, 3], [0, 1, 3])),
        ("bnbnbnbnbnbnbnbnbn", ([0, 2, 3, 5, 6, 8], [0, 1, 3, 4, 6, 7])),
        ("bbbbnnnn", ([3], [0])),
        ("bbbb", ([], [])),
        ("", ([], [])),
    ],
)
def test_neighbours_of_alternating_order_are_pairs(order: str, found: tuple[list[int], list[int]]) -> None:
    assert pairs(*times(order)) == found


@pytest.mark.parametrize(("pause_s", "expected"), [(LONGEST_PAUSE_S - 1, 4), (LONGEST_PAUSE_S + 1, 0)])
def test_runs_with_a_long_pause_between_them_are_no_pair(pause_s: float, expected: int) -> None:
    """The pause counts from the end of the first run: one of ten minutes may be long itself."""
    base, _ = pairs(*times("bnnbbnnb", every_s=600 + pause_s, length_s=600.0))
    assert len(base) == expected


@given(order=st.text("bn", max_size=30))
def test_no_run_is_in_two_pairs_and_the_sides_take_turns(order: str) -> None:
    before, after = times(order)
    base, new = pairs(before, after)
    assert len(set(base)) == len(base) == len(new) == len(set(new))
    first = [before.starts[b] < after.starts[n] for b, n in zip(base, new, strict=True)]
    assert all(one != other for one, other in pairwise(first))
    latest = [max(before.starts[b], after.starts[n]) for b, n in zip(base, new, strict=True)]
    assert latest == sorted(latest)


@given(order=st.text("bn", min_size=12, max_size=40), per_run=st.floats(-0.02, 0.2))
def test_a_drift_alone_is_never_a_difference(order: str, per_run: float) -> None:
    """Whatever the order, a machine that becomes slower all the time does not make the signed-rank test reject."""
    before, after = times(order, every_s=1.0, length_s=0.0)
    base, new = pairs(before, after)
    if len(base) >= min_pairs():
        found = paired_change(np.exp(per_run * before.starts[base]), np.exp(per_run * after.starts[new]))
        assert found.p > 0.05
