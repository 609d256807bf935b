"""A meter's log beside stored runs: what is replaced, what is left, and what is said."""

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.history._frames import frames
from tpukit import schema
from tpukit.cli import run as cli
from tpukit.errors import ConfigError, CorruptEntryError, SchemaError, UnknownNameError
from tpukit.history import History
from tpukit.sensors import Meter
from tpukit.workflows import attach_meter

S = 10**9
ZERO = pd.Timestamp("2026-11-23T10:00:00Z")
IDLE_W, BUSY_W = 2.0, 5.0

Store = Callable[..., None]


def keep(history: History, run_id: str, at_s: float, **result: Any) -> None:
    """Store a run that started `at_s` after ten and was steady from 1 s later for 20 s."""
    runs, samples, results = frames(run_id)
    started = ZERO + pd.Timedelta(seconds=at_s)
    stamps = {"started": started, "steady_started": started + pd.Timedelta(seconds=1)}
    results_of = {"steady_s": 20.0, "load_s": 0.5, "first_s": 0.1, "warmup_s": 0.4} | result
    record = {str(name): value for name, value in runs.iloc[0].items()} | stamps
    summary = {str(name): value for name, value in results.iloc[0].items()} | results_of
    history.append(schema.frame([record], schema.RUNS), samples, schema.frame([summary], schema.RESULTS))


@pytest.fixture
def store(history: History) -> Store:
    return partial(keep, history)


def log(first_s: float, last_s: float, busy: tuple[tuple[float, float], ...] = ()) -> Meter:
    """Return a log of ten readings a second: BUSY_W in the given spans, IDLE_W else; the edges lie between readings."""
    seconds = np.arange(round(first_s * 10), round(last_s * 10)) / 10
    is_busy = np.any([(seconds > a) & (seconds < b) for a, b in busy] or [np.zeros(len(seconds), bool)], axis=0)
    times = ZERO.value + (seconds * S).round().astype(np.int64)
    return Meter(name="log.csv", time_ns=times, power_w=np.where(is_busy, BUSY_W, IDLE_W))


def stored(history: History, run_id: str) -> pd.Series:
    return history.to_frame().set_index("run_id").loc[run_id]


def test_a_covered_run_gets_its_energy_and_loses_nothing_else(history: History, store: Store) -> None:
    store("a", 20, energy_j=7.0, energy_source="rapl: package-0", idle_power_w=1.0, net_energy_j=6.0)
    before = stored(history, "a")
    (row,) = attach_meter(history, log(0, 60, busy=((20, 42),))).to_dict("records")
    assert (row["run_id"], row["model"], row["note"]) == ("a", "digits", "at rest before it")
    assert row["energy_j"] == pytest.approx(20 * BUSY_W)
    assert row["idle_power_w"] == pytest.approx(IDLE_W)
    assert row["net_energy_j"] == pytest.approx(20 * (BUSY_W - IDLE_W))
    after = stored(history, "a")
    changed = ["energy_source", "energy_j", "idle_power_w", "net_energy_j"]
    assert after["energy_source"] == "meter: log.csv (all that it feeds; at rest before it)"
    assert after[changed[1:]].tolist() == [row[name] for name in changed[1:]]
    pd.testing.assert_series_equal(after.drop(changed), before.drop(changed))
    assert len(history.samples("a")) == 5
    history.check()


def test_rest_is_that_of_the_last_time_when_nothing_ran(history: History, store: Store) -> None:
    for run_id, at_s in (("a", 20), ("b", 41.5), ("c", 63)):
        store(run_id, at_s)
    table = attach_meter(history, log(0, 90, busy=((19, 85),))).set_index("run_id")
    assert table["note"].tolist() == ["at rest before it", "at rest before a", "at rest before a"]
    assert table["net_energy_j"].tolist() == pytest.approx([60, 60, 60])


