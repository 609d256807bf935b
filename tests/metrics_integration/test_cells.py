"""The cells that judge the harness itself: both sides of a comparison are treated alike, and faults are found out."""

import itertools
import math
import sys
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from tpukit.errors import TpukitError
from tpukit.inference import Model
from tpukit.metrics_integration import SUITE, Effort, _history_cells, _inference_cells, _process_cells
from tpukit.testing import FakeDevice, ManualClock

TINY = Effort(blocks=2, repeats=1, slow=False)
#: Seconds of each query: the first inference, three that warm up, then 200 that count.
COLD = [1.0, 0.5, 0.4, 0.3] + [0.001] * 200


def scripted_interpreter(clock: ManualClock) -> type:
    """An interpreter that is as slow as COLD says."""

    class Interpreter:
        def __init__(self, **options: object) -> None:
            self._latencies_s = itertools.cycle(COLD)

        def allocate_tensors(self) -> None:
            pass

        def get_input_details(self) -> list[dict[str, object]]:
            return [{"index": 0, "shape": np.array([1, 4])}]

        def get_output_details(self) -> list[dict[str, object]]:
            return [{"index": 1}]

        def set_tensor(self, index: int, value: object) -> None:
            pass

        def invoke(self) -> None:
            clock.advance(next(self._latencies_s))

        def get_tensor(self, index: int) -> None:
            pass

    return Interpreter


@pytest.mark.usefixtures("quiet")
def test_neither_side_is_charged_for_its_cold_queries(
    clock: ManualClock, toy: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_inference_cells, "_CLOCK", clock)
    monkeypatch.setattr("ai_edge_litert.interpreter.Interpreter", scripted_interpreter(clock))
    assert _inference_cells._in_bare_loop(toy) == pytest.approx(1e6)
    assert _inference_cells._through_benchmark(toy, FakeDevice(COLD, clock=clock)) == pytest.approx(1e6)


def test_the_sides_take_turns_in_going_first(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    times = {"ours": iter([5.0, 3.0, 4.0]), "bare": iter([2.0, 2.1, 2.5, 2.6, 1.6, 1.5])}
    for side, name in (("ours", "_through_benchmark"), ("bare", "_in_bare_loop")):
        monkeypatch.setattr(_inference_cells, name, lambda model, side=side: order.append(side) or next(times[side]))
    walls = _inference_cells._interleaved("autoencoder_int8", Effort(blocks=3, repeats=1, slow=False))
    assert order == ["ours", "bare", "bare", "bare", "bare", "ours", "bare", "ours", "bare"]
    found = [list(side) for side in (walls.ours, walls.bare, walls.again)]
    assert found == [[5.0, 3.0, 4.0], [2.0, 2.5, 1.5], [2.1, 2.6, 1.6]]


def test_the_harness_is_judged_by_what_it_adds_to_the_bare_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, bare, again = (np.array([wall, 9000.0]) for wall in (5000.0, 4200.0, 4210.0))
    walls = _inference_cells._Walls(ours=ours, bare=bare, again=again)
    monkeypatch.setattr(_inference_cells, "_interleaved", lambda model, effort: walls)
    added, *ratios = SUITE["inference/overhead"].measure(TINY)
    assert "the bare loop beside itself: +0.01 µs" in added.note
    assert "the bare loop beside itself: 1.002; median of the pairs: 1.095" in ratios[0].note
    assert (added.value, added.baseline_value, added.verdict) == (pytest.approx(0.8), 4.2, "holds")
    assert [(found.value, found.verdict) for found in ratios] == [(pytest.approx(50 / 42), "does not hold")] * 2


def test_the_null_device_is_judged_by_the_whole_call(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*arguments: object, **options: object) -> SimpleNamespace:
        clock.advance(0.5)
        return SimpleNamespace(samples=range(1000))

    monkeypatch.setattr(_inference_cells, "_CLOCK", clock)
    monkeypatch.setattr(_inference_cells, "benchmark", slow)
    monkeypatch.setattr(_inference_cells, "_loop_rate", lambda: 3e6)
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    (found,) = SUITE["inference/null_device"].measure(TINY)
    assert (found.value, found.limit_value, found.verdict) == (2000.0, 3e6, "does not hold")
    assert math.isnan(found.baseline_value)
    assert "pip install 'tpukit[loadgen]'" in found.note


@pytest.mark.parametrize("name", ["inference/overhead", "inference/null_device", "inference/start_up"])
def test_a_cell_measures_something(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_inference_cells, "_NULL_S", 0.01)
    assert {found.verdict for found in SUITE[name].measure(TINY)} <= {"holds", "does not hold"}


def test_an_import_is_charged_for_what_it_adds_to_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    spans_s = {"pass": 0.010, "import tpukit": 0.025, "--help": 0.400}

    def timed(command: Sequence[str]) -> float:
        return spans_s[command[-1]]

    monkeypatch.setattr(_process_cells, "_timed", timed)
    found = list(SUITE["inference/start_up"].measure(TINY))
    assert [each.value for each in found] == pytest.approx([15.0, 400.0, 400.0])
    assert [each.verdict for each in found] == ["holds", "does not hold", "holds"]
    assert [each.baseline_value for each in found] == pytest.approx([10.0] * 3)


def test_a_process_that_fails_is_not_a_fast_one() -> None:
    with pytest.raises(TpukitError, match=r"ended with 3: no such thing$"):
        _process_cells._timed(
            [sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); raise SystemExit(3)"]
        )


@pytest.mark.parametrize("name", ["inference/report", "inference/tests"])
def test_what_the_quick_suite_leaves_out_says_so(name: str) -> None:
    (found,) = SUITE[name].measure(TINY)
    assert found.verdict == "not measured"
    assert "left out" in found.note


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two writers of three runs, killed once."""
    for name, value in (("_RUNS", 3), ("_WRITERS", 2), ("_KILLS", 1), ("_LARGE", 1000)):
        monkeypatch.setattr(_history_cells, name, value)


def write_with(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let writers be another program; its arguments are FILE RUNS QUERIES NAME."""
    monkeypatch.setattr(_history_cells, "_WORKER", ("-c", program))


@pytest.mark.fault
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["inference/history_appends", "inference/history_kills"])
def test_history_survives_writers_at_once_and_writers_killed(name: str) -> None:
    assert [(found.value, found.verdict) for found in SUITE[name].measure(TINY)] == [(0.0, "holds")] * 2


