"""The suite's socket, and the cells that judge the harness itself."""

import math
from collections.abc import Iterator

import pytest

from tpukit import schema
from tpukit.errors import StorageError, UnknownNameError
from tpukit.metrics_integration import SUITE, Cell, Effort, Finding, _history_cells, _suite, run_cells
from tpukit.registry import Registry

TINY = Effort(blocks=2, repeats=1, slow=False)


def finding(**changes: object) -> Finding:
    return Finding(**({"what": "w", "value": 1.0, "unit": "s", "goal": 2.0, "note": ""} | changes))


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "holds"),
        ({"value": 2.0}, "holds"),
        ({"value": 2.1}, "does not hold"),
        ({"better": "higher"}, "does not hold"),
        ({"value": 2.1, "better": "higher"}, "holds"),
        ({"value": math.nan}, "not measured"),
    ],
)
def test_a_verdict_follows_from_value_goal_and_direction(changes: dict[str, object], verdict: str) -> None:
    assert finding(**changes).verdict == verdict


@pytest.fixture
def cells(monkeypatch: pytest.MonkeyPatch) -> Registry[Cell]:
    """A suite of its own, without the cells of tpukit."""
    registry = Registry[Cell]("suite cell", entry_point="tpukit.none")
    monkeypatch.setattr(_suite, "SUITE", registry)
    monkeypatch.setattr(_suite, "_OWN", ())
    return registry


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


def test_a_cell_that_fails_is_a_row_and_the_others_go_on(cells: Registry[Cell]) -> None:
    def broken(effort: Effort) -> Iterator[Finding]:
        yield finding()
        raise StorageError("the disk is gone")

    cells.add("a/broken", Cell(part="a", measure=broken))
    cells.add("a/sound", Cell(part="a", measure=lambda effort: [finding()]))
    table = run_cells()
    assert table["verdict"].tolist() == ["holds", "failed", "holds"]
    assert table["note"].tolist()[1] == "the disk is gone"


def test_an_unknown_part_is_refused_before_anything_runs(cells: Registry[Cell]) -> None:
    cells.add("inference/one", Cell(part="inference", measure=lambda effort: pytest.fail("it ran")))
    with pytest.raises(UnknownNameError, match="did you mean inference"):
        run_cells(only=["inferense"])


@pytest.fixture(autouse=True)
def own_cells() -> None:
    """Register tpukit's own cells, which `run_cells` does on first use."""
    for module in ("_inference_cells", "_process_cells", "_history_cells"):
        __import__(f"tpukit.metrics_integration.{module}")


def test_the_harness_is_measured_beside_the_same_model_in_a_bare_loop() -> None:
    small, *large = SUITE["inference/overhead"].measure(TINY)
    assert small.baseline_value > 0.5  # a query of the autoencoder takes microseconds, not nothing
    assert -small.baseline_value < small.value
    assert len(large) == 2
    assert all(found.value > 0.3 for found in large)


def test_the_null_device_is_slower_than_its_limit() -> None:
    (found,) = SUITE["inference/null_device"].measure(TINY)
    assert 0 < found.value < found.limit_value


def test_start_up_is_measured_beside_a_bare_interpreter() -> None:
    for found in SUITE["inference/start_up"].measure(TINY):
        assert found.baseline_value > 1
        assert found.value < 60_000


@pytest.mark.parametrize("name", ["inference/report", "inference/tests"])
def test_what_the_quick_suite_leaves_out_says_so(name: str) -> None:
    (found,) = SUITE[name].measure(TINY)
    assert found.verdict == "not measured"
    assert "left out" in found.note


@pytest.mark.fault
def test_history_survives_writers_at_once_and_writers_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_RUNS", 3), ("_WRITERS", 2), ("_KILLS", 1), ("_LARGE", 1000)):
        monkeypatch.setattr(_history_cells, name, value)
    for name in ("inference/history_appends", "inference/history_kills"):
        assert [found.value for found in SUITE[name].measure(TINY)] == [0.0, 0.0]


@pytest.mark.fault
def test_a_history_that_loses_runs_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself: a run that was acknowledged and is not there counts as lost."""
    monkeypatch.setattr(_history_cells, "_KILLS", 1)
    monkeypatch.setattr(_history_cells, "_LARGE", 100)
    killed = _history_cells._killed
    monkeypatch.setattr(_history_cells, "_killed", lambda path, kill: [*killed(path, kill), "never-stored"])
    lost, torn = SUITE["inference/history_kills"].measure(TINY)
    assert (lost.value, torn.value) == (1.0, 0.0)
