"""Strangers at work together: what `inference` measures, `history` keeps.

| name | what |
|---|---|
| `measure(models, history=…, load=…)` | models × devices × a `Load`, each beside its baseline, stored as measured |
| `Load(…)` | scenarios × threads × batches × rates, repeated, and how each run is made |
| `check_sweep(models, …)` | the same sweep's arguments, refused before anything is started |
| `attach_meter(history, meter)` | the energy of stored runs, from the log of an external meter |
| `trend(history, sets)` | what changed from each set of runs to the next |
| `measure_by_loadgen(measured, …)` | the same sweep under MLPerf's LoadGen: both in one table |
| `side_by_side(table)` | that CROSS_CHECK table for people |
| `readable(results)`, `notes(results)` | a RESULTS table for people, and what is to be said of it |
| `phases(results)` | loading, first inference, warm-up and steady state of each run, for people |
| `compared(comparison)` | a COMPARISON table for people, and what is to be said of it |
| `by_scenario(table, columns)` | such a table in parts, what all rows of one share said once |
"""

from tpukit.workflows._cells import Load
from tpukit.workflows._cross_check import measure_by_loadgen, side_by_side
from tpukit.workflows._measure import Measured, Step, check_sweep, measure
from tpukit.workflows._meter import attach_meter
from tpukit.workflows._readable import by_scenario, compared, notes, phases, readable, significant
from tpukit.workflows._trend import trend

__all__ = [
    "Load",
    "Measured",
    "Step",
    "attach_meter",
    "by_scenario",
    "check_sweep",
    "compared",
    "measure",
    "measure_by_loadgen",
    "notes",
    "phases",
    "readable",
    "side_by_side",
    "significant",
    "trend",
]
