"""The suite's socket: what becomes of findings, of cells that fail, and of a suite that is stopped."""

import math
import threading
from collections.abc import Iterator

import pytest

from tests.metrics_integration._findings import finding
from tpukit import schema
from tpukit.errors import StorageError, UnknownNameError
from tpukit.metrics_integration import STOPPED, Cell, Effort, Finding, run_cells
from tpukit.registry import Registry
from tpukit.workflows import Step


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "holds"),
        ({"value": 2.0}, "holds"),
        ({"value": 2.1}, "does not hold"),
        ({"better": "higher"}, "does not hold"),
        ({"value": 2.1, "better": "higher"}, "holds"),
        ({"value": math.nan}, "not measured"),
        ({"failed": True}, "failed"),
    ],
)
def test_a_verdict_follows_from_value_goal_and_direction(changes: dict[str, object], verdict: str) -> None:
    assert finding(**changes).verdict == verdict


def test_a_part_is_chosen_by_name_and_each_finding_is_a_row(cells: Registry[Cell]) -> None:
    cells.add("a/one", Cell(part="a", measure=lambda effort: [finding(), finding(value=9.0)]))
    cells.add("b/two", Cell(part="b", measure=lambda effort: [finding(what="other")]))
    table = schema.check(run_cells(only=["a"]), schema.SUITE)
    assert table[["cell", "verdict"]].to_numpy().tolist() == [["a/one", "holds"], ["a/one", "does not hold"]]
    assert run_cells()["what"].tolist() == ["w", "w", "other"]


def test_quick_asks_for_less(cells: Registry[Cell]) -> None:
    asked: list[Effort] = []
    cells.add("a/one", Cell(part="a", measure=lambda effort: asked.append(effort) or []))
    run_cells(quick=True)
    run_cells()
    assert asked[0].blocks < asked[1].blocks
    assert (asked[0].slow, asked[1].slow) == (False, True)


@pytest.mark.parametrize(
    ("error", "said"), [(StorageError("the disk is gone"), "the disk is gone"), (IndexError(), "IndexError")]
)
def test_a_cell_that_fails_is_a_row_and_the_others_go_on(error: Exception, said: str, cells: Registry[Cell]) -> None:
    def broken(effort: Effort) -> Iterator[Finding]:
        yield finding()
        raise error

    cells.add("a/broken", Cell(part="a", measure=broken))
    cells.add("a/sound", Cell(part="a", measure=lambda effort: [finding()]))
    table = run_cells()
    assert table["verdict"].tolist() == ["holds", "failed", "holds"]
    assert table[["what", "note"]].to_numpy().tolist()[1] == ["the rest of a/broken", said]


def test_an_unknown_part_is_refused_before_anything_runs(cells: Registry[Cell]) -> None:
    cells.add("inference/one", Cell(part="inference", measure=lambda effort: pytest.fail("it ran")))
    with pytest.raises(UnknownNameError, match="did you mean inference"):
        run_cells(only=["inferense"])


def stopped_in_the_second(cells: Registry[Cell], second: object) -> None:
    cells.add("a/1", Cell(part="a", measure=lambda effort: [finding(what="first")]))
    cells.add("a/2", Cell(part="a", measure=second))
    cells.add("a/3", Cell(part="a", measure=lambda effort: pytest.fail("it ran")))


def expect_stop(table: object, *rows: tuple[str, str, str]) -> None:
    table = schema.check(table, schema.SUITE)
    assert list(table[["what", "verdict", "note"]].itertuples(index=False, name=None)) == list(rows)


STOPPED_LATER = ("the whole of a/3", "not measured", STOPPED)


def test_ctrl_c_keeps_what_was_found_and_names_the_rest(cells: Registry[Cell]) -> None:
    def interrupted(effort: Effort) -> Iterator[Finding]:
        yield finding(what="second")
        raise KeyboardInterrupt

    stopped_in_the_second(cells, interrupted)
    rest = ("the rest of a/2", "not measured", STOPPED)
    expect_stop(run_cells(), ("first", "holds", ""), ("second", "holds", ""), rest, STOPPED_LATER)


def test_cancel_ends_a_cell_that_looks_for_it(cells: Registry[Cell]) -> None:
    cancel = threading.Event()

    def endless(effort: Effort) -> Iterator[Finding]:
        while True:
            effort.keep_on()
            cancel.set()

    stopped_in_the_second(cells, endless)
    whole = ("the whole of a/2", "not measured", STOPPED)
    expect_stop(run_cells(cancel=cancel), ("first", "holds", ""), whole, STOPPED_LATER)


@pytest.mark.parametrize("error", [None, StorageError("a process ended with -2")])
def test_what_was_measured_while_the_suite_was_stopped_does_not_count(
    cells: Registry[Cell], error: StorageError | None
) -> None:
    """Ctrl-C on a terminal ends the processes of a cell as well, which is no failure of theirs."""
    cancel = threading.Event()

    def robbed(effort: Effort) -> Iterator[Finding]:
        cancel.set()
        if error:
            raise error
        yield finding(what="all lost", value=99.0)

    stopped_in_the_second(cells, robbed)
    whole = ("the whole of a/2", "not measured", STOPPED)
    expect_stop(run_cells(cancel=cancel), ("first", "holds", ""), whole, STOPPED_LATER)


def test_a_stop_after_the_last_finding_leaves_the_suite_whole(cells: Registry[Cell]) -> None:
    cancel = threading.Event()

    def last(effort: Effort) -> Iterator[Finding]:
        yield finding()
        cancel.set()

    cells.add("a/1", Cell(part="a", measure=last))
    expect_stop(run_cells(cancel=cancel), ("w", "holds", ""))


def test_progress_says_which_cell_begins_and_may_stop_the_suite(cells: Registry[Cell]) -> None:
    steps: list[Step] = []

    def note(step: Step) -> None:
        steps.append(step)
        if step.label == "a/2":
            raise KeyboardInterrupt

    stopped_in_the_second(cells, lambda effort: pytest.fail("it ran"))
    whole = ("the whole of a/2", "not measured", STOPPED)
    expect_stop(run_cells(progress=note), ("first", "holds", ""), whole, STOPPED_LATER)
    assert [(step.label, round(step.share, 2)) for step in steps] == [("a/1", 0.0), ("a/2", 0.33)]
