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
# power at rest is that of the same hour, or another one's
_REST_BEFORE_NS = 3_600_000_000_000
_COLUMNS = ("run_id", "model", "energy_j", "idle_power_w", "net_energy_j", "note")
_OFFERED = 10  # newest runs that an error offers


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
    state. Power at rest is that of the 2 s (or 10 readings) before the run, or before the last run in the hour before
    it, where no other run of this history was active. A run's energy, its source, power at rest and net energy are
    replaced together; where the meter cannot tell, they become missing with the reason as their source, unless
    something else has measured them.

    The columns are run_id, model, energy_j, idle_power_w, net_energy_j and note. Raises ConfigError where the meter
    covers no run, UnknownNameError for a run that there is not.
    """
    stored = list(_timed(history.to_frame()))
    wanted = _named(stored, history, runs) if runs else _covered(stored, meter)
    return pd.DataFrame([_attach(history, meter, run, stored) for run in wanted], columns=list(_COLUMNS))


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


def _attach(history: History, meter: Meter, run: _Run, stored: Sequence[_Run]) -> dict[str, Any]:
    energy, reason = _energy(meter, run)
    row = {"run_id": run.run_id, "model": run.model, "energy_j": math.nan, "idle_power_w": math.nan}
    row |= {"net_energy_j": math.nan}
    if energy is None:
        if not math.isnan(run.energy_j):
            return row | {"note": f"left as it was: {reason}"}
        history.amend(run.run_id, _stored(row, f"none: {reason} (meter: {meter.name})"))
        return row | {"note": reason}
    idle_w, note = _idle(meter, run, stored)
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


def _idle(meter: Meter, run: _Run, stored: Sequence[_Run]) -> tuple[float, str]:
    """Return power at rest, and when it was taken or why it is not known."""
    before = [each for each in stored if run.started_ns - _REST_BEFORE_NS <= each.started_ns <= run.started_ns]
    rest_ns = max(_REST_NS, _REST_READINGS * meter.interval_ns)
    reasons = []
    for at_ns, name in sorted(((each.started_ns, each.run_id) for each in before), reverse=True):
        start_ns = at_ns - rest_ns
        if any(each.started_ns < at_ns and each.end_ns > start_ns for each in stored):
            reasons.append("another run was active")
            continue
        rest = meter.energy(start_ns, at_ns)
        if not rest.reason:
            return rest.watts, f"at rest before {'it' if name == run.run_id else name}"
        reasons.append(rest.reason)
    return math.nan, f"power at rest is not known: in the {rest_ns / 1e9:.3g} s before it, {reasons[0]}"
