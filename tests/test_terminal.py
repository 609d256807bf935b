"""What a terminal shows of results: at any usual width whole numbers, the wanted ones first."""

from itertools import product
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from tpukit import schema, terminal

ROW = {
    "run_id": "r", "scenario": "server", "samples_per_query": 1, "latency_bound_s": 0.01, "n": 500, "over_bound": 2,
    "p50_s": 0.0351, "p90_s": 0.0452, "p99_s": 0.0553, "throughput_per_s": 396.4, "speedup": 0.123,
    "fraction_of_peak": 0.0625, "accuracy": 0.95556, "accuracy_n": 540, "energy_j": 12.0, "net_energy_j": 2.0,
    "warnings": "unstable: latency drifted",
}  # fmt: skip


def wide(scenario: str = "server") -> pd.DataFrame:
    """Two models on two devices, with as many columns as there can be."""
    axes = product(("mobilenet_v1_025_int8", "digits_cnn_int8"), ("reference", "cpu"), (1, 2), (1, 4), (100.0, 400.0))
    verdicts = {"reference": "INVALID", "cpu": "VALID"}
    rows: list[dict[str, Any]] = [
        ROW | {"model": m, "device": d, "threads": t, "batch": b, "rate_hz": r, "verdict": verdicts[d]}
        for m, d, t, b, r in axes
    ]
    alone = {"scenario": scenario} | ({} if scenario == "server" else {"rate_hz": None, "latency_bound_s": None})
    return schema.frame([row | alone for row in rows], schema.RESULTS)


def shown(results: pd.DataFrame, width: int, capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(terminal, "_console", lambda: Console(width=width))
        terminal.show_results(results)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [80, 100, 120, 160, 240])
@pytest.mark.parametrize("scenario", ["server", "single_stream"])
def test_p99_and_the_verdict_are_whole_at_every_width(
    scenario: str, width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    heading, columns, *rows = shown(wide(scenario), width, capsys)
    assert heading.startswith(f"scenario {scenario}")
    assert max(map(len, (columns, *rows))) <= width
    assert "p99 ms" in columns
    table = rows[:32]
    assert all("55.3" in row for row in table)
    assert all(("INVALID" if "reference" in row else "VALID") in row for row in table)


def test_what_is_least_wanted_goes_first(capsys: pytest.CaptureFixture[str]) -> None:
    columns = {width: shown(wide(), width, capsys)[1] for width in (80, 120, 240)}
    assert all(name in columns[240] for name in ("p90 ms", "over bound", "mJ/sample", "% of limit", "accuracy"))
    assert [name for name in ("p50 ms", "× baseline", "p90 ms", "accuracy") if name in columns[120]] == [
        "p50 ms",
        "× baseline",
    ]
    assert [name for name in ("p50 ms", "× baseline") if name in columns[80]] == []


def test_an_unstable_verdict_is_a_star_where_its_word_has_no_room(capsys: pytest.CaptureFixture[str]) -> None:
    narrow, wider = shown(wide(), 80, capsys), shown(wide(), 240, capsys)
    assert narrow[0].endswith("(* unstable)")
    assert "VALID *" in narrow[2]
    assert "unstable" not in narrow[2]
    assert "INVALID, unstable" in wider[2]
    assert "(* unstable)" not in wider[0]
