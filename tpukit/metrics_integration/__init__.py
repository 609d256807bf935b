"""What tpukit claims of itself, measured beside baselines and limits.

| name | what |
|---|---|
| `SUITE` | the registry of cells; an installed package adds its own by the entry point group `tpukit.suite` |
| `Cell` | a part's name and the function that measures it |
| `run_cells(only=…)` | runs cells and returns the SUITE table |
| `STOPPED` | the note of a row that Ctrl-C or `cancel` left unmeasured |
"""

from tpukit.metrics_integration._suite import FULL, QUICK, STOPPED, SUITE, Cell, Effort, Finding, run_cells

__all__ = ["FULL", "QUICK", "STOPPED", "SUITE", "Cell", "Effort", "Finding", "run_cells"]
