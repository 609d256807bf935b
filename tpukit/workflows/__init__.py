"""Strangers at work together: what `inference` measures, `history` keeps.

| name | what |
|---|---|
| `measure(models, history=…, load=…)` | models × devices × a `Load`, each beside its baseline, stored as measured |
| `Load(…)` | scenarios × threads × batches × rates, repeated, and how each run is made |
| `check_sweep(models, …)` | the same sweep's arguments, refused before anything is started |
| `frontier(results)` | what each setting of a sweep serves at which p99, and which of them nothing beats |
| `attach_meter(history, meter)` | the energy of stored runs, from the log of an external meter |
| `readable(results)`, `notes(results)` | a RESULTS table for people, and what is to be said of it |
| `phases(results)` | loading, first inference, warm-up and steady state of each run, for people |
| `by_scenario(table, columns)` | such a table in parts, what all rows of one share said once |
"""

from tpukit.workflows._cells import Load
from tpukit.workflows._frontier import frontier
from tpukit.workflows._measure import check_sweep, measure
from tpukit.workflows._meter import attach_meter
from tpukit.workflows._readable import by_scenario, notes, phases, readable, significant
from tpukit.workflows._sweep import Measured, Step

__all__ = [
    "Load",
    "Measured",
    "Step",
    "attach_meter",
    "by_scenario",
    "check_sweep",
    "frontier",
    "measure",
    "notes",
    "phases",
    "readable",
    "significant",
]
