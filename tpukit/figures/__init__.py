"""Figures of result tables: each a pure function whose title is a sentence that states what the table shows.

| name | shows |
|---|---|
| `plot_box(samples, results)` | latency of every model, device and number of threads, fastest first |
| `plot_ecdf(samples, results)` | the whole distribution of latency, one line a run |
| `plot_run(samples, results)` | one run of any scenario: its distribution, bound and verdict |
| `plot_over_time(samples, results)` | latency within a run, relative to the run's own p50 |
| `plot_threads(results)` | p50 against the number of threads, with its limit |
| `plot_speedup(results)` | how many times better than the baseline |
| `plot_roofline(results)` | which share of the hardware's limit is reached, and what sets it |
| `plot_references(results, published)` | p50 beside what others published of the same model |
| `plot_frontier(frontier)` | what each setting serves at which p99, and which of them nothing beats |
| `plot_history(runs, comparison)` | p50 of the same settings from run to run, with the verdict of each set of runs |
| `plot_sides(samples, runs, comparison)` | the distributions of both sides of a comparison |
| `plot_macs(ops)` | multiply-accumulates by type of operator |
| `plot_mapping(ops, compiler)` | what of a model an Edge TPU is predicted to run, or its compiler mapped |

A figure is never shown by the function that makes it. Latency of several runs means single_stream: in an offline run it
is mostly waiting, so offline rows are left out. INVALID runs are drawn as such and support no finding.
"""

from tpukit.figures._box import plot_box
from tpukit.figures._ecdf import plot_ecdf
from tpukit.figures._frontier import plot_frontier
from tpukit.figures._history import plot_history
from tpukit.figures._macs import plot_macs
from tpukit.figures._mapping import plot_mapping
from tpukit.figures._over_time import plot_over_time
from tpukit.figures._references import plot_references
from tpukit.figures._roofline import plot_roofline
from tpukit.figures._run import plot_run
from tpukit.figures._sides import plot_sides
from tpukit.figures._speedup import plot_speedup
from tpukit.figures._threads import plot_threads

__all__ = [
    "plot_box",
    "plot_ecdf",
    "plot_frontier",
    "plot_history",
    "plot_macs",
    "plot_mapping",
    "plot_over_time",
    "plot_references",
    "plot_roofline",
    "plot_run",
    "plot_sides",
    "plot_speedup",
    "plot_threads",
]
