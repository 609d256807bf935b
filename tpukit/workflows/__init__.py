"""Strangers at work together: what `inference` measures, `history` keeps.

| name | what |
|---|---|
| `measure(models, history=…)` | models × devices × scenarios × threads, each beside its baseline, stored as measured |
| `readable(results)`, `notes(results)` | a RESULTS table for people, and what is to be said of it |
"""

from tpukit.workflows._measure import Measured, Step, measure
from tpukit.workflows._readable import notes, readable, significant

__all__ = ["Measured", "Step", "measure", "notes", "readable", "significant"]
