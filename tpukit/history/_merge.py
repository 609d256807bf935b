"""What an import changes in a history: runs that are new, and what runs that are known lacked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tpukit.errors import StorageError
from tpukit.history import _samples_blob
from tpukit.history._database import Database
from tpukit.history._rows import Values
from tpukit.schema import RUNS

#: Columns of a result that become known after the run, from a meter's log; they belong together.
_ENERGY = ("energy_source", "energy_j", "idle_power_w", "net_energy_j")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What an import did: runs that are new here, runs that were known, and those of them that got what they lacked,
    which is samples or energy."""

    new: int
    known: int
    completed: int


def merge(database: Database, given: Sequence[tuple[Values, Values]], path: Path) -> Merged:
    """Take the runs of a file; raises StorageError where one that is here is another in the file."""
    here = {record["run_id"]: record for record in database.records()}
    known = [rows for rows in given if rows[0][0] in here]
    for run, samples in known:
        if other := [*_other(run, here[run[0]]), *_other_samples(database, samples)]:
            raise StorageError(
                f"run {run[0]} of {path} is stored here with another {', '.join(other)}: leave it out of the file"
            )
    for run, samples in given:
        if run[0] not in here:
            database.insert(run, samples)
    completed = [_complete(database, samples) | _take_energy(database, run, here[run[0]]) for run, samples in known]
    return Merged(new=len(given) - len(known), known=len(known), completed=sum(completed))


def _other(run: Values, here: Mapping[str, Any]) -> list[str]:
    """In what a run differs from that of its name, by what it was: its result may have been amended since."""
    given = json.loads(run[4])
    sides = {name: (given.get(name), here.get(name)) for name in RUNS.names}
    # what an older version did not keep agrees with anything
    return [name for name, (there, ours) in sides.items() if None not in (there, ours) and there != ours]


def _other_samples(database: Database, samples: Values) -> list[str]:
    run_id, data, _ = samples
    return [] if _same_samples(data, database.samples(run_id), run_id) else ["samples"]


def _same_samples(there: bytes, ours: bytes, run_id: str) -> bool:
    """Whether both hold the same queries, or one holds none; the bytes depend on the library that wrote them."""
    if not there or not ours or there == ours:
        return True
    sides = (_samples_blob.decode(data, run_id).astype({"status": "str", "error": "str"}) for data in (there, ours))
    return next(sides).equals(next(sides))


def _complete(database: Database, samples: Values) -> bool:
    if not samples[1] or database.samples(samples[0]):
        return False
    database.complete(samples)
    return True


def _take_energy(database: Database, run: Values, here: Mapping[str, Any]) -> bool:
    result = json.loads(run[5])
    if here.get("energy_j") is not None or result.get("energy_j") is None:
        return False
    database.amend(run[0], {name: result.get(name) for name in _ENERGY})
    return True
