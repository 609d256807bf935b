"""A meter's file: what its columns and stamps mean is read or given, and otherwise refused in one line."""

from pathlib import Path

import pytest

from tpukit.errors import ConfigError, UnknownNameError
from tpukit.sensors import read_meter

TEN = 1_795_428_000  # 2026-11-23 10:00:00 UTC


def log(folder: Path, *lines: str) -> Path:
    path = folder / "log.csv"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "row", "watts"),
    [
        ("time,power_w", f"{TEN},2.5", 2.5),
        ("time,power_mW", f"{TEN},2500", 2.5),
        ("Timestamp,Power(mW)", f"{TEN},2500", 2.5),
        ("Time;Power [kW];Energy(Wh)", f"{TEN};0.0025;7", 2.5),
        ("time\tW", f"{TEN}\t2.5", 2.5),
        ("time,Watts", f"{TEN},2.5", 2.5),
        ("time,P/uW", f"{TEN},2500000", 2.5),
        ("Time,Voltage(V),Current(mA)", f"{TEN},5,500", 2.5),
        ("timestamp sample voltage_V current_A dp_V dn_V temp_C_ema energy_Ws", f"{TEN}.0 0 5.0 0.5 1.1 1.2 30 0", 2.5),
        ("Time,Voltage(V),Current(A),Power(W)", f"{TEN},5,9,2.5", 2.5),
        ("\ufefftime,power_w", f"{TEN},2.5", 2.5),
        ('"time","Power (W)"', f'"{TEN}","2.5"', 2.5),
    ],
)
def test_power_is_in_the_unit_of_its_header(header: str, row: str, watts: float, tmp_path: Path) -> None:
    meter = read_meter(log(tmp_path, header, row, row))
    assert meter.power_w.tolist() == pytest.approx([watts, watts])
    assert meter.time_ns.tolist() == [TEN * 10**9] * 2
    assert meter.name == "log.csv"


@pytest.mark.parametrize(
    ("stamp", "zone"),
    [
        ("2026-11-23T10:00:00Z", None),
        ("2026-11-23T11:00:00+01:00", None),
        ("2026-11-23 11:00:00.000+0100", None),
        ("2026-11-23 11:00:00", "Europe/Berlin"),
        ("2026-11-23 15:30:00", "+05:30"),
        ("2026-11-23 15:30:00", "UTC+5:30"),
        ("2026-11-23T05:00", "America/New_York"),
        (f"{TEN}", None),
        (f"{TEN}.000", None),
        (f"{TEN}000", None),
        (f"{TEN}000000", None),
        (f"{TEN}000000000", None),
    ],
)
def test_one_moment_in_many_notations(stamp: str, zone: str | None, tmp_path: Path) -> None:
    meter = read_meter(log(tmp_path, "time,power_w", f"{stamp},1", f"{stamp},1"), timezone=zone)
    assert meter.time_ns.tolist() == [TEN * 10**9] * 2


def test_a_unit_in_the_header_of_time_is_taken(tmp_path: Path) -> None:
    path = log(tmp_path, "time(ms),power_w", f"{TEN}250.5,1", f"{TEN}750,1")
    expected = [TEN * 10**9 + 250_500_000, TEN * 10**9 + 750_000_000]
    assert read_meter(path).time_ns.tolist() == pytest.approx(expected, rel=0, abs=1000)
    path = log(tmp_path, "time_s,power_w", f"{TEN}000,1", f"{TEN}500,1")
    with pytest.raises(ConfigError, match="which is no time of day"):
        read_meter(path)


def test_other_columns_can_be_named(tmp_path: Path) -> None:
    path = log(tmp_path, "when,channel 1 (mW),channel 2 (W)", f"{TEN},7,2", f"{TEN + 1},8,3")
    meter = read_meter(path, time="when", power="channel 1 (mW)")
    assert meter.power_w.tolist() == [0.007, 0.008]
    with pytest.raises(UnknownNameError, match=r"unknown column 'channel 3 \(W\)': did you mean channel 2 \(W\)"):
        read_meter(path, time="when", power="channel 3 (W)")


def test_missing_power_is_kept_and_judged_where_it_matters(tmp_path: Path) -> None:
    meter = read_meter(log(tmp_path, "time,power_w", f"{TEN},1", f"{TEN + 1},", f"{TEN + 2},NaN", f"{TEN + 3},n/a"))
    assert [each == each for each in meter.power_w.tolist()] == [True, False, False, False]  # noqa: PLR0124


