"""Strangers at work together: what `inference` measures, `history` keeps.

| name | what |
|---|---|
| `measure(models, history=…)` | models × devices × scenarios × threads, each beside its baseline, stored as measured |
| `check_sweep(models, …)` | the same sweep's arguments, refused before anything is started |
| `readable(results)`, `notes(results)` | a RESULTS table for people, and what is to be said of it |
| `phases(results)` | loading, first inference, warm-up and steady state of each run, for people |
| `said_once(table, columns)` | what all rows of such a table share, and the rest of it |
"""

from tpukit.workflows._measure import Measured, Step, check_sweep, measure
from tpukit.workflows._readable import notes, phases, readable, said_once, significant

__all__ = ["Measured", "Step", "check_sweep", "measure", "notes", "phases", "readable", "said_once", "significant"]
