"""`attach_meter`: what an external meter's log says of runs that are stored already."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tpukit.errors import ConfigError, UnknownNameError
from tpukit.history import History
from tpukit.sensors import Energy, Meter

# a slow meter needs longer for its readings to be enough
_REST_NS, _REST_READINGS = 2_000_000_000, 10
# a process imports tpukit before its run says that it began: 1 s of CPU on a desktop, some seconds on a small board
_BEFORE_NS = 10_000_000_000
# after its steady state a run may have its machine's peaks measured on all cores, is stored, and shown
_AFTER_NS = 10_000_000_000
# power at rest is that of the same hour, or another one's
_REST_WITHIN_NS = 3_600_000_000_000
# people are asked for a round number of seconds
_ROUND_NS = 10_000_000_000
_COLUMNS = ("run_id", "model", "energy_j", "idle_power_w", "net_energy_j", "note")
_OFFERED = 10  # newest runs that an error offers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Busy:
    """When a run, be it a failed one, may have kept the machine busy: what surrounds it is part of it."""

    run_id: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    run_id: str
    model: str
    started_ns: int
    steady_ns: int
    end_ns: int
    energy_j: float
    setup_s: float

    @property
    def is_in_order(self) -> bool:
        """Whether its stamps leave the time that it took until its steady state."""
        # stamps and durations are taken one after the other: a tenth of a second is no step of the clock
        return (self.steady_ns - self.started_ns) / 1e9 >= self.setup_s - 0.1


def attach_meter(history: History, meter: Meter, runs: Sequence[str] | None = None) -> pd.DataFrame:
    """Store the energy of runs as an external meter has it, and return one row for each of them.

    Taken are `runs` by their run_id, or all whose steady state overlaps the meter's span. Energy is that of the steady
    state. Power at rest is that of 2 s (or 10 readings) that end 10 s before the run, or before an earlier one of the
    same hour, and begin 10 s or more after every other run of this history has ended: tpukit itself is busy in between.
    So leave the machine alone for 30 s before the first run, with the meter on.

    A run's energy, its source, power at rest and net energy are replaced together; where the meter cannot tell, they
    become missing with the reason as their source, unless something else has measured them.

    The columns are run_id, model, energy_j, idle_power_w, net_energy_j and note. Raises ConfigError where the meter
    covers no run, UnknownNameError for a run that there is not.
    """
    df = history.to_frame()
    stored, busy = list(_timed(df)), _busy(df)
    wanted = _named(stored, history, runs) if runs else _covered(stored, meter)
    return pd.DataFrame([_attach(history, meter, run, busy) for run in wanted], columns=list(_COLUMNS))


def _timed(df: pd.DataFrame) -> Iterator[_Run]:
    """Yield the runs whose steady state has a place in time: an older tpukit stored none, a failed run has none."""
    for row in df[df["steady_started"].notna() & df["steady_s"].notna()].to_dict("records"):
        steady_ns = row["steady_started"].value
        yield _Run(
            run_id=row["run_id"],
            model=row["model"],
            started_ns=row["started"].value,
            steady_ns=steady_ns,
            end_ns=steady_ns + round(row["steady_s"] * 1e9),
            energy_j=row["energy_j"],
            setup_s=math.fsum(each for name in ("load_s", "first_s", "warmup_s") if (each := row[name]) == each),
        )


def _busy(df: pd.DataFrame) -> list[_Busy]:
    """Return when each run was busy, up to its last known sign of life: one that failed may have no steady state."""
    began = df["steady_started"].fillna(df["started"])
    # accuracy is counted after the steady state, at the pace of that
    counting_s = df["accuracy_n"].astype("float64") / df["throughput_per_s"]
    lasted_s = df["steady_s"].fillna(0.0) + counting_s.fillna(0.0)
    return [
        _Busy(
            run_id=run_id,
            start_ns=started.value - _BEFORE_NS,
            end_ns=steady.value + round(seconds * 1e9) + _AFTER_NS,
        )
        for run_id, started, steady, seconds in zip(df["run_id"], df["started"], began, lasted_s, strict=True)
    ]


def _named(stored: Sequence[_Run], history: History, names: Sequence[str]) -> list[_Run]:
    by_id = {run.run_id: run for run in stored}
    for name in names:
        if name not in by_id:
            known = list(history.to_frame()["run_id"])
            if name in known:
                raise ConfigError(f"run {name} does not say when its steady state was: measure it again")
            raise UnknownNameError("run", name, known[-_OFFERED:])
    return [by_id[name] for name in dict.fromkeys(names)]


def _covered(stored: Sequence[_Run], meter: Meter) -> list[_Run]:
    first, last = meter.span_ns
    if found := [run for run in stored if run.steady_ns <= last and run.end_ns >= first]:
        return found
    if not stored:
        raise ConfigError(f"meter {meter.name}: no run of this history says when its steady state was: run bench first")
    newest = stored[-1]
    reason = meter.energy(newest.steady_ns, newest.end_ns).reason
    raise ConfigError(f"meter {meter.name} covers none of {len(stored)} runs; of the newest, {newest.run_id}: {reason}")


def _attach(history: History, meter: Meter, run: _Run, busy: Sequence[_Busy]) -> dict[str, Any]:
    energy, reason = _energy(meter, run)
    row = {"run_id": run.run_id, "model": run.model, "energy_j": math.nan, "idle_power_w": math.nan}
    row |= {"net_energy_j": math.nan}
    if energy is None:
        if not math.isnan(run.energy_j):
            return row | {"note": f"left as it was: {reason}"}
        history.amend(run.run_id, _stored(row, f"none: {reason} (meter: {meter.name})"))
        return row | {"note": reason}
    idle_w, note = _idle(meter, run, busy)
    row |= {
        "energy_j": energy.joules,
        "idle_power_w": idle_w,
        "net_energy_j": energy.joules - idle_w * energy.seconds,
    }
    history.amend(run.run_id, _stored(row, f"meter: {meter.name} (all that it feeds; {note})"))
    return row | {"note": note}


def _stored(row: dict[str, Any], source: str) -> dict[str, Any]:
    return {name: row[name] for name in ("energy_j", "idle_power_w", "net_energy_j")} | {"energy_source": source}


def _energy(meter: Meter, run: _Run) -> tuple[Energy | None, str]:
    if not run.is_in_order:
        return None, "the machine's clock was set back between the run's start and its steady state"
    energy = meter.energy(run.steady_ns, run.end_ns)
    return (None, energy.reason) if energy.reason else (energy, "")


def _idle(meter: Meter, run: _Run, busy: Sequence[_Busy]) -> tuple[float, str]:
    """Return power at rest, and when it was taken or why it is not known."""
    last_ns = run.started_ns - _BEFORE_NS
    before = [(each.start_ns, each.run_id) for each in busy if last_ns - _REST_WITHIN_NS <= each.start_ns <= last_ns]
    rest_ns = max(_REST_NS, _REST_READINGS * meter.interval_ns)
    reasons = []
    for end_ns, name in sorted(before, reverse=True):
        start_ns = end_ns - rest_ns
        if any(each.start_ns < end_ns and each.end_ns > start_ns for each in busy):
            reasons.append("another run may have kept the machine busy")
            continue
        rest = meter.energy(start_ns, end_ns)
        if not rest.reason:
            return rest.watts, f"at rest before {'it' if name == run.run_id else name}"
        reasons.append(rest.reason)
    return math.nan, _not_at_rest(reasons[0], rest_ns)


def _not_at_rest(reason: str, rest_ns: int) -> str:
    alone_s = math.ceil((_AFTER_NS + rest_ns + _BEFORE_NS) / _ROUND_NS) * _ROUND_NS // 10**9
    return (
        f"power at rest is not known: in the {rest_ns / 1e9:.3g} s that end {_BEFORE_NS / 1e9:.3g} s before it, "
        f"{reason}; with the meter on, leave the machine alone for {alone_s} s before the first run"
    )
