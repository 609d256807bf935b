"""What a sweep measured, as a notebook shows it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from IPython.display import Markdown

from tpukit.workflows import readable

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler


def run_table(results: pd.DataFrame, columns: Sequence[str]) -> "Styler | Markdown":
    """Return the given columns of `readable(results)`, or why cells of these RESULTS could not be measured.

    Raises SchemaError where `results` is no RESULTS table, KeyError for another column.

    >>> from tpukit import schema
    >>> row = {"model": "m", "device": "edgetpu", "reasons": "nothing is plugged in"}
    >>> run_table(schema.frame([row], schema.RESULTS), ["device"]).data
    '`edgetpu`: nothing is plugged in'
    """
    table, failed = readable(results), results[results["run_id"].isna()]
    if len(failed):
        return Markdown(  # type: ignore[no-untyped-call]
            "\n\n".join(f"`{row.device}`: {row.reasons}" for row in failed.itertuples())
        )
    return table[list(columns)].style.hide()