@pytest.mark.fault
@pytest.mark.usefixtures("small")
def test_a_history_that_loses_runs_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check itself: a run that was acknowledged and is not there counts as lost."""
    acknowledged = _history_cells._acknowledged
    monkeypatch.setattr(_history_cells, "_acknowledged", lambda ends: acknowledged(ends) | {"never-stored"})
    lost, torn = SUITE["inference/history_kills"].measure(TINY)
    assert (lost.value, lost.verdict) == (1.0, "does not hold")
    assert (torn.value, torn.verdict) == (0.0, "holds")


@pytest.mark.fault
@pytest.mark.usefixtures("small")
def test_writers_that_do_nothing_prove_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    write_with(monkeypatch, "raise SystemExit('line one\\nno space left')")
    for found in SUITE["inference/history_kills"].measure(TINY):
        assert found.verdict == "failed"
        assert "0 runs of 1000 queries acknowledged; at least 6 were to be" in found.note
        assert "2 of 2 writers ended by themselves, the first with: no space left" in found.note
        assert "nobody was seen writing at 1 of 1 kills" in found.note


@pytest.mark.fault
@pytest.mark.usefixtures("small")
def test_a_writer_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it stores, and writes nothing: the log never grows."""
    monkeypatch.setattr(_history_cells, "_PATIENCE_S", 0.5)
    write_with(monkeypatch, "import itertools\nfor i in itertools.count(): print(i, flush=True)")
    assert [found.verdict for found in SUITE["inference/history_kills"].measure(TINY)] == ["failed"] * 2


@pytest.mark.fault
@pytest.mark.usefixtures("small")
def test_errors_of_writers_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    write_with(monkeypatch, "raise SystemExit('no space left')")
    errors, missing = SUITE["inference/history_appends"].measure(TINY)
    assert (errors.value, errors.verdict) == (2.0, "does not hold")
    assert (missing.value, missing.verdict) == (6.0, "does not hold")
    assert errors.note.endswith("; one ended with: no space left")


@pytest.mark.fault
@pytest.mark.usefixtures("small")
def test_no_writer_outlives_a_cell_that_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    writers = []
    start = _history_cells._start

    def stop(path: object, victims: object) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(_history_cells, "_start", lambda *about: writers.append(start(*about)) or writers[-1])
    monkeypatch.setattr(_history_cells, "_someone_writes", stop)
    with pytest.raises(KeyboardInterrupt):
        list(SUITE["inference/history_kills"].measure(TINY))
    assert [writer.poll() for writer in writers] == [-9, -9]
