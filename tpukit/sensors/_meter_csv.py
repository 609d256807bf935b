"""`read_meter`: a meter's CSV file."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd

from tpukit import paths
from tpukit.errors import ConfigError, UnknownNameError
from tpukit.sensors._account import Numbers
from tpukit.sensors._meter import Meter
from tpukit.sensors._stamps import utc_ns

# "Voltage(V)", "power_mW", "Current [mA]", "W"; the name may be empty
_HEADER = re.compile(r"(?P<name>.*?)[\s_]*[(\[/]?\s*(?P<unit>[A-Za-zµμ]+)\s*[)\]]?")
_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-"})
_TIMES = frozenset({"time", "timestamp", "datetime", "date", "utc", "epoch"})
_TIME_UNITS = {"s": "s", "sec": "s", "seconds": "s", "ms": "ms", "us": "us", "µs": "us", "ns": "ns"}
# by the letter's case, for MW are no mW; lower case as in names such as power_mw
_PREFIXES = {"": 1.0, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "k": 1e3}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quantity:
    name: str
    unit: str
    long: str
    words: frozenset[str]

    def scale(self, unit: str) -> float | None:
        """Return what one of `unit` is in the quantity's own, None where it is no unit of it."""
        if unit.lower() in (self.long, f"{self.long}s"):
            return 1.0
        return _PREFIXES.get(unit[:-1]) if unit.endswith((self.unit, self.unit.lower())) else None


_POWER = _Quantity(name="power", unit="W", long="watt", words=frozenset({"power", "p", ""}))
_VOLTAGE = _Quantity(name="voltage", unit="V", long="volt", words=frozenset({"voltage", "u", "v", "vbus", ""}))
_CURRENT = _Quantity(name="current", unit="A", long="ampere", words=frozenset({"current", "i", "ibus", ""}))


def read_meter(
    path: Path | str, *, time: str | None = None, power: str | None = None, timezone: str | None = None
) -> Meter:
    """Read a meter's log: separated by commas, semicolons, tabs or spaces, with one line of headers.

    Columns are found by their names: time (time, timestamp, datetime …) and power, or voltage and current, with the
    unit in the header, as in power_w, Power(mW), Voltage(V), Current [mA]. `time` and `power` name columns that are
    called otherwise. Stamps are ISO 8601 with a zone, or without one in the zone `timezone` (an IANA name or an offset
    such as +02:00), or seconds or milliseconds since 1970.

    Raises ConfigError where a file cannot be read, a column is not found, or a unit or a zone would have to be guessed;
    UnknownNameError for a column or a zone that there is not.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "log.csv"
    ...     _ = path.write_text("time,Power(mW)\\n1795428000.0,1500\\n1795428000.1,1700\\n")
    ...     read_meter(path).power_w.tolist()
    [1.5, 1.7]
    """
    path = Path(path)
    try:
        table = _table(path)
        stamps, unit = _time_column(table, time)
        return Meter(
            name=paths.printable(path.name),
            time_ns=utc_ns(stamps, unit=unit, zone=timezone),
            power_w=_power(table, power),
        )
    except UnknownNameError:
        raise
    except ConfigError as error:
        raise ConfigError(f"meter {paths.printable(path)}: {error}") from error


def _table(path: Path) -> pd.DataFrame:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in _rows(file) if any(row)] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        why = paths.reason(error) if isinstance(error, OSError) else f"it is no table of text in UTF-8 ({error})"
        raise ConfigError(f"cannot read it: {why}") from error
    if not rows:
        raise ConfigError("it has no rows below its headers")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ConfigError(f"row {number} has {len(row)} fields, the headers {len(header)}: delete it, or mend it")
    return pd.DataFrame(rows, columns=[each.strip() for each in header], dtype="str")


def _rows(file: TextIO) -> Iterator[list[str]]:
    first = next((line for line in file if line.strip()), "")
    file.seek(0)
    mark = next((mark for mark in ";\t," if mark in first), None)
    return csv.reader(file, delimiter=mark) if mark else (line.split() for line in file)


def _time_column(table: pd.DataFrame, given: str | None) -> tuple["pd.Series[str]", str | None]:
    name = _named(table, given) or _only(table, lambda header: _time_name(header) in _TIMES, "time")
    if name is None:
        raise ConfigError(f"it has no column of time; it has {_listed(table)}: name one with time")
    return table[name], _time_unit(name)


def _time_name(header: str) -> str:
    name, unit = _split(header)
    return (name if unit in _TIME_UNITS else header).strip().lower()


def _time_unit(header: str) -> str | None:
    return _TIME_UNITS.get(_split(header)[1])


def _power(table: pd.DataFrame, given: str | None) -> Numbers:
    name = _named(table, given) or _of(table, _POWER)
    if name is not None:
        return _values(table, name, _POWER)
    voltage, current = _of(table, _VOLTAGE), _of(table, _CURRENT)
    if voltage is not None and current is not None:
        return _values(table, voltage, _VOLTAGE) * _values(table, current, _CURRENT)
    bare = [header for header in map(str, table) if header.lower() in ("power", "voltage", "current")]
    if bare:
        raise ConfigError(
            f"column {bare[0]} bears no unit: rename it as in power_w, Power(mW), Voltage(V), Current(mA)"
        )
    raise ConfigError(
        f"it has no column of power, nor of voltage and current, with a unit; it has {_listed(table)}: expected "
        "power_w or Power(mW), or name one with power"
    )


def _of(table: pd.DataFrame, quantity: _Quantity) -> str | None:
    return _only(table, lambda header: _is_of(header, quantity), quantity.name)


def _is_of(header: str, quantity: _Quantity) -> bool:
    name, unit = _split(header)
    return quantity.scale(unit) is not None and bool(quantity.words & set(re.split(r"[\s_]+", name.lower())))


def _values(table: pd.DataFrame, name: str, quantity: _Quantity) -> Numbers:
    scale = quantity.scale(_split(name)[1])
    if scale is None:
        unit = quantity.unit
        raise ConfigError(f"column {name} bears no unit of {quantity.name}: rename it as in {name} ({unit}), (m{unit})")
    texts = table[name].str.strip()
    numbers: pd.Series[float] = pd.to_numeric(texts, errors="coerce")
    wrong = numbers.isna() & ~texts.str.lower().isin(_MISSING)
    if wrong.any():
        row = int(wrong.to_numpy().argmax()) + 1
        raise ConfigError(f"row {row}: {name} is {texts[wrong].iloc[0]!r}: expected a number with a decimal point")
    return np.asarray(numbers * scale, dtype=np.float64)


def _split(header: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(header.strip())
    return (match["name"], match["unit"]) if match else (header, "")


def _named(table: pd.DataFrame, given: str | None) -> str | None:
    if given is not None and given not in table:
        raise UnknownNameError("column", given, map(str, table))
    return None if given is None else _only(table, lambda header: header == given, given)


def _only(table: pd.DataFrame, is_wanted: Callable[[str], bool], what: str) -> str | None:
    found = [header for header in map(str, table) if is_wanted(header)]
    if len(found) > 1:
        raise ConfigError(
            f"it has several columns of {what}: {', '.join(found)}; leave one, or name it with time or power"
        )
    return found[0] if found else None


def _listed(table: pd.DataFrame) -> str:
    return ", ".join(map(str, table))
