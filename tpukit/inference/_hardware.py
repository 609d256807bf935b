"""What makers state of their accelerators' peaks: a table that comes with tpukit, and the user's own beside it."""

import math
from functools import cache
from pathlib import Path

import pandas as pd

from tpukit import paths, schema
from tpukit.errors import ConfigError, SchemaError
from tpukit.inference._roofline import Peaks

#: The user's own table, of the same columns, in the home of tpukit.
ACCELERATORS_FILE = "accelerators.csv"

# what not every accelerator has
_OPTIONAL = "memory_bytes"


def accelerators(home: Path | None = None) -> pd.DataFrame:
    """Return the ACCELERATORS table: the peaks that makers state, each with its source.

    Rows of `accelerators.csv` in `home` (default: `tpukit.paths.home()`) come first, and take the place of what tpukit
    knows of hardware of the same name. Raises ConfigError where that file is no such table.

    >>> accelerators().query("hardware == 'Cloud TPU v5e' and dtype == 'bfloat16'")["ops_per_s"].item()
    197000000000000.0
    """
    bundled, mine = _read(paths.bundled(f"datasets/{ACCELERATORS_FILE}")), own_accelerators(home)
    return schema.concat([mine, bundled[~bundled["hardware"].isin(mine["hardware"])]], schema.ACCELERATORS)


def own_accelerators(home: Path | None = None) -> pd.DataFrame:
    """Return those rows of the ACCELERATORS table that the user states. Raises ConfigError."""
    own = (home or paths.home()) / ACCELERATORS_FILE
    try:
        own.stat()
    except (FileNotFoundError, NotADirectoryError):
        return schema.frame([], schema.ACCELERATORS)
    except OSError as error:
        raise ConfigError(f"{own} cannot be read: {paths.reason(error)}") from error
    return _read(own)


def stated_peaks(kind: str, *, chips: int = 1, home: Path | None = None) -> Peaks:
    """Return the peaks of `chips` accelerators together; `kind` is what the runtime calls one, upper or lower case.

    Raises ConfigError for a kind that no row of the table names.

    >>> stated_peaks("TPU v5 lite", chips=4).arithmetic("bfloat16") / 1e12
    788.0
    """
    table = accelerators(home)
    named = table["kinds"].str.lower().str.split("|").map(lambda kinds: kind.lower() in kinds)
    if not named.any():
        own = (home or paths.home()) / ACCELERATORS_FILE
        raise ConfigError(f"no peaks are known of hardware of the kind {kind!r}: add a row for it to {own}")
    return peaks_of(table[named & (table["hardware"] == table.loc[named, "hardware"].iloc[0])], chips=chips)


def peaks_of(rows: pd.DataFrame, *, chips: int = 1) -> Peaks:
    """Return the peaks of `chips` accelerators together, given the rows of ACCELERATORS of one."""
    first = rows.iloc[0]
    several = f"{chips} × " if chips > 1 else ""
    return Peaks(
        ops_per_s={dtype: chips * float(rate) for dtype, rate in zip(rows["dtype"], rows["ops_per_s"], strict=True)},
        bytes_per_s={1: chips * float(first["bytes_per_s"])},
        resident_bytes=chips * int(first["resident_bytes"]),
        source=f"{several}{first['hardware']} (as stated by its maker)",
    )


def _read(path: Path) -> pd.DataFrame:
    try:
        return _parsed(path, path.stat().st_mtime_ns)
    except (OSError, SchemaError, ValueError) as error:
        names = ", ".join(schema.ACCELERATORS.names)
        raise ConfigError(f"{path} is no table of accelerators: {error}; expected a CSV with {names}") from error


@cache
def _parsed(path: Path, _changed_ns: int) -> pd.DataFrame:
    table = schema.frame({str(name): column for name, column in pd.read_csv(path).items()}, schema.ACCELERATORS)
    gaps = [name for name in schema.ACCELERATORS.names if name != _OPTIONAL and table[name].isna().any()]
    if gaps:
        raise SchemaError(f"a row has no {gaps[0]}")
    for name in ("ops_per_s", "bytes_per_s"):
        if wrong := [rate for rate in table[name] if not 0 < rate < math.inf]:
            raise SchemaError(f"{name} is {wrong[0]!r}, where a number above 0 is expected")
    return table
