"""Strangers at work together: what `inference` measures, `history` keeps.

| name | what |
|---|---|
| `measure(models, history=…, load=…)` | models × devices × a `Load`, each beside its baseline, stored as measured |
| `Load(…)` | scenarios × threads × batches × rates, repeated, and how each run is made |
| `check_sweep(models, …)` | the same sweep's arguments, refused before anything is started |
| `under_load(models, results, history=…)` | server at shares of each model's own rate, p99 beside that without load |
| `measure_peak(models, history=…)` | the highest rate of server that keeps its bound, every run of the search stored |
| `frontier(results)` | what each setting of a sweep serves at which p99, and which of them nothing beats |
| `published(results)`, `quoted(published)` | what others published of the measured models, as a table and as lines |
| `attach_meter(history, meter)` | the energy of stored runs, from the log of an external meter |
| `trend(history, sets)` | what changed from each set of runs to the next |
| `measure_by_loadgen(measured, …)` | the same sweep under MLPerf's LoadGen: both in one table |
| `side_by_side(table)` | that CROSS_CHECK table for people |
| `readable(results)`, `notes(results)` | a RESULTS table for people, and what is to be said of it |
| `readable_frontier(table)`, `readable_peaks(table)` | a FRONTIER or PEAKS table for people |
| `phases(results)` | loading, first inference, warm-up and steady state of each run, for people |
| `compared(comparison)` | a COMPARISON table for people, and what is to be said of it |
| `said_once(table, columns)` | such a table, and apart from it what all its rows share |
| `by_scenario(table, columns)` | the same for each scenario |
"""

from tpukit.workflows._cells import Load
from tpukit.workflows._cross_check import measure_by_loadgen, side_by_side
from tpukit.workflows._frontier import frontier
from tpukit.workflows._measure import check_sweep, measure
from tpukit.workflows._meter import attach_meter
from tpukit.workflows._peak import MeasuredPeaks, measure_peak
from tpukit.workflows._published import published, quoted
from tpukit.workflows._readable import (
    by_scenario,
    compared,
    notes,
    phases,
    readable,
    readable_frontier,
    readable_peaks,
    said_once,
    significant,
)
from tpukit.workflows._sweep import Measured, Step
from tpukit.workflows._trend import trend
from tpukit.workflows._under_load import under_load

__all__ = [
    "Load",
    "Measured",
    "MeasuredPeaks",
    "Step",
    "attach_meter",
    "by_scenario",
    "check_sweep",
    "compared",
    "frontier",
    "measure",
    "measure_by_loadgen",
    "measure_peak",
    "notes",
    "phases",
    "published",
    "quoted",
    "readable",
    "readable_frontier",
    "readable_peaks",
    "said_once",
    "side_by_side",
    "significant",
    "trend",
    "under_load",
]
