"""The result tables: which columns each has, of which type, in which unit.

A table is declared once here; `frame` builds a DataFrame of it, `check` holds a DataFrame against it. Units stand in
the column's name, in base SI (`_s`, `_bytes`, `_per_s`), ratios are in 0..1, stamps are UTC. What was not measured is
NaN or missing, and a text column beside it says why.
"""

from tpukit.schema._frame import Column, Table, check, concat, frame
from tpukit.schema._tables import (
    ACCELERATORS,
    CHECKS,
    COMPARISON,
    COMPILED,
    CROSS_CHECK,
    DEVICES,
    EDGE_TPUS,
    FRONTIER,
    LEAST_TIMES,
    OPS,
    PEAKS,
    PUBLISHED,
    REFERENCES,
    RESULTS,
    RUNS,
    SAMPLES,
    SUITE,
)

__all__ = [
    "ACCELERATORS",
    "CHECKS",
    "COMPARISON",
    "COMPILED",
    "CROSS_CHECK",
    "DEVICES",
    "EDGE_TPUS",
    "FRONTIER",
    "LEAST_TIMES",
    "OPS",
    "PEAKS",
    "PUBLISHED",
    "REFERENCES",
    "RESULTS",
    "RUNS",
    "SAMPLES",
    "SUITE",
    "Column",
    "Table",
    "check",
    "concat",
    "frame",
]
