"""What a run can be asked for: settings, their defaults by scenario, and what is said to those that cannot be."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tpukit import stats
from tpukit.errors import ConfigError, UnknownNameError
from tpukit.inference._scenarios import SCENARIOS, Arrival, Scenario

# beyond these the runtimes overflow, or a run would outlive its machine
_MAX_DURATION_S = 1e7
#: Twice what the generator was seen to issue to a device that answers at once; between, a run says that it could not.
MAX_RATE_HZ = 1e6
_MIN_RATE_HZ = 0.001
_WHOLE = {
    "min_queries": (1, 10**12),
    "threads": (1, 1024),
    "batch": (1, 2**16),
    "samples_per_query": (1, 2**20),
    "seed": (0, 2**63 - 1),
}
_LEAST_QUERIES = 100
# at 0.9999 early stopping needs 46,050 queries
_PERCENTILES = (0.5, 0.9999)


#: Seconds of a run where nobody says: `default` is for a first answer, `mlperf` what mlperf.conf wants.
PROFILES = {"default": 10.0, "mlperf": 600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How one run is made; `settings` fills in what nobody says.

    `rate_hz` and `latency_bound_s` are None outside server, `percentile` in offline. Raises ConfigError on what cannot
    be used, UnknownNameError for an unknown scenario.
    """

    scenario: str
    duration_s: float
    min_queries: int
    threads: int
    batch: int
    samples_per_query: int
    seed: int
    rate_hz: float | None
    latency_bound_s: float | None
    percentile: float | None

    def __post_init__(self) -> None:
        scenario = _scenario(self.scenario)
        _check_above_0("duration", self.duration_s, unit="s", most=_MAX_DURATION_S)
        for name, (least, most) in _WHOLE.items():
            _check_whole(name, getattr(self, name), least, most)
        if self.samples_per_query % self.batch:
            raise ConfigError(
                f"samples_per_query is {self.samples_per_query}: expected a multiple of the batch, {self.batch}"
            )
        if scenario.arrival is Arrival.BY_SCHEDULE:
            _check_above_0("rate", self.rate_hz, unit="queries/s", most=MAX_RATE_HZ)
            if (self.rate_hz or 0.0) < _MIN_RATE_HZ:
                raise ConfigError(f"rate is {self.rate_hz!r} queries/s: expected {_MIN_RATE_HZ} at least")
            _check_above_0("latency bound", self.latency_bound_s, unit="s", most=_MAX_DURATION_S)
        if scenario.percentile is not None:
            _check_percentile(self.percentile)


def settings(  # noqa: PLR0913 each is named by the caller
    scenario: str,
    *,
    profile: str = "default",
    duration_s: float | None = None,
    min_queries: int | None = None,
    threads: int = 1,
    batch: int = 1,
    seed: int = 0,
    samples_per_query: int | None = None,
    rate_hz: float | None = None,
    latency_bound_s: float | None = None,
    percentile: float | None = None,
) -> Settings:
    """Return the settings of a run, what is None filled in by profile and scenario.

    A query of multi_stream is 8 samples (of a larger batch: one batch), the percentile is 0.9 in single_stream and 0.99
    in multi_stream and server, the latency bound 10 ms: all as in LoadGen's mlperf.conf. `min_queries` is 100, or what
    LoadGen's early stopping needs at that percentile. Raises ConfigError too for an option that the scenario does not
    have, and where server has no rate.

    >>> found = settings("multi_stream")
    >>> found.samples_per_query, found.percentile, found.min_queries
    (8, 0.99, 662)
    """
    kind = _scenario(scenario)
    if profile not in PROFILES:
        raise UnknownNameError("profile", profile, PROFILES)
    _check_options(kind, rate_hz=rate_hz, latency_bound_s=latency_bound_s, percentile=percentile)
    if kind.samples == 1 and samples_per_query not in (None, batch):
        raise ConfigError(f"samples_per_query does not go with {scenario}: use multi_stream, or a batch")
    percentile = kind.percentile if percentile is None else percentile
    by_schedule = kind.arrival is Arrival.BY_SCHEDULE
    return Settings(
        scenario=scenario,
        duration_s=PROFILES[profile] if duration_s is None else duration_s,
        min_queries=_least(kind, percentile) if min_queries is None else min_queries,
        threads=threads,
        batch=batch,
        samples_per_query=_samples(kind, batch) if samples_per_query is None else samples_per_query,
        seed=seed,
        rate_hz=rate_hz,
        latency_bound_s=0.01 if by_schedule and latency_bound_s is None else latency_bound_s,
        percentile=percentile,
    )


def least_queries(scenario: Scenario, percentile: float) -> int:
    """Return the fewest queries that can be VALID: to hold a bound with none over it, or to estimate a percentile."""
    return stats.min_queries(0 if scenario.arrival is Arrival.BY_SCHEDULE else 1, percentile)


def _least(scenario: Scenario, percentile: float | None) -> int:
    if percentile is None:
        return _LEAST_QUERIES
    _check_percentile(percentile)
    return max(_LEAST_QUERIES, least_queries(scenario, percentile))


def _samples(scenario: Scenario, batch: int) -> int:
    if scenario.samples == 1 or not isinstance(batch, int) or batch < 1:
        return batch
    return -(-scenario.samples // batch) * batch


def _scenario(name: str) -> Scenario:
    if name not in SCENARIOS:
        raise UnknownNameError("scenario", name, SCENARIOS)
    return SCENARIOS[name]


def _check_options(kind: Scenario, **options: float | None) -> None:
    for name, value in options.items():
        takes = _takers(name)
        if value is not None and kind.name not in takes:
            raise ConfigError(f"{name} does not go with {kind.name}: it is for {' and '.join(takes)}")
    if kind.arrival is Arrival.BY_SCHEDULE and options["rate_hz"] is None:
        raise ConfigError("server needs rate_hz, the queries per second that arrive: give it, or search with find_peak")


def _takers(option: str) -> Sequence[str]:
    if option == "percentile":
        return [name for name, kind in SCENARIOS.items() if kind.percentile is not None]
    return [name for name, kind in SCENARIOS.items() if kind.arrival is Arrival.BY_SCHEDULE]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_above_0(name: str, value: Any, *, unit: str, most: float) -> None:
    # a NaN is not between anything
    if not _is_number(value) or not 0 < value <= most:
        raise ConfigError(f"{name} is {value!r} {unit}: expected a number of {unit} above 0, up to {most:,.0f}")


def _check_percentile(value: Any) -> None:
    least, most = _PERCENTILES
    if not _is_number(value) or not least <= value <= most:
        raise ConfigError(f"percentile is {value!r}: expected a share from {least} to {most}, such as 0.99")


def _check_whole(name: str, value: Any, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{name} is {value!r}: expected a whole number from {least} to {most}")
