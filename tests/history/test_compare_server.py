"""Runs of the server scenario: their schedule must agree, and a bound that is not kept any more is slower."""

from array import array
from typing import Any

import pandas as pd
import pytest

from tests.history._frames import Frames, measured, together
from tpukit.errors import IncomparableRunsError
from tpukit.history import History
from tpukit.inference._rules import judge
from tpukit.inference._scenarios import steady
from tpukit.inference._settings import settings
from tpukit.inference._timeline import NEVER, Timeline

MS = 1_000_000
SERVER: dict[str, Any] = {
    "scenario": "server", "metric": "percentile_s", "rate_hz": 100.0, "latency_bound_s": 0.01, "percentile": 0.99,
    "seed": 0,
}  # fmt: skip


def why(latency_ms: float, *, waited_ms: float = 0.0, queries: int = 1000, **given: Any) -> str:
    """Return what a run of such queries, part of whose latency was waiting, says in the words of `inference`."""
    due = [10 * MS * at for at in range(queries)]
    starts = [time + round(waited_ms * MS) for time in due]
    ends = [time + round(latency_ms * MS) for time in due]
    if given.get("failure"):
        ends[-1] = NEVER
        given["failed"] = queries - 1
    timeline = Timeline(starts=array("q", starts), ends=array("q", ends), due=array("q", due), **given)
    wanted = settings("server", duration_s=1.0, min_queries=1, rate_hz=100.0, latency_bound_s=0.01)
    bounds = steady(duration_s=wanted.duration_s, min_queries=wanted.min_queries, max_queries=10**9)
    return "; ".join(judge(timeline, settings=wanted, bounds=bounds))


OVER, OVERLOADED = why(20.0), why(20.0, overloaded=True)
QUEUED = why(20.0, waited_ms=19.0, overloaded=True)
NO_FAULT = {
    "cut short": why(20.0, cut_short=True),
    "failed": why(20.0, failure="hot"),
    "too few queries": why(20.0, queries=100),
}


def runs(name: str, *, number: int = 3, at: int = 0, reasons: str = "", **changes: Any) -> list[Frames]:
    verdict = "INVALID" if reasons else "VALID"
    return [
        measured(
            f"{name}{at + each}",
            at=at + each,
            name=name,
            value=0.005,
            verdict=verdict,
            reasons=reasons,
            **SERVER | changes,
        )
        for each in range(number)
    ]


def compared(history: History, *sets: list[Frames]) -> dict[str, Any]:
    history.append(*together(*(run for each in sets for run in each)))
    (row,) = history.compare("before", "after").to_dict("records")
    return row


@pytest.mark.parametrize("reason", [OVER, OVERLOADED, QUEUED, f"{OVER}; no baseline, reference was INVALID: failed"])
def test_a_side_that_keeps_its_bound_no_more_is_slower(history: History, reason: str) -> None:
    row = compared(history, runs("before"), runs("after", at=50, number=2, reasons=reason))
    assert (row["verdict"], row["base_runs"], row["new_runs"]) == ("slower", 3, 0)
    assert pd.isna(row["ratio"])
    assert row["reason"] == (
        f"every run of the new side (2) is INVALID, over the latency bound that the other's (3) keep: {reason}"
    )


def test_a_side_that_keeps_its_bound_again_is_faster(history: History) -> None:
    row = compared(history, runs("before", reasons=OVERLOADED), runs("after", at=50))
    assert row["verdict"] == "faster"
    assert row["reason"].startswith("every run of the base (3) is INVALID, over the latency bound")


@pytest.mark.parametrize("reason", NO_FAULT.values(), ids=NO_FAULT)
def test_a_run_that_is_invalid_for_another_reason_does_not_count(history: History, reason: str) -> None:
    history.append(*together(*runs("before"), *runs("after", at=50, reasons=reason)))
    with pytest.raises(IncomparableRunsError, match="of 3 runs of the new side, 3 left out: INVALID"):
        history.compare("before", "after")


def test_the_runs_that_do_not_count_are_told_beside_those_over_the_bound(history: History) -> None:
    row = compared(
        history,
        runs("before"),
        runs("after", at=50, number=2, reasons=OVER),
        runs("after", at=60, number=1, reasons=NO_FAULT["cut short"]),
    )
    assert row["verdict"] == "slower"
    assert row["reason"].endswith("; of 3 runs of the new side, 1 left out: INVALID")


def test_a_bound_that_one_new_run_keeps_is_judged_by_that(history: History) -> None:
    row = compared(history, runs("before"), runs("after", at=50, reasons=OVER), runs("after", at=70, number=1))
    assert (row["verdict"], row["ratio"]) == ("cannot tell", 1.0)


def test_a_bound_that_one_run_of_the_base_does_not_keep_decides_nothing(history: History) -> None:
    odd = runs("before", at=70, number=1, reasons=OVER)
    history.append(*together(*runs("before"), *runs("after", at=50, reasons=OVER), *odd))
    with pytest.raises(IncomparableRunsError, match="of 3 runs of the new side, 3 left out: INVALID"):
        history.compare("before", "after")


def test_a_run_over_its_bound_is_one_where_the_rules_say_so() -> None:
    assert "over the bound of 10 ms" in OVER
    assert QUEUED.startswith("overloaded: ")
    assert OVERLOADED.startswith("stopped after ")
    assert "longer than the bound of 10 ms" in OVERLOADED
    assert all("over the bound" in reason or "queries" in reason for reason in NO_FAULT.values())


def test_another_schedule_of_arrivals_is_another_cell(history: History) -> None:
    history.append(*together(*runs("before"), *runs("after", at=50, seed=1)))
    with pytest.raises(IncomparableRunsError, match=r"the nearest differ in seed \(0, 1\)"):
        history.compare("before", "after")


def test_elsewhere_the_seed_is_no_schedule_and_only_told(history: History) -> None:
    alike = [measured(f"{name}", at=at, name=name, seed=at) for at, name in enumerate(("before", "after"))]
    assert compared(history, alike)["differs"] == "seed 0 → 1"