@pytest.mark.parametrize(
    ("after_s", "failed", "note"),
    [
        (22, {}, "at rest before it"),
        (21.9, {}, "at rest before a"),
        (42, {"accuracy_n": 200, "throughput_per_s": 10.0}, "at rest before it"),
        (41.9, {"accuracy_n": 200, "throughput_per_s": 10.0}, "at rest before a"),
        (2, {"steady_s": math.nan}, "at rest before it"),
        (1.9, {"steady_s": math.nan}, "at rest before a"),
    ],
)
def test_a_run_is_busy_until_ten_seconds_after_its_last_sign_of_life(
    after_s: float, failed: dict[str, float], note: str, history: History, store: Store
) -> None:
    store("a", 20, **failed)
    store("b", 41 + after_s)
    assert attach_meter(history, log(0, 120), ["b"])["note"].item() == note


@pytest.mark.parametrize("seed", range(12))
def test_idle_power_is_true_or_missing(seed: int, history: History) -> None:
    """Importing takes 4 s before a run, peaks and storing 8 s after it; a failed one lasts 1 s of its steady state."""
    rng = np.random.default_rng(seed)
    first_s, end_s, busy = rng.uniform(0, 60), 40.0, []
    for number, (gap_s, fails) in enumerate(zip(rng.uniform(0, 40, 4), [*rng.integers(2, size=3), 0], strict=True)):
        at_s = end_s + gap_s + 4.0
        keep(history, f"run{number}", at_s, **({"steady_s": math.nan} if fails else {}))
        end_s = at_s + (2.0 if fails else 21.0) + 8.0
        busy.append((at_s - 4.05, end_s + 0.05))
    table = attach_meter(history, log(first_s, end_s + 60, busy=tuple(busy)))
    idle = table["idle_power_w"]
    assert (idle.isna() | np.isclose(idle, IDLE_W)).all(), table["note"].tolist()
    if first_s < 32:  # 12 s before the first run
        assert idle.notna().all()


def test_a_run_without_rest_in_the_log_has_no_net_energy_and_says_what_to_do(history: History, store: Store) -> None:
    store("a", 10)
    (row,) = attach_meter(history, log(9, 60, busy=((0, 99),))).to_dict("records")
    assert row["energy_j"] == pytest.approx(100)
    assert math.isnan(row["net_energy_j"])
    assert row["note"] == (
        "power at rest is not known: in the 2 s that end 10 s before it, the meter covers 2026-11-23 10:00:09 to "
        "10:00:59 UTC, not 09:59:58 to 10:00:00; with the meter on, leave the machine alone for 30 s before the first "
        "run"
    )
    assert row["note"] in stored(history, "a")["energy_source"]


@pytest.mark.parametrize(
    ("first_s", "note"), [(60, "at rest before a"), (20, "power at rest is not known: in the 2 s")]
)
def test_rest_of_another_hour_is_not_taken(first_s: float, note: str, history: History, store: Store) -> None:
    store("a", first_s)
    store("b", 3631)  # the log resumes too late for a rest before it
    store("c", 3653)
    parts = log(0, 100), log(3630, 3700)
    whole = Meter(
        name="log.csv",
        time_ns=np.concatenate([part.time_ns for part in parts]),
        power_w=np.concatenate([part.power_w for part in parts]),
    )
    assert attach_meter(history, whole, ["c"])["note"].item().startswith(note)


def test_a_gap_costs_the_run_its_energy_and_names_itself(history: History, store: Store) -> None:
    store("a", 10)
    whole = log(0, 60)
    keep = (np.arange(600) < 200) | (np.arange(600) > 229)
    (row,) = attach_meter(
        history, Meter(name="log.csv", time_ns=whole.time_ns[keep], power_w=whole.power_w[keep])
    ).to_dict("records")
    assert math.isnan(row["energy_j"])
    assert row["note"] == "no reading for 3.1 s at 2026-11-23 10:00:19 UTC (the median interval is 0.1 s)"
    kept = stored(history, "a")
    assert kept["energy_source"] == f"none: {row['note']} (meter: log.csv)"
    assert math.isnan(kept["energy_j"])


def test_what_was_measured_is_not_replaced_by_nothing(history: History, store: Store) -> None:
    store("a", 10, energy_j=7.0, energy_source="rapl: package-0")
    (row,) = attach_meter(history, log(0, 20)).to_dict("records")
    assert row["note"].startswith("left as it was: the meter covers 2026-11-23 10:00:00 to 10:00:19 UTC")
    kept = stored(history, "a")
    assert (kept["energy_j"], kept["energy_source"]) == (7.0, "rapl: package-0")


