"""Widgets for notebooks: controls → pure function → a figure that is updated in place.

| name | shows |
|---|---|
| `explore(samples, results)` | the distribution of one cell of a sweep, chosen by model, device, threads and load |
| `run_table(results, columns)` | what a sweep measured, or why it could not |

They need the extra `lab`. A widget decides nothing: what it shows of a choice is `figures.plot_run` of that cell. In an
exported page no widget is alive: draw a figure of all cells beside it.
"""

from tpukit.widgets._explore import explore
from tpukit.widgets._run_table import run_table

__all__ = ["explore", "run_table"]
