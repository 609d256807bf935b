"""What a run can be asked for, and what is said to what it cannot."""

import math
from typing import Any

import pytest

from tpukit.errors import ConfigError, UnknownNameError
from tpukit.inference import Model, Settings, benchmark
from tpukit.testing import FakeDevice, ManualClock

GOOD = {"scenario": "single_stream", "duration_s": 1.0, "min_queries": 1, "threads": 1, "batch": 1, "seed": 0}


def test_the_least_settings_are_taken() -> None:
    settings = Settings(**GOOD | {"duration_s": 1e-9})
    assert (settings.duration_s, settings.min_queries, settings.threads, settings.batch) == (1e-9, 1, 1, 1)


@pytest.mark.parametrize("duration_s", [0, 0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_duration_is_a_positive_number(duration_s: float) -> None:
    with pytest.raises(
        ConfigError, match=f"^duration is {duration_s} s: expected a number of seconds above 0, up to 1e\\+07$"
    ):
        Settings(**GOOD | {"duration_s": duration_s})


@pytest.mark.parametrize("name", ["min_queries", "threads", "batch"])
@pytest.mark.parametrize("value", [0, -1, True, 1.0, 2.5, "2", None])
def test_a_count_is_a_whole_number_from_one(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{name} is {value!r}: expected a whole number from 1 to [0-9]+$"):
        Settings(**GOOD | {name: value})


@pytest.mark.parametrize("value", [-1, False, 0.0, "0", None])
def test_a_seed_is_a_whole_number_from_zero(value: object) -> None:
    with pytest.raises(ConfigError, match=f"^seed is {value!r}: expected a whole number from 0 to {2**63 - 1}$"):
        Settings(**GOOD | {"seed": value})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scenario": "singlestream"}, r"^unknown scenario 'singlestream': did you mean single_stream\?$"),
        ({"scenario": "zzz"}, r"^unknown scenario 'zzz': choose one of offline, single_stream$"),
        ({"device": "cpuu"}, r"^unknown device 'cpuu': did you mean cpu\?$"),
        ({"device": "zzz"}, r"^unknown device 'zzz': choose one of cpu, .*reference"),
        ({"model": "digits_cnn_int"}, r"^unknown model 'digits_cnn_int': did you mean digits_cnn_int8 or "),
    ],
)
def test_an_unknown_name_offers_known_ones(given: dict[str, str], message: str, toy: Model) -> None:
    with pytest.raises(UnknownNameError, match=message):
        benchmark(**{"model": toy} | given)


@pytest.mark.parametrize(
    "given",
    [
        {"duration_s": 0},
        {"duration_s": "1"},
        {"duration_s": None},
        {"duration_s": True},
        {"threads": 0},
        {"batch": True},
        {"min_queries": 0.5},
        {"seed": -1},
        {"scenario": "x"},
    ],
)
def test_bad_settings_are_refused_before_anything_is_loaded(
    given: dict[str, Any], toy: Model, clock: ManualClock
) -> None:
    device = FakeDevice([0.001], clock=clock)
    with pytest.raises((ConfigError, UnknownNameError)):
        benchmark(toy, device, clock=clock, **given)
    assert (device.loaded, clock.now()) == ([], 0.0)


def test_settings_are_kept_with_the_run(toy: Model, clock: ManualClock, quiet: None) -> None:
    given = {"duration_s": 2.0, "min_queries": 7, "threads": 3, "batch": 2, "seed": 5}
    result = benchmark(toy, FakeDevice([0.01], clock=clock), "offline", clock=clock, **given)
    run, summary = result.run.iloc[0], result.summary.iloc[0]
    assert {name: run[name] for name in given} == given
    assert (run["scenario"], run["model"], run["device"], run["data"]) == ("offline", "toy", "fake", "random")
    assert [summary[name] for name in ("scenario", "threads", "batch")] == ["offline", 3, 2]
