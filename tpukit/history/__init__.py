"""The runs measured so far, on disk: one SQLite file that several processes may write at once.

`History.append` keeps a run with its queries and its summary in one durable transaction, `to_frame` and `samples` read
them back, `export` writes them as CSV, Parquet or JSON Lines.
"""

from tpukit.history._history import History

__all__ = ["History"]
