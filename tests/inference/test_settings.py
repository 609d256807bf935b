"""What a run can be asked for, and what is said to what it cannot."""

import math
from typing import Any

import pytest

from tpukit.errors import ConfigError, UnknownNameError
from tpukit.inference import Model, Settings, benchmark, settings
from tpukit.testing import FakeDevice, ManualClock

GOOD = {
    "scenario": "single_stream", "duration_s": 1.0, "min_queries": 1, "threads": 1, "batch": 1, "samples_per_query": 1,
    "seed": 0, "rate_hz": None, "latency_bound_s": None, "percentile": 0.9,
}  # fmt: skip
SERVER = GOOD | {"scenario": "server", "rate_hz": 10.0, "latency_bound_s": 0.01, "percentile": 0.99}


def test_the_least_settings_are_taken() -> None:
    settings = Settings(**GOOD | {"duration_s": 1e-9})
    assert (settings.duration_s, settings.min_queries, settings.threads, settings.batch) == (1e-9, 1, 1, 1)


@pytest.mark.parametrize("duration_s", [0, 0.0, -1.0, math.nan, math.inf, -math.inf])
def test_a_duration_is_a_positive_number(duration_s: float) -> None:
    with pytest.raises(
        ConfigError, match=f"^duration is {duration_s} s: expected a number of s above 0, up to 10,000,000$"
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
        (
            {"scenario": "singlestream"},
            r"^unknown scenario 'singlestream': did you mean single_stream or multi_stream\?$",
        ),
        ({"scenario": "zzz"}, r"^unknown scenario 'zzz': choose one of multi_stream, offline, server, single_stream$"),
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
        {"min_queries": 0},
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


@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf, True, "1", None])
def test_a_rate_and_a_bound_are_positive_numbers(value: object) -> None:
    with pytest.raises(
        ConfigError, match=r"^rate is .* queries/s: expected a number of queries/s above 0, up to 1,000,000$"
    ):
        Settings(**SERVER | {"rate_hz": value})
    with pytest.raises(ConfigError, match=r"^latency bound is .* s: expected a number of s above 0, up to 10,000,000$"):
        Settings(**SERVER | {"latency_bound_s": value})


@pytest.mark.parametrize("value", [0, 0.1, 0.99999, 1.0, 100, 99, -0.9, math.nan, True, "0.9"])
def test_a_percentile_is_a_share_that_can_be_proved(value: object) -> None:
    with pytest.raises(ConfigError, match=r"^percentile is .*: expected a share from 0.5 to 0.9999, such as 0.99$"):
        settings("single_stream", percentile=value)


@pytest.mark.parametrize(
    ("scenario", "given", "message"),
    [
        ("single_stream", {"rate_hz": 5.0}, "^rate_hz does not go with single_stream: it is for server$"),
        ("offline", {"latency_bound_s": 1.0}, "^latency_bound_s does not go with offline: it is for server$"),
        ("offline", {"percentile": 0.9}, "^percentile does not go with offline: it is for single_stream and "),
        ("single_stream", {"samples_per_query": 8}, "^samples_per_query does not go with single_stream: use multi_"),
        ("multi_stream", {"samples_per_query": 6, "batch": 4}, "^samples_per_query is 6: expected a multiple of the "),
        ("server", {}, "^server needs rate_hz, "),
        ("server", {"rate_hz": 1e-12}, r"^rate is 1e-12 queries/s: expected 0.001 at least$"),
        ("server", {"rate_hz": 2e6}, r"^rate is 2000000.0 queries/s: .* up to 1,000,000$"),
        ("single_stream", {"profile": "mlpref"}, r"^unknown profile 'mlpref': did you mean mlperf\?$"),
    ],
)
def test_what_does_not_go_together_is_refused(scenario: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        settings(scenario, **given)


@pytest.mark.parametrize(
    ("scenario", "given", "expected"),
    [
        ("single_stream", {}, (10.0, 100, 1, 0.9, None)),
        ("single_stream", {"percentile": 0.99}, (10.0, 662, 1, 0.99, None)),
        ("single_stream", {"profile": "mlperf", "batch": 4}, (600.0, 100, 4, 0.9, None)),
        ("multi_stream", {"duration_s": 3.0}, (3.0, 662, 8, 0.99, None)),
        ("multi_stream", {"batch": 3}, (10.0, 662, 9, 0.99, None)),
        ("server", {"rate_hz": 1.0}, (10.0, 459, 1, 0.99, 0.01)),
        ("server", {"rate_hz": 1.0, "percentile": 0.9, "latency_bound_s": 0.5}, (10.0, 100, 1, 0.9, 0.5)),
        ("offline", {"min_queries": 7}, (10.0, 7, 1, None, None)),
    ],
)
def test_what_nobody_says_follows_from_profile_and_scenario(
    scenario: str, given: dict[str, Any], expected: tuple[object, ...]
) -> None:
    found = settings(scenario, **given)
    assert (
        found.duration_s, found.min_queries, found.samples_per_query, found.percentile, found.latency_bound_s
    ) == expected  # fmt: skip


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "latest", "latest~1", "toy"])
def test_a_name_by_which_no_run_could_be_found_is_refused(name: str, toy: Model, clock: ManualClock) -> None:
    device = FakeDevice([0.01], clock=clock)
    with pytest.raises(ConfigError, match=r"^name is "):
        benchmark(toy, device, clock=clock, name=name)
    assert device.loaded == []
