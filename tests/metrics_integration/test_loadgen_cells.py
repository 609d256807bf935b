"""The parity cells: runs are paired, sides take turns, and the distance is that of the median ratio."""

import math
import sys
from collections.abc import Callable

import pytest

from tpukit.errors import MissingDependencyError
from tpukit.inference import Settings, settings
from tpukit.metrics_integration import SUITE, Effort, _loadgen_cells

TINY = Effort(blocks=2, repeats=1, slow=False)
ASKED = settings("single_stream", duration_s=1.0)


def scripted(order: list[str], name: str, *p50_s: float) -> Callable[[str, Settings], dict[str, float]]:
    script = iter(p50_s)

    def side(model: str, asked: Settings) -> dict[str, float]:
        order.append(f"{name}{asked.seed}")
        p50 = next(script)
        return {"p50": p50, "p90": 2 * p50, "p99": 3 * p50, "throughput": 1 / p50}

    return side


def test_sides_take_turns_and_share_a_seed_within_a_pair() -> None:
    order: list[str] = []
    sides = {name: scripted(order, name, 1.0, 1.0, 1.0) for name in ("ours", "theirs", "beside")}
    _loadgen_cells._in_turn("any", ASKED, sides, Effort(blocks=1, repeats=3, slow=False))
    assert order == ["ours0", "theirs0", "beside0", "theirs1", "beside1", "ours1", "beside2", "ours2", "theirs2"]


def test_a_pair_is_compared_before_the_pairs_are() -> None:
    sides = {
        "ours": scripted([], "ours", 1.0, 20.0, 3.3),
        "theirs": scripted([], "theirs", 2.0, 10.0, 3.0),
        "beside": scripted([], "beside", 2.0, 10.0, 3.3),
    }
    pairs = _loadgen_cells._in_turn("any", ASKED, sides, Effort(blocks=1, repeats=3, slow=False))
    # ratios 0.5, 2 and 1.1: the median of them, not the ratio of medians
    p50, p90, p99, rate = _loadgen_cells._findings("any", pairs, baseline="none", note="")
    assert [found.value for found in (p50, p90, p99)] == [pytest.approx(10.0)] * 3
    assert [found.verdict for found in (p50, p90, p99)] == ["does not hold", "does not hold", "holds"]
    assert rate.value == pytest.approx(100 - 100 / 1.1)
    assert p50.baseline_value == pytest.approx(0.0)
    assert "3 pairs, tpukit / LoadGen 1.1 (0.5 to 2)" in p50.note


def test_to_be_faster_is_no_parity_either() -> None:
    sides = {"ours": scripted([], "o", 0.9), "theirs": scripted([], "t", 1.0), "beside": scripted([], "b", 1.0)}
    p50, *_ = _loadgen_cells._findings("any", _loadgen_cells._in_turn("any", ASKED, sides, TINY), baseline="", note="")
    assert (p50.value, p50.verdict) == (pytest.approx(10.0), "does not hold")


@pytest.mark.parametrize("name", ["loadgen/single_stream", "loadgen/server"])
def test_a_cell_measures_every_quantity_of_every_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loadgen_cells, "_RUN_S", 0.02)
    monkeypatch.setattr(_loadgen_cells, "_MODELS", (("digits_cnn_int8", 1), ("autoencoder_int8", 2)))
    found = list(SUITE[name].measure(TINY))
    assert len(found) == 8
    assert all(math.isfinite(each.value) and math.isfinite(each.baseline_value) for each in found)
    assert "autoencoder_int8, batch 2" in found[-1].what


def test_without_loadgen_a_cell_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loadgen_cells, "_RUN_S", 0.02)
    monkeypatch.setitem(sys.modules, "mlperf_loadgen", None)
    with pytest.raises(MissingDependencyError, match="loadgen"):
        list(SUITE["loadgen/single_stream"].measure(TINY))


def test_an_overloaded_run_is_timed_beside_loadgens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_loadgen_cells, "_OVERLOAD_S", 0.5)
    (found,) = SUITE["loadgen/overload"].measure(TINY)
    assert found.note.startswith("INVALID: overloaded: stopped after ")
    assert not found.failed
    assert found.goal == 1.5
    # LoadGen answers all of what comes five times too fast
    assert found.baseline_value > 1.5
    assert found.baseline == "LoadGen, which answers every query: INVALID"
