"""RESULTS for people: the same numbers in the units of the field, rounded to what they are worth."""

import math
import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence

import pandas as pd

from tpukit import schema


def readable(results: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text with one row for each row of RESULTS, for a terminal or a report.

    Latencies are in milliseconds with three digits; the interval of p99 follows it; what was not measured is empty. A
    verdict with a warning of that bears the word unstable. "over bound" is the share of a VALID run's queries: of
    another one RESULTS does not say how many there were, for some were never served. "mJ/sample" is all that the source
    of energy saw, "net mJ/sample" without what it takes at rest.

    >>> row = {"model": "a", "device": "cpu", "verdict": "VALID", "p50_s": 0.00123456}
    >>> readable(schema.frame([row], schema.RESULTS))["p50 ms"].item()
    '1.23'
    """
    return pd.DataFrame([_row(row) for row in schema.check(results, schema.RESULTS).to_dict("records")], dtype="str")


def by_scenario(table: pd.DataFrame, columns: Sequence[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each scenario of a `readable` table as text and table: which of `columns` all its rows share, and the rest.

    The scenario is said in the text; columns that are empty throughout are left out.

    >>> rows = [{"model": model, "device": "cpu", "scenario": "offline"} for model in "ab"]
    >>> for text, table in by_scenario(readable(schema.frame(rows, schema.RESULTS)), ["device"]):
    ...     print(text, list(table), list(table["model"]))
    device cpu, scenario offline ['model'] ['a', 'b']
    """
    for _, part in table.groupby("scenario", sort=False) if len(table) else ():
        yield said_once(part, [*columns, "scenario"])


def said_once(table: pd.DataFrame, columns: Sequence[str]) -> tuple[str, pd.DataFrame]:
    """Return as text which of `columns` all rows of a table of text share, and the table without them.

    Columns that are empty throughout are left out.

    >>> said_once(pd.DataFrame({"model": ["a", "b"], "device": "cpu", "batch": ""}), ["device"])[0]
    'device cpu'
    """
    shared = [name for name in table if name in columns and table[name].nunique() == 1]
    empty = [name for name in table if (table[name] == "").all()]
    text = ", ".join(f"{name} {table[name].iloc[0]}" for name in shared if name not in empty)
    return text, table.drop(columns=[*{*shared, *empty}])


def readable_frontier(frontier: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text with one row for each row of FRONTIER.

    >>> row = {"model": "a", "batch": 4, "throughput_per_s": 3900.0, "p99_s": 0.001, "on_frontier": True}
    >>> readable_frontier(schema.frame([row], schema.FRONTIER))[["samples/s", "frontier"]].to_numpy().tolist()
    [['3900', 'yes']]
    """
    rows = schema.check(frontier, schema.FRONTIER).to_dict("records")
    return pd.DataFrame([_settings(row) | _load(row) | _point(row) for row in rows], dtype="str")


def readable_peaks(peaks: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text with one row for each row of PEAKS.

    >>> row = {"model": "a", "rate_hz": 380.0, "too_high_hz": 394.0, "runs": 9}
    >>> readable_peaks(schema.frame([row], schema.PEAKS))[["peak/s", "too high/s"]].to_numpy().tolist()
    [['380', '394']]
    """
    rows = schema.check(peaks, schema.PEAKS).to_dict("records")
    return pd.DataFrame([_peak(row) for row in rows], dtype="str")


def notes(results: pd.DataFrame) -> pd.DataFrame:
    """Return what is to be said of the runs of a RESULTS table: columns `runs`, `first` and `note`.

    Reasons and warnings that differ in their numbers alone are one row, with the first of them, and its run, as
    example.

    >>> row = {"model": "a", "device": "cpu", "threads": 2, "warnings": "unstable: load average 3.1 on 2 cores"}
    >>> notes(schema.frame([row, row], schema.RESULTS)).to_numpy().tolist()
    [[2, 'a cpu 2 threads', 'unstable: load average 3.1 on 2 cores']]
    """
    rows = schema.check(results, schema.RESULTS).to_dict("records")
    said = [(_run(row), note) for part in (_reasons, _warnings) for row in rows for note in part(row)]
    examples = {_numberless(note): (run, note) for run, note in reversed(said)}
    kinds = Counter(_numberless(note) for _, note in said)
    return pd.DataFrame([(runs, *examples[kind]) for kind, runs in kinds.items()], columns=["runs", "first", "note"])


def compared(comparison: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return a table of text with one row for each row of COMPARISON, and a line for each that needs words.

    Values are in milliseconds, or samples a second; the ratio is followed by its interval, where it has one.

    >>> row = {"model": "a", "metric": "p50_s", "base_value": 0.001, "new_value": 0.0011, "ratio": 1.1}
    >>> table, lines = compared(schema.frame([row | {"reason": "too few"}], schema.COMPARISON))
    >>> table[["base", "new", "× as long"]].to_numpy().tolist(), lines
    ([['1.00 ms', '1.10 ms', '1.100']], ['a: too few'])
    """
    rows = schema.check(comparison, schema.COMPARISON).to_dict("records")
    said = [(_run(row), [_text(row[name]) for name in ("design", "differs", "reason")]) for row in rows]
    lines = [f"{run}: {'; '.join(filter(None, words))}" for run, words in said if any(words)]
    return pd.DataFrame([_compared(row) for row in rows], dtype="str"), lines


def _compared(row: Mapping[Hashable, object]) -> dict[str, str]:
    rate = str(row["metric"]).endswith("_per_s")
    factor, unit = (1.0, "/s") if rate else (1e3, "ms")
    sides = ("base", "new")
    ratio, lo, hi = (significant(float(row[name]), 4) for name in ("ratio", "ratio_lo", "ratio_hi"))  # type: ignore[arg-type]
    return _settings(row) | {
        "runs": f"{row['base_runs']}, {row['new_runs']}",
        **{side: f"{value} {unit}" if (value := _number(row[f"{side}_value"], factor)) else "" for side in sides},
        "× as long": f"{ratio} [{lo or '?'}, {hi or '?'}]" if ratio and (lo or hi) else ratio,
        "verdict": _text(row["verdict"]),
    }


def phases(results: pd.DataFrame) -> pd.DataFrame:
    """Return a table of text: how long each run took to load, for its first inference, to warm up, in steady state.

    >>> row = {"model": "a", "load_s": 0.0021, "first_s": 0.0105, "warmup_s": 0.3, "steady_s": 3.0}
    >>> phases(schema.frame([row], schema.RESULTS))["load ms"].item()
    '2.10'
    """
    rows = schema.check(results, schema.RESULTS).to_dict("records")
    return pd.DataFrame([_settings(row) | _phases(row) for row in rows], dtype="str")


def _phases(row: Mapping[Hashable, object]) -> dict[str, str]:
    return {
        "load ms": _number(row["load_s"], 1e3),
        "first inference ms": _number(row["first_s"], 1e3),
        "warm-up ms": _number(row["warmup_s"], 1e3),
        "warm-up queries": _text(row["warmup_queries"]),
        "steady state ms": _number(row["steady_s"], 1e3),
        "queries": _text(row["n"]),
    }


def _reasons(row: Mapping[Hashable, object]) -> list[str]:
    reasons = _text(row["reasons"])
    if not reasons:
        return []
    return [reasons if row["verdict"] == "VALID" else f"INVALID: {reasons}"]


def _warnings(row: Mapping[Hashable, object]) -> list[str]:
    return [part for part in _text(row["warnings"]).split("; ") if part]


def _unstable(row: Mapping[Hashable, object]) -> str:
    return ", unstable" if any(warning.startswith("unstable") for warning in _warnings(row)) else ""


def _run(row: Mapping[Hashable, object]) -> str:
    """Name a run by its settings."""
    threads = _text(row["threads"])
    counted = f"{threads} thread{'' if threads == '1' else 's'}" if threads else ""
    rate, batch = _number(row["rate_hz"]), _text(row["batch"])
    load = (f"{rate}/s" if rate else "", counted, f"batch {batch}" if batch not in ("", "1") else "")
    return " ".join(filter(None, (*(_text(row[name]) for name in ("model", "device", "scenario")), *load)))


def _numberless(note: str) -> str:
    return re.sub(r"(?<![\w.])[-+]?\d[\d.]*(?!\w)", "#", note)  # the digits of a model's name are no number


def _settings(row: Mapping[Hashable, object]) -> dict[str, str]:
    return {name: _text(row[name]) for name in ("model", "device", "scenario", "threads")}


def _load(row: Mapping[Hashable, object]) -> dict[str, str]:
    return {
        "batch": _text(row["batch"]),
        "queries/s": _number(row["rate_hz"]),
        "bound ms": _number(row["latency_bound_s"], 1e3),
    }


def _row(row: Mapping[Hashable, object]) -> dict[str, str]:
    per_sample = 1e3 / _samples(row)
    return (
        _settings(row)
        | _load(row)
        | {
            "verdict": _text(row["verdict"]) + _unstable(row),
            "queries": _text(row["n"]),
            "p50 ms": _number(row["p50_s"], 1e3),
            "p90 ms": _number(row["p90_s"], 1e3),
            "p99 ms": _number(row["p99_s"], 1e3) + _interval(row["p99_lo_s"], row["p99_hi_s"]),
            "over bound": _over_bound(row),
            "samples/s": _number(row["throughput_per_s"]),
            "× baseline": _number(row["speedup"]),
            "% of limit": _number(row["fraction_of_peak"], 100),
            "mJ/sample": _number(row["energy_j"], per_sample),
            "net mJ/sample": _number(row["net_energy_j"], per_sample),
            "accuracy": _accuracy(row),
        }
    )


def _samples(row: Mapping[Hashable, object]) -> float:
    n, each = row["n"], row["samples_per_query"]
    return float(n) * float(each) if isinstance(n, int) and isinstance(each, int) and n else math.nan


def _over_bound(row: Mapping[Hashable, object]) -> str:
    n, over = row["n"], row["over_bound"]
    if not (isinstance(n, int) and isinstance(over, int) and n and row["verdict"] == "VALID"):
        return ""
    return f"{significant(over / n * 100)} %"


def _point(row: Mapping[Hashable, object]) -> dict[str, str]:
    return {
        "runs": _text(row["runs"]),
        "samples/s": _number(row["throughput_per_s"]),
        "p99 ms": _number(row["p99_s"], 1e3) + _interval(row["p99_lo_s"], row["p99_hi_s"]),
        "frontier": "yes" if row["on_frontier"] else "",
        "offline samples/s": _number(row["offline_per_s"]),
    }


def _peak(row: Mapping[Hashable, object]) -> dict[str, str]:
    return {
        **{name: _text(row[name]) for name in ("model", "device", "threads", "batch")},
        "bound ms": _number(row["latency_bound_s"], 1e3),
        "percentile": _text(row["percentile"]),
        "peak/s": _number(row["rate_hz"]),
        "too high/s": _number(row["too_high_hz"]),
        "single_stream/s": _number(row["capacity_hz"]),
        "runs": _text(row["runs"]),
        "reason": _text(row["reason"]),
    }


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value)  # type: ignore[call-overload]


def _number(value: object, factor: float = 1.0) -> str:
    return significant(float(value) * factor) if isinstance(value, float) else ""


def _interval(lo: object, hi: object) -> str:
    low, high = _number(lo, 1e3), _number(hi, 1e3)
    return f" [{low or '?'}, {high or '?'}]" if low or high else ""


def _accuracy(row: Mapping[Hashable, object]) -> str:
    value, n = row["accuracy"], row["accuracy_n"]
    return f"{value:.3f} of {n}" if isinstance(value, float) and not math.isnan(value) else ""


def significant(value: float, digits: int = 3) -> str:
    """Return `value` with that many significant digits and no exponent; empty for NaN.

    >>> significant(0.0123456), significant(9.996), significant(1234567.0), significant(float("nan"))
    ('0.0123', '10.0', '1230000', '')
    """
    if math.isnan(value):
        return ""
    if value == 0 or math.isinf(value):
        return f"{value:g}"
    value = float(f"{value:.{digits}g}")
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    return f"{value:.{max(0, decimals)}f}"
