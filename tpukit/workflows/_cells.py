"""The cells of a sweep: which runs there are, in which order, beside which baselines. Pure."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from tpukit.errors import ConfigError
from tpukit.inference import JAX_REFERENCE, SCENARIOS, Device, Model, Settings, get_device, rate_text, settings

_BASELINE_SHARE = 0.1
_MOST_REPEATS = 1000
_LONG_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a sweep varies, and how each run is made; None is the default of profile and scenario.

    `rates_hz` are those of the server scenario. `repeats` says how often every cell is run: A B C A B C, so that what
    changes with time meets all of them alike.
    """

    scenarios: Sequence[str] = ("single_stream",)
    threads: Sequence[int] = (1,)
    batches: Sequence[int] = (1,)
    rates_hz: Sequence[float] = ()
    repeats: int = 1
    profile: str = "default"
    duration_s: float | None = None
    min_queries: int | None = None
    samples_per_query: int | None = None
    latency_bound_s: float | None = None
    percentile: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        axes = {"scenario": self.scenarios, "threads": self.threads, "batch": self.batches}
        for name, axis in axes.items():
            if not axis:
                raise ConfigError(f"no {name} was given: name at least one")
        if (
            isinstance(self.repeats, bool)
            or not isinstance(self.repeats, int)
            or not 1 <= self.repeats <= _MOST_REPEATS
        ):
            raise ConfigError(f"repeats is {self.repeats!r}: expected a whole number from 1 to {_MOST_REPEATS}")

    def settings(self) -> list[Settings]:
        """Return the settings of every cell; raises what `inference.settings` does, and for options of no scenario."""
        self._check_taken()
        return [
            self._one(scenario, threads=threads, batch=batch, rate_hz=rate)
            for scenario, threads, batch in product(self.scenarios, self.threads, self.batches)
            for rate in (self.rates_hz or (None,) if scenario == "server" else (None,))
        ]

    def _check_taken(self) -> None:
        for name, (value, takers) in {
            "rate_hz": (self.rates_hz or None, ("server",)),
            "latency_bound_s": (self.latency_bound_s, ("server",)),
            "samples_per_query": (self.samples_per_query, ("multi_stream",)),
            "percentile": (self.percentile, ("single_stream", "multi_stream", "server")),
        }.items():
            if value is not None and not set(takers) & set(self.scenarios):
                raise ConfigError(
                    f"{name} does not go with {' and '.join(self.scenarios)}: it is for {' and '.join(takers)}"
                )

    def _one(self, scenario: str, *, threads: int, batch: int, rate_hz: float | None) -> Settings:
        kind = SCENARIOS.get(scenario)
        several = kind is not None and kind.samples > 1
        judged = kind is not None and kind.percentile is not None
        return settings(
            scenario,
            profile=self.profile,
            duration_s=self.duration_s,
            min_queries=self.min_queries,
            threads=threads,
            batch=batch,
            seed=self.seed,
            samples_per_query=self.samples_per_query if several else None,
            rate_hz=rate_hz,
            latency_bound_s=self.latency_bound_s if scenario == "server" else None,
            percentile=self.percentile if judged else None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A baseline that was measured before: what it is, its metric, and the 95 % interval of that, NaN without one."""

    text: str
    value: float
    lo: float = math.nan
    hi: float = math.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run of a sweep.

    `baseline` is what it is compared with: the settings of another run of the sweep, or what is known already; None
    where the cell itself is a baseline. That run is one of `comparable`: a model compiled for the Edge TPU runs nowhere
    else, so its baseline is that of the model that it was compiled from.
    """

    model: Model
    device: Device
    settings: Settings
    baseline: Settings | Known | None

    @property
    def comparable(self) -> Model:
        """The model that its baseline runs."""
        return _comparable(self.model)

    @property
    def seconds(self) -> float:
        """How long its steady state takes at least."""
        rate_hz = self.settings.rate_hz
        return max(self.settings.duration_s, self.settings.min_queries / rate_hz if rate_hz else 0.0)

    @property
    def label(self) -> str:
        """What it is, in a few words."""
        made = self.settings
        rate = f" {rate_text(made.rate_hz)}/s" if made.rate_hz else ""
        baseline = "" if self.baseline else " (baseline)"
        long = f", {self.seconds / 60:.0f} min or more" if self.seconds >= _LONG_S else ""
        return f"{self.model.name} {self.device.name} {made.scenario}{rate} {shape(made)}{baseline}{long}"


def shape(made: Settings) -> str:
    """Return threads and batch in a few words."""
    threads = f"{made.threads} thread{'s' if made.threads > 1 else ''}"
    return f"{threads} batch {made.batch}" if made.batch > 1 else threads


def cells(models: Sequence[Model], devices: Sequence[Device], load: Load, baseline: Device | None) -> list[Cell]:
    """Return a sweep's cells in order: in the first round each model's baselines before its own cells."""
    wanted = load.settings()
    found: list[Cell] = []
    for turn in range(load.repeats):
        for model in models:
            if baseline and turn == 0:
                found += [
                    cell
                    for cell in _baselines(_comparable(model), _fitting(baseline, model), wanted)
                    if cell not in found
                ]
            found += [
                Cell(model=model, device=device, settings=each, baseline=_baseline_of(each))
                for device, each in product(devices, wanted)
            ]
    return found


def _comparable(model: Model) -> Model:
    return model.uncompiled or model


def _fitting(baseline: Device, model: Model) -> Device:
    """Return the baseline, or for a JAX export, which LiteRT's reference kernels cannot run, its counterpart."""
    return get_device(JAX_REFERENCE) if (baseline.name, model.format) == ("reference", "jax") else baseline


def _baselines(model: Model, device: Device, wanted: Sequence[Settings]) -> Iterator[Cell]:
    for each in dict.fromkeys(_baseline_of(made) for made in wanted):
        yield Cell(model=model, device=device, settings=each, baseline=None)


def _baseline_of(made: Settings) -> Settings:
    """Return the settings of the baseline: one thread, a tenth of the time, as many queries.

    For offline it is single_stream: its samples, too, run one after another.
    """
    alone = replace(made, threads=1, duration_s=made.duration_s * _BASELINE_SHARE)
    if made.percentile is not None:
        return alone
    single = SCENARIOS["single_stream"]
    return replace(alone, scenario=single.name, percentile=single.percentile)
