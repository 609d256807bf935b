"""Strangers at work together: what `inference` measures, `history` keeps.

| name | what |
|---|---|
| `measure(models, history=…)` | models × devices × scenarios × threads, each beside its baseline, stored as measured |
| `readable(results)`, `notes(results)` | a RESULTS table for people, and what is to be said of it |
| `said_once(table, columns)` | what all rows of such a table share, and the rest of it |
"""

from tpukit.workflows._measure import Measured, Step, measure
from tpukit.workflows._readable import notes, readable, said_once, significant

__all__ = ["Measured", "Step", "measure", "notes", "readable", "said_once", "significant"]