def test_the_hour_that_a_clock_repeats_is_told_by_the_order(tmp_path: Path) -> None:
    stamps = [f"2026-10-25 02:{minute:02}:00" for minute in (0, 30, 0, 30)]
    path = log(tmp_path, "time,power_w", *(f"{stamp},1" for stamp in stamps))
    times = read_meter(path, timezone="Europe/Berlin").time_ns
    assert [int(each) // 60_000_000_000 for each in times - times[0]] == [0, 30, 60, 90]


ROW = f"{TEN},1"


@pytest.mark.parametrize(
    ("lines", "zone", "says"),
    [
        ([], None, "it has no rows below its headers"),
        (["time,power_w"], None, "it has no rows below its headers"),
        (["time,power_w", ROW], None, "expected two rows or more"),
        (["time,Power", ROW, ROW], None, "column Power bears no unit: rename it as in power_w, Power(mW)"),
        (["time,Voltage,Current", f"{TEN},5,1"], None, "column Voltage bears no unit"),
        (["time,Voltage(V),Current", f"{TEN},5,1"], None, "column Current bears no unit"),
        (["time,power_MW", ROW, ROW], None, "no column of power, nor of voltage and current, with a unit"),
        (
            ["time,temp_C", ROW, ROW],
            None,
            "no column of power, nor of voltage and current, with a unit; it has time, temp_C",
        ),
        (["time,Power(W),p_mW", f"{TEN},5,1"], None, "several columns of power: Power(W), p_mW"),
        (["when,power_w", ROW, ROW], None, "it has no column of time; it has when, power_w: name one with time"),
        (["date,time,power_w", f"1,{ROW}"], None, "several columns of time: date, time"),
        (["time,power_w", "0.0,1", "0.1,1"], None, "begin at 0, which is no time of day"),
        (["time,power_w", "2026-11-23 10:00:00,1"], None, "bear no zone: say it with timezone, such as Europe/Berlin"),
        (["time,power_w", "2026-11-23 10:00:00,1"], "+15", "15:00:00 from UTC: expected 14 hours at most"),
        (
            ["time,power_w", "2026-11-23T10:00:00Z,1"],
            "UTC",
            "time zone UTC was given, but the meter's times bear their",
        ),
        (["time,power_w", ROW], "UTC", "time zone UTC was given, but the meter's times are since 1970 in UTC"),
        (["time,power_w", "2026-11-23T10:00:00Z,1", "2026-11-23T10:00:01,1"], None, "row 2 has a time without a zone"),
        (["time,power_w", "23/11/2026 10:00:00,1"], "UTC", "row 1: '23/11/2026 10:00:00' is no time that can be read"),
        (["time,power_w", f"{TEN},1", "10:00:01,1"], None, "row 1: '1795428000' is no time that can be read"),
        (["time,power_w", "10:00:00,1", "10:00:01,1"], "UTC", "row 1: '10:00:00' is no time that can be read"),
        (["time,power_w", f"{TEN},1", ",1"], None, "row 2 has no time"),
        (
            ["time,power_w", "2026-03-29 02:30:00,1"],
            "Europe/Berlin",
            "row 1: 2026-03-29 02:30:00 exists twice or not at",
        ),
        (
            ["time,power_w", "2026-10-25 02:30:00,1"],
            "Europe/Berlin",
            "row 1: 2026-10-25 02:30:00 exists twice or not at",
        ),
        (["time;power_w", f"{TEN};5,12"], None, "row 1: power_w is '5,12': expected a number with a decimal point"),
        (["time,power_w", f"{TEN},1", f"{TEN}"], None, "row 2 has 1 fields, the headers 2: delete it, or mend it"),
        (["time,power_w", f"{TEN},1,2"], None, "row 1 has 3 fields, the headers 2"),
    ],
)
def test_what_would_have_to_be_guessed_is_refused(
    lines: list[str], zone: str | None, says: str, tmp_path: Path
) -> None:
    path = log(tmp_path, *lines)
    with pytest.raises(ConfigError) as caught:
        read_meter(path, timezone=zone)
    assert says in str(caught.value)
    assert str(path) in str(caught.value) or "log.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("zone", ["Europe/Berlyn", "../../etc/passwd", "Europe", "summer"])
def test_an_unknown_zone_offers_near_ones(zone: str, tmp_path: Path) -> None:
    path = log(tmp_path, "time,power_w", "2026-11-23 10:00:00,1", "2026-11-23 10:00:01,1")
    with pytest.raises(UnknownNameError, match=r"unknown time zone '.*': (did you mean|choose one of) ") as caught:
        read_meter(path, timezone=zone)
    assert len(str(caught.value)) < 200
    if zone == "Europe/Berlyn":
        assert "Europe/Berlin" in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00\x01" * 9, b"time,power_w\n\xe9,1\n", b"PK\x03\x04\x00\x00\x91"])
def test_a_file_that_is_no_text_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot read it: it is no table of text in UTF-8"):
        read_meter(path)


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"meter .*missing.csv: cannot read it: No such file or directory"):
        read_meter(tmp_path / "missing.csv")
    with pytest.raises(ConfigError, match="cannot read it: Is a directory"):
        read_meter(tmp_path)
