"""What the commands that measure show of it: runs, settings, peaks, comparisons, devices, the suite."""

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from tpukit.terminal import BAD, NO, fail, fail_each, has_room, print_json, records, say, show_table

if TYPE_CHECKING:
    import pandas as pd

    from tpukit.workflows import Measured, MeasuredPeaks

# said once above the table where every row agrees
_COMMON = ("device", "threads", "batch", "queries/s", "bound ms", "percentile", "verdict")
# left out, in this order, where the terminal is too narrow
_LEAST_WANTED = (
    "p90 ms", "estimate ms", "mJ/sample", "over bound", "accuracy", "net mJ/sample", "samples/s", "% of limit",
)  # fmt: skip
_COMPARED_ONCE = ("device", "scenario", "threads")
_PLUGGED = {"link_bits_per_s": "Gbit/s", "temperature_c": "°C", "held_by": "held by", "usb_id": "USB id"}


def show_measured(
    measured: "Measured", references: "pd.DataFrame", checked: "pd.DataFrame | None" = None, *, as_json: bool
) -> int:
    """Show a sweep's results beside their baselines, what is wrong with them, and return the exit code.

    `references` is the PUBLISHED table of its models, `checked` the CROSS_CHECK table of the same sweep.
    """
    from tpukit.workflows import frontier, quoted

    results, settings = measured.results, frontier(measured.results)
    if as_json:
        crossed = {} if checked is None else {"cross_check": records(checked)}
        print_json(_measured(measured) | {"frontier": records(settings), "references": records(references)} | crossed)
    elif results["run_id"].notna().any():
        show_results(measured.everything())
        show_frontier(settings)
        for line in quoted(references):
            say(line)
        _show_cross_check(checked)
    not_run = results[results["run_id"].isna()]
    fail_each(f"{row.model} on {row.device}: {row.reasons}" for row in not_run.itertuples())
    failed = results["run_id"].isna().any()
    return _ended(measured, code=BAD if failed else NO if (results["verdict"] == "INVALID").any() else 0)


def _ended(measured: "Measured", *, code: int) -> int:
    """Say what was not measured or not stored, and return the exit code, `code` where nothing is worse."""
    fail_each(f"not measured: {label}" for label in measured.not_measured)
    if measured.not_stored:
        return fail(measured.not_stored, BAD)
    if measured.cut_short and code != BAD:
        return fail("stopped; what was measured is in the history", NO)
    return code


def show_frontier(settings: "pd.DataFrame") -> None:
    """Show what the settings of each model serve, for people, where it has several; the reasons stand elsewhere."""
    from tpukit.workflows import by_scenario, readable_frontier

    several = settings.groupby(["model", "device"])["p99_s"].transform("count") > 1
    if not several.any():
        return
    table = readable_frontier(settings[several])
    _shorten(table, ["p99 ms"])
    for shared, part in by_scenario(table, [*_COMMON, "model", "offline samples/s", "runs"]):
        say(f"throughput against p99: {shared}")
        show_table(part, ("runs", "offline samples/s"))


def show_peaks(found: "MeasuredPeaks", *, as_json: bool) -> int:
    """Show the highest rates that were found, and return the exit code: 1 where there is none."""
    from tpukit.workflows import readable_peaks, said_once

    peaks = found.peaks
    if as_json:
        print_json({"peaks": records(peaks)} | _measured(found.measured))
    elif len(peaks):
        shared, rest = said_once(readable_peaks(peaks), _COMMON)
        say(f"highest rate of server, in queries: {shared}")
        show_table(rest, ("runs", "single_stream/s"))
    failed = (peaks["capacity_hz"].isna() & (peaks["runs"] == 0)).any()
    return _ended(found.measured, code=BAD if failed else NO if peaks["rate_hz"].isna().any() else 0)


def _shorten(table: "pd.DataFrame", columns: Sequence[str]) -> None:
    """Leave out the intervals, for which a terminal has no room."""
    for name in columns:
        table[name] = table[name].str.partition(" ")[0]


def _measured(measured: "Measured") -> dict[str, Any]:
    return {
        "results": records(measured.results),
        "baselines": records(measured.baselines),
        "cut_short": measured.cut_short,
        "not_stored": measured.not_stored,
        "not_measured": measured.not_measured,
    }


def _show_cross_check(checked: "pd.DataFrame | None") -> None:
    from tpukit.workflows import side_by_side

    if checked is None:
        return
    typer.echo()
    show_table(side_by_side(checked), _LEAST_WANTED)
    theirs = checked[(checked["harness"] != "tpukit") & (checked["verdict"] == "INVALID")]
    for row in theirs.itertuples():
        say(f"{row.model} by {row.harness}: {row.reasons}")


