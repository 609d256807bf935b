"""Widgets for notebooks: controls → pure function → a figure that is updated in place.

| name | shows |
|---|---|
| `explore(samples, results)` | the distribution of one cell of a sweep, chosen by model, device, threads and load |

They need the extra `lab`. A widget decides nothing: what it shows of a choice is `figures.plot_run` of that cell. In an
exported page no widget is alive: draw a figure of all cells beside it.
"""

from tpukit.widgets._explore import explore

__all__ = ["explore"]
