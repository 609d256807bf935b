"""What changed from one set of runs to the next."""

from collections.abc import Sequence
from itertools import pairwise

import pandas as pd

from tpukit import schema, stats
from tpukit.errors import IncomparableRunsError
from tpukit.history import History


def trend(history: History, sets: Sequence[str], *, margin: float = 0.02, level: float = 0.95) -> pd.DataFrame:
    """Return COMPARISON of each set of runs with the one before it, in order; `sets` are what `History.find` takes.

    Two sets without a cell in common are one row that cannot be told, with the reason. Raises what `History.compare`
    raises else.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     trend(History(folder + "/history.db"), ["alone"]).empty
    True
    """
    parts = [_step(history, base, new, margin=margin, level=level) for base, new in pairwise(sets)]
    return schema.concat(parts, schema.COMPARISON)


def _step(history: History, base: str, new: str, *, margin: float, level: float) -> pd.DataFrame:
    try:
        return history.compare(base, new, margin=margin, level=level)
    except IncomparableRunsError as error:
        row = {"base": base, "new": new, "verdict": stats.CANNOT_TELL, "reason": str(error)}
        return schema.frame([row], schema.COMPARISON)
