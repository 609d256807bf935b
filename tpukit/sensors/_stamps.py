"""A meter's stamps as UTC: what they mean is read from them or given, never guessed."""

import difflib
import re
from datetime import timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import numpy as np
import pandas as pd

from tpukit.errors import ConfigError, UnknownNameError
from tpukit.sensors._account import Integers

_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d\d))?")
_BEARS_ZONE = r"(?:Z|[+-]\d\d(?::?\d\d)?)$"
_HAS_HOUR = r"\d[T ]\d\d"
# epoch seconds of 2001 to 2286; those in ms, µs and ns lie a thousandfold higher each, so that no number is of two
_EPOCH_S = (1e9, 1e10)
_SCALES = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_EXAMPLES = ("+02:00", "America/New_York", "Europe/Berlin", "UTC")
_EXPECTED = "expected ISO 8601 such as 2026-11-23T10:00:00Z, or seconds or milliseconds since 1970"


def utc_ns(stamps: "pd.Series[str]", *, unit: str | None, zone: str | None) -> Integers:
    """Return stamps as nanoseconds since 1970 in UTC; `unit` is that of their header, `zone` what the user gave.

    Raises ConfigError.

    >>> utc_ns(pd.Series(["2026-11-23T11:00:00+01:00"]), unit=None, zone=None).tolist()
    [1795428000000000000]
    >>> utc_ns(pd.Series(["2026-11-23 10:00:00"]), unit=None, zone="UTC").tolist()
    [1795428000000000000]
    """
    stamps = stamps.str.strip()
    if (stamps == "").any():
        raise ConfigError(f"row {_row(stamps == '')} has no time: leave it out")
    numbers: pd.Series[float] = pd.to_numeric(stamps, errors="coerce")
    if numbers.notna().all():
        _no_zone_beside(zone, "are since 1970 in UTC")
        return _epoch_ns(numbers, unit)
    return _iso_ns(stamps, zone)


def time_zone(name: str) -> tzinfo:
    """Return a zone by its IANA name or its offset from UTC; raises UnknownNameError or ConfigError.

    >>> time_zone("UTC+5:30").utcoffset(None)
    datetime.timedelta(seconds=19800)
    """
    if match := _OFFSET.fullmatch(name.strip()):
        sign, hours, minutes = match.groups(default="0")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        if offset > timedelta(hours=14):
            raise ConfigError(f"time zone {name} is {offset} from UTC: expected 14 hours at most")
        return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = difflib.get_close_matches(name, available_timezones(), n=3, cutoff=0.5)
        raise UnknownNameError("time zone", name, near or _EXAMPLES) from error  # all six hundred are no help


def _epoch_ns(numbers: "pd.Series[float]", unit: str | None) -> Integers:
    first = float(numbers.iloc[0])
    scales = [_SCALES[unit]] if unit else list(_SCALES.values())
    for scale in scales:
        seconds = numbers * scale
        if seconds.between(*_EPOCH_S).all():
            nanoseconds: Integers = (seconds.to_numpy() * 1e9).round().astype(np.int64)
            return nanoseconds
    raise ConfigError(
        f"the meter's times begin at {first:g}, which is no time of day: {_EXPECTED} (a log that counts from its own "
        "start cannot be aligned)"
    )


def _iso_ns(stamps: "pd.Series[str]", zone: str | None) -> Integers:
    odd = ~stamps.str.contains(_HAS_HOUR)
    if odd.any():
        raise ConfigError(f"row {_row(odd)}: {stamps[odd].iloc[0]!r} is no time that can be read: {_EXPECTED}")
    zoned = stamps.str.contains(_BEARS_ZONE)
    if zoned.all():
        _no_zone_beside(zone, "bear their zone")
        return _nanoseconds(_parsed(stamps, utc=True))
    if zoned.any():
        raise ConfigError(f"row {_row(~zoned)} has a time without a zone, others bear one: {_EXPECTED}")
    if zone is None:
        raise ConfigError(
            f"the meter's times, such as {stamps.iloc[0]}, bear no zone: say it with timezone, such as Europe/Berlin "
            "or +01:00"
        )
    return _nanoseconds(_localized(_parsed(stamps, utc=False), zone))


def _parsed(stamps: "pd.Series[str]", *, utc: bool) -> "pd.Series[Any]":
    try:
        return pd.to_datetime(stamps, format="ISO8601", utc=utc)
    except ValueError as error:
        wrong = pd.to_datetime(stamps, format="ISO8601", utc=True, errors="coerce").isna()
        raise ConfigError(
            f"row {_row(wrong)}: {stamps[wrong].iloc[0]!r} is no time that can be read: {_EXPECTED}"
        ) from error


def _localized(naive: "pd.Series[Any]", name: str) -> "pd.Series[Any]":
    zone = time_zone(name)
    try:
        local: pd.Series[Any] = naive.dt.tz_localize(zone, ambiguous="infer", nonexistent="raise")
    except ValueError as error:
        unclear = naive.dt.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").isna()
        raise ConfigError(
            f"row {_row(unclear)}: {naive[unclear].iloc[0]} exists twice or not at all in {name}, whose clock is put "
            "back or forward then: give the offset from UTC instead, or export times with their zone"
        ) from error
    return local


def _nanoseconds(moments: "pd.Series[Any]") -> Integers:
    plain = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray(plain, dtype="datetime64[ns]").astype(np.int64)


def _no_zone_beside(zone: str | None, what: str) -> None:
    if zone is not None:
        raise ConfigError(f"time zone {zone} was given, but the meter's times {what}: leave it out")


def _row(wrong: "pd.Series[bool]") -> int:
    return int(wrong.to_numpy().argmax()) + 1