def show_results(results: "pd.DataFrame", *, runs: "pd.DataFrame | None" = None) -> None:
    """Show a RESULTS table for people: a table for each scenario, and below what is to be said of the runs.

    With `runs`, the RUNS of the same rows, it begins with when each was started and what it is called.
    """
    from tpukit.workflows import by_scenario, notes, readable

    if results.empty:
        typer.echo("no runs")
        return
    table = readable(results)
    _shorten(table, ["p99 ms"])
    if runs is not None:
        table.insert(0, "started", runs["started"].dt.strftime("%m-%d %H:%M").to_numpy())
        table.insert(1, "name", runs["name"].fillna("").to_numpy())
    for shared, part in by_scenario(table.drop(columns="queries"), _COMMON):
        brief, heading = _starred(part, shared)
        say(heading)
        show_table(brief, _LEAST_WANTED)
    for count, first, note in notes(results).itertuples(index=False):
        say(f"{first}: {note}{_more(note, count - 1)}")


def _more(note: str, others: int) -> str:
    """Say how many notes there are like this one; only what has numbers can differ in them."""
    if not others:
        return ""
    return f" (and {others} more like it, with other numbers)" if re.search(r"\d", note) else f" (and {others} more)"


def _starred(table: "pd.DataFrame", heading: str) -> "tuple[pd.DataFrame, str]":
    """Return a table whose verdicts are brief, where it would be too wide without all that can be left out."""
    if "verdict" not in table or has_room(table.drop(columns=[*_LEAST_WANTED], errors="ignore")):
        return table, heading
    return table.assign(verdict=table["verdict"].str.replace(", unstable", " *")), f"{heading} (* unstable)"


def show_comparison(table: "pd.DataFrame", *, fail_on: float, as_json: bool) -> int:
    """Show a COMPARISON table, and return the exit code: 1 where a cell is slower by that share at least."""
    if as_json:
        print_json(records(table))
    else:
        from tpukit.workflows import compared

        numbers, words = compared(table)
        _show_compared(numbers)
        for line in words:
            say(line)
    # a cell without a ratio is slower because no run kept its latency bound
    failed = table[(table["verdict"] == "slower") & ~(table["ratio"] < 1 + fail_on)]
    fail_each(
        f"slower: {row['model']} on {row['device']}, {row['scenario']}, {_slower(row)}"
        for row in failed.to_dict("records")
    )
    return NO if len(failed) else 0


def _slower(row: Mapping[Hashable, Any]) -> str:
    return str(row["reason"]) if math.isnan(row["ratio"]) else f"takes {row['ratio']:.3f} times as long"


def _show_compared(table: "pd.DataFrame") -> None:
    """Show a comparison for people; where it is too wide, what all its rows share is said above it."""
    from tpukit.workflows import said_once

    if not has_room(table):
        shared, table = said_once(table, _COMPARED_ONCE)
        say(shared)
    show_table(table, ("runs",))


def show_devices(devices: "pd.DataFrame", edge_tpus: "pd.DataFrame", *, as_json: bool) -> None:
    """Show what can run a model, and the Edge TPUs that are plugged in, usable or not."""
    if as_json:
        print_json({"devices": records(devices), "edge_tpus": records(edge_tpus)})
        return
    show_table(devices.drop(columns="reason"))
    for name, reason in devices.dropna(subset="reason")[["device", "reason"]].itertuples(index=False):
        say(f"{name}: {reason}")
    if len(edge_tpus):
        say("Edge TPUs that are plugged in:")
        show_table(edge_tpus.assign(link_bits_per_s=edge_tpus["link_bits_per_s"] / 1e9).rename(columns=_PLUGGED))


def show_suite(table: "pd.DataFrame", *, as_json: bool) -> int:
    """Show a SUITE table, and return the exit code: 1 where a goal is missed or somebody stopped the suite."""
    from tpukit.metrics_integration import STOPPED

    if as_json:
        print_json(records(table))
    else:
        numbers, words = _suite_for_people(table)
        show_table(numbers)
        typer.echo()
        show_table(words)
    if (table["note"] == STOPPED).any():
        return fail("stopped; what was measured before stands in the table", NO)
    return NO if table["verdict"].isin(["does not hold", "failed"]).any() else 0


def _suite_for_people(table: "pd.DataFrame") -> "tuple[pd.DataFrame, pd.DataFrame]":
    """Return the numbers, and what they are: one row in both for each of the suite's."""
    import pandas as pd

    from tpukit.workflows import significant

    numbers, words = [], []
    for row in table.to_dict("records"):
        sign = "≥" if row["better"] == "higher" else "≤"
        digits = 4 if row["unit"] == "ratio" else 3  # 1.012 would seem to reach a goal of 1.01
        numbers.append(
            {
                "what": f"{row['what']} ({row['unit']})" if row["unit"] else row["what"],
                "measured": significant(row["value"], digits),
                "goal": f"{sign} {significant(row['goal'], digits)}" if pd.notna(row["goal"]) else "",
                "baseline": significant(row["baseline_value"], digits),
                "limit": significant(row["limit_value"], digits),
                "verdict": row["verdict"],
            }
        )
        named = [f"{name}: {row[name]}" for name in ("baseline", "limit") if row[name] != "none"]
        words.append({"what": row["what"], "about": "; ".join([*named, row["note"]] if row["note"] else named)})
    return pd.DataFrame(numbers, dtype="str"), pd.DataFrame(words, dtype="str")