def test_only_the_runs_that_are_named_are_touched(history: History, store: Store) -> None:
    store("a", 10)
    store("b", 40)
    assert attach_meter(history, log(0, 90), ["b", "b"])["run_id"].tolist() == ["b"]
    assert math.isnan(stored(history, "a")["energy_j"])
    assert stored(history, "b")["energy_j"] == pytest.approx(40)


def test_a_meter_in_another_zone_is_found_out(history: History, store: Store) -> None:
    store("a", 10 + 3600)
    with pytest.raises(
        ConfigError, match=r"covers none of 1 runs; of the newest, a: .*moved by \+1 h it would cover it"
    ):
        attach_meter(history, log(0, 60))
    assert "moved by +1 h" in attach_meter(history, log(0, 60), ["a"])["note"].item()
    assert "moved by +1 h" in stored(history, "a")["energy_source"]


def test_a_clock_set_back_before_the_steady_state_is_found_out(history: History, store: Store) -> None:
    store("a", 10, warmup_s=3.0)
    assert attach_meter(history, log(0, 60))["note"].item().startswith("the machine's clock was set back")


def test_runs_without_a_place_in_time_are_refused(history: History, store: Store) -> None:
    with pytest.raises(ConfigError, match="no run of this history says when its steady state was"):
        attach_meter(history, log(0, 60))
    history.append(*frames("old"))
    store("a", 10)
    with pytest.raises(ConfigError, match="run old does not say when its steady state was"):
        attach_meter(history, log(0, 60), ["old"])
    with pytest.raises(UnknownNameError, match="unknown run 'b': choose one of a, old"):
        attach_meter(history, log(0, 60), ["b"])
    assert attach_meter(history, log(0, 60))["run_id"].tolist() == ["a"]


def test_an_amendment_is_checked_before_anything_is_written(history: History, store: Store) -> None:
    store("a", 10, energy_j=7.0)
    for columns, says in (
        ({"model": "b"}, "column model says what the run was and cannot be amended"),
        ({"energy_wh": 1.0}, "RESULTS has no column energy_wh"),
        ({"energy_j": "much"}, "column energy_j of RESULTS must be float64"),
        ({"energy_source": 1}, "column energy_source of RESULTS must be str"),
    ):
        with pytest.raises(SchemaError, match=says):
            history.amend("a", columns)
    with pytest.raises(UnknownNameError, match="unknown run 'b'"):
        history.amend("b", {"energy_j": 1.0})
    assert stored(history, "a")["energy_j"] == 7.0
    history.amend("a", {"energy_j": math.nan, "throttled": 2**62, "energy_source": "none"})
    after = stored(history, "a")
    assert math.isnan(after["energy_j"])
    assert (after["throttled"], after["energy_source"]) == (2**62, "none")


def test_an_amendment_does_not_cover_damage_up(history: History, store: Store) -> None:
    store("a", 10)
    with closing(sqlite3.connect(history.path)) as connection, connection:
        connection.execute("UPDATE runs SET result = replace(result, 'digits', 'digitz')")
    with pytest.raises(CorruptEntryError, match=r"run a in .* is damaged"):
        history.amend("a", {"energy_j": 1.0})


def test_the_command_tells_each_run_and_ends_1_where_none_got_energy(
    history: History, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store("a", 20)
    path = tmp_path / "log.csv"
    rows = [f"2026-11-23 11:{second // 60:02}:{second % 60:02},{2000 + second}" for second in range(60)]
    path.write_text("\n".join(["Time,Power(mW)", *rows]))
    given = ["history", "meter", str(path), "--history", str(history.path)]
    assert cli(given) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"tpukit: meter {path}: the meter's times, such as 2026-11-23 11:00:00, bear no zone")
    assert cli([*given, "--timezone", "Europe/Berlin", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["energy_j"] == pytest.approx(20 * 2.031)
    assert cli([*given, "--timezone", "Europe/Berlin"]) == 0
    assert "at rest before it" in capsys.readouterr().out
    assert cli([*given, "--timezone", "Europe/London", "--run", "a"]) == 1
    said = capsys.readouterr()
    assert "moved by -1 h it would cover it" in said.out
    assert said.err == "tpukit: no run's energy could be taken from the meter: see the notes\n"
