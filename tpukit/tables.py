"""How a table of any columns is laid out on a terminal of any width: no number, ratio or verdict is ever cut."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tpukit.paths import printable

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

# columns that may always fold, and those that fold only where nothing is left to leave out; to so many characters
_PROSE = {"about": 20, "note": 20, "reason": 20, "what": 20}
_NAMES = {"model": 12, "name": 12, "run": 16, "run_id": 12, "runtime": 12}
_GAP, _NARROW_GAP = 2, 1


def laid_out(table: "pd.DataFrame", width: int, least_wanted: Sequence[str] = ()) -> "RenderableType":
    """Return a table as rich can print it within `width` characters.

    Where it is too wide, columns of `least_wanted` are left out in that order, then names and headings fold, then each
    row becomes lines of `column: value`, with all its columns. Prose folds at any width. Columns that are empty
    throughout are left out.

    >>> import pandas as pd
    >>> print(laid_out(pd.DataFrame({"device": ["cpu"], "usable": [True], "p50 ms": [1.25]}), width=12))
    device: cpu
    usable: yes
    p50 ms: 1.25
    <BLANKLINE>
    """
    whole = _cells(table)
    kept = whole
    for name in least_wanted:
        if _widths(kept, width, _GAP, _PROSE):
            break
        kept = kept.drop(columns=name, errors="ignore")
    if widths := _widths(kept, width, _GAP, _PROSE):
        return _side_by_side(kept, widths, _GAP)
    if widths := _widths(kept, width, _NARROW_GAP, _PROSE | _NAMES, folds_headings=True):
        return _side_by_side(kept, widths, _NARROW_GAP)
    return _stacked(whole)


def fits(table: "pd.DataFrame", width: int) -> bool:
    """Whether a table has room in `width` characters as it is, with no column left out and no name folded.

    >>> import pandas as pd
    >>> [fits(pd.DataFrame({"device": ["cpu"], "p50 ms": ["1.25"]}), width) for width in (13, 14)]
    [False, True]
    """
    return bool(_widths(_cells(table), width, _GAP, _PROSE))


def _cells(table: "pd.DataFrame") -> "pd.DataFrame":
    text = table.astype("object").map(_cell)
    return text.loc[:, (text != "").any()] if len(text) else text


def _cell(value: object) -> str:
    import numpy as np
    import pandas as pd

    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else printable(str(value))


def _widths(
    cells: "pd.DataFrame", width: int, gap: int, folds: dict[str, int], *, folds_headings: bool = False
) -> list[int]:
    """Return the width of each column, where the narrowest they may be have room; none where they have not."""
    from rich.cells import cell_len

    narrowest, widest = [], []
    for name in map(str, cells):
        longest = max(map(cell_len, cells[name]), default=0)
        heading = max(map(cell_len, name.split())) if folds_headings else cell_len(name)
        narrowest.append(max(heading, min(longest, folds.get(name, longest))))
        widest.append(max(cell_len(name), longest))
    room = width - gap * (len(narrowest) - 1)
    return _shared(narrowest, widest, room) if sum(narrowest) <= room else []


def _shared(narrowest: Sequence[int], widest: Sequence[int], room: int) -> list[int]:
    """Share what room the narrowest widths leave: each time to the narrowest of the columns that want more."""
    widths = list(narrowest)
    for _ in range(room - sum(narrowest)):
        wanting = [at for at, most in enumerate(widest) if widths[at] < most]
        if not wanting:
            break
        widths[min(wanting, key=widths.__getitem__)] += 1
    return widths


def _side_by_side(cells: "pd.DataFrame", widths: Sequence[int], gap: int) -> "Table":
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, header_style="bold", pad_edge=False, padding=(0, gap - 1, 0, 1), collapse_padding=False)
    for name, width in zip(map(str, cells), widths, strict=True):
        shown.add_column(Text(name), width=width, overflow="fold")
    for row in cells.itertuples(index=False):
        # not as a string, whose brackets rich would take for markup
        shown.add_row(*map(Text, row))
    return shown


def _stacked(cells: "pd.DataFrame") -> "Text":
    from rich.text import Text

    # a blank line after each row, so that what is said below does not seem to be of the last
    rows = cells.to_dict("records")
    blocks = ["".join(f"{name}: {value}\n" for name, value in row.items() if value) for row in rows]
    return Text("\n".join(blocks), overflow="fold")
