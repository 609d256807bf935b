"""The runs measured so far, on disk: one SQLite file that several processes may write at once.

| name | what |
|---|---|
| `History.append(runs, samples, results)` | keeps runs with their queries and summaries, in one durable transaction |
| `History.to_frame()`, `samples(run_id)` | read them back |
| `History.find(reference)` | which runs a name, a model, the beginning of an id or `latest~1` means |
| `History.compare(base, new)` | whether what was measured became slower, cell by cell |
| `History.export(out)`, `merge(path)` | CSV, Parquet or JSON Lines, for others and from others; `Merged` counts |
| `RESCUED` | the files of a run put aside, which `merge` takes too |
"""

from tpukit.history._history import History
from tpukit.history._import import RESCUED
from tpukit.history._merge import Merged

__all__ = ["RESCUED", "History", "Merged"]
