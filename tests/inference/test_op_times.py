"""Which operator took how long, from events whose times are known."""

import math
from collections.abc import Sequence
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tpukit.inference._op_times import Event, OpTimes, _forced, not_timed, op_times


def kernel(tag: str, us: int = 10) -> Event:
    """An event of XNNPACK's, whose own count says nothing of the model's operators."""
    return Event(tag=tag, type=8, node=0, subgraph=0, elapsed_us=us)


def operator(tag: str, place: int, us: int = 10, *, subgraph: int = 0) -> Event:
    return Event(tag=tag, type=2, node=place, subgraph=subgraph, elapsed_us=us)


def microseconds(found: OpTimes) -> list[float | None]:
    return [None if math.isnan(each) else round(each * 1e6, 9) for each in found.seconds]


CONVOLUTION, PRODUCT = "Convolution (NHWC, QC8) IGEMM", "Fully Connected (NC, QS8, QC8W) GEMM"


def test_kernels_go_to_the_operators_that_they_can_be_of_in_order() -> None:
    types = ["CONV_2D", "DEPTHWISE_CONV_2D", "CONV_2D", "FULLY_CONNECTED"]
    events = [
        kernel(CONVOLUTION, 7),
        kernel("Convolution (NHWC, QC8) DWConv", 3),
        kernel(PRODUCT, 5),
        kernel(PRODUCT, 2),
    ]
    assert microseconds(op_times(types, [events])) == [7, 3, 5, 2]


def test_what_a_delegate_does_beside_belongs_to_no_operator() -> None:
    events = [kernel(CONVOLUTION, 7), kernel("Static Reshape (NC)", 4), kernel(PRODUCT, 2)]
    found = op_times(["CONV_2D", "FULLY_CONNECTED"], [events])
    assert (microseconds(found), found.kernels_s, found.reason) == ([7, 2], 13e-6, None)


def test_an_operator_whose_work_another_took_over_has_no_time() -> None:
    found = op_times(["PAD", "CONV_2D", "RELU6"], [[kernel(CONVOLUTION, 7)]])
    assert microseconds(found) == [None, 7, None]
    assert found.reason == "2 operators have no kernel of XNNPACK alone"


def test_one_kernel_for_two_alike_is_of_neither() -> None:
    assert microseconds(op_times(["ADD", "ADD"], [[kernel("Add (ND, QS8)")]])) == [None, None]
    # what stands between them tells them apart
    events = [kernel("Add (ND, QS8)", 4), kernel("Softmax (NC, QU8)", 3)]
    assert microseconds(op_times(["ADD", "SOFTMAX", "ADD"], [events])) == [4, 3, None]


def test_an_operator_of_the_interpreter_is_known_by_its_place() -> None:
    types = ["SOFTMAX", "CONV_2D", "SOFTMAX"]
    events = [operator("SOFTMAX", 2, 6), kernel(CONVOLUTION, 7), operator("SOFTMAX", 0, 5)]
    assert microseconds(op_times(types, [events])) == [5, 7, 6]
    assert microseconds(op_times(["CUSTOM:mine"], [[operator("mine", 0, 8)]])) == [8]


@pytest.mark.parametrize(
    "event",
    [
        operator("TfLiteXNNPackDelegate", 1),
        operator("ADD", 0),  # another model's
        operator("SOFTMAX", 0, subgraph=1),
        Event(tag="SOFTMAX", type=1, node=0, subgraph=0, elapsed_us=9),
        Event(tag="Invoke", type=32, node=2**64 - 1, subgraph=0, elapsed_us=2**32),
    ],
)
def test_events_of_something_else_count_for_nothing(event: Event) -> None:
    found = op_times(["SOFTMAX"], [[event, operator("SOFTMAX", 0, 3)]])
    assert (microseconds(found), found.kernels_s) == ([3], 3e-6)
    assert op_times(["SOFTMAX"], [[event]]).reason == "LiteRT's profiler saw no operator"


def test_times_are_medians_and_the_whole_is_the_median_of_sums() -> None:
    runs = [[operator("A", 0, a), operator("B", 1, b)] for a, b in ((1, 9), (2, 2), (9, 1))]
    found = op_times(["A", "B"], runs)
    assert (microseconds(found), found.kernels_s, found.runs) == ([2, 2], 10e-6, 3)


def test_less_than_a_microsecond_is_not_nothing() -> None:
    found = op_times(["A", "B"], [[operator("A", 0, 0), operator("B", 1, 4)]])
    assert microseconds(found) == [None, 4]
    assert found.reason == "1 operator takes less than the 1 µs that LiteRT's profiler counts in"


@pytest.mark.parametrize("runs", [[], [[]]])
def test_no_event_is_no_time(runs: list[list[Event]]) -> None:
    found = op_times(["ADD"], runs)
    assert (microseconds(found), found.runs, found.reason) == ([None], 0, "LiteRT's profiler saw no operator")
    assert math.isnan(found.kernels_s)


def test_inferences_that_differ_are_not_mixed() -> None:
    found = op_times(["ADD"], [[kernel("Add (ND, QS8)")], [kernel("Copy (NC, X8)")]])
    assert found.reason == "LiteRT ran other kernels in one inference than in the next"
    assert microseconds(found) == [None]
    assert microseconds(not_timed(2, "why")) == [None, None]


def longest_orders(fits: Sequence[Sequence[bool]]) -> list[set[tuple[int, int]]]:
    """Every longest common order, by trying all."""
    cells = [(row, column) for row, each in enumerate(fits) for column, one in enumerate(each) if one]
    for size in range(min(len(fits), len(fits[0])), 0, -1):
        found = [
            set(chosen)
            for chosen in combinations(cells, size)
            if all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(chosen))
        ]
        if found:
            return found
    return [set()]


@given(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), min_size=2, max_size=2))
def test_a_pair_is_certain_only_where_every_longest_order_agrees_on_it(words: list[list[str]]) -> None:
    rows, columns = words
    fits = [[row == column for column in columns] for row in rows]
    orders = longest_orders(fits)
    for row, column in _forced(fits):
        others = {pair for order in orders for pair in order if pair[0] == row or pair[1] == column}
        assert others == {(row, column)}
