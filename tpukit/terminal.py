"""What the command line shows: tables, progress, one-line errors, JSON for programs."""

import json
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from tpukit.paths import printable

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from tpukit.inference import ModelInfo
    from tpukit.workflows import Measured, MeasuredPeaks, Step

#: Exit codes: the answer is "no"; bad usage or input.
NO, BAD = 1, 2

# said once above the table where every row agrees
_COMMON = ("device", "threads", "batch", "queries/s", "bound ms", "percentile", "verdict")
# left out, in this order, where the terminal is too narrow
_LEAST_WANTED = (
    "p90 ms", "estimate ms", "mJ/sample", "over bound", "accuracy", "net mJ/sample", "samples/s", "% of limit",
)  # fmt: skip
# after these nothing is left to leave out: the baseline has rows of its own, and p99 says more under load than p50
_LAST_RESORT = ("× baseline", "p50 ms")
_ENDLESS = 10_000
_PROSE = ("about", "note", "reason", "what")


def fail(line: str, code: int) -> int:
    """Say why on standard error, and return the exit code."""
    typer.echo(f"tpukit: {printable(line)}", err=True)
    return code


@contextmanager
def progress(title: str) -> "Iterator[Callable[[Step], None] | None]":
    """Show a bar with the time left on a terminal, nothing in a pipe."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    percent = TextColumn("{task.percentage:.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), percent, TimeRemainingColumn())
    # no refreshing thread: it would run beside the measured one
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda step: bar.update(task, completed=step.share, description=step.label, refresh=True)


def notebook_progress(show: "Callable[[Step], None] | None") -> Callable[[str], None] | None:
    """Turn the lines that the report's notebook prints, `share label`, into steps."""
    if show is None:
        return None
    from tpukit.workflows import Step

    def take(text: str) -> None:
        for share, label in re.findall(r"^([01]\.\d+) (.+)$", text, flags=re.MULTILINE):
            show(Step(share=float(share), label=label, begins=True))

    return take


def show_measured(measured: "Measured", checked: "pd.DataFrame | None" = None, *, as_json: bool) -> int:
    """Show a sweep's results beside their baselines, what is wrong with them, and return the exit code.

    `checked` is the CROSS_CHECK table of the same sweep.
    """
    from tpukit.workflows import frontier

    results, settings = measured.results, frontier(measured.results)
    if as_json:
        crossed = {} if checked is None else {"cross_check": records(checked)}
        print_json(_measured(measured) | {"frontier": records(settings)} | crossed)
    elif results["run_id"].notna().any():
        show_results(measured.everything())
        show_frontier(settings)
        _show_cross_check(checked)
    for row in results[results["run_id"].isna()].itertuples():
        fail(f"{row.model} on {row.device}: {row.reasons}", NO)
    failed = results["run_id"].isna().any()
    return _ended(measured, code=BAD if failed else NO if (results["verdict"] == "INVALID").any() else 0)


def _ended(measured: "Measured", *, code: int) -> int:
    """Say what was not measured or not stored, and return the exit code, `code` where nothing is worse."""
    for label in measured.not_measured:
        fail(f"not measured: {label}", NO)
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
        typer.echo(f"throughput against p99: {printable(shared)}")
        _show_fitting(part, ("runs", "offline samples/s", "device"))


def show_peaks(found: "MeasuredPeaks", *, as_json: bool) -> int:
    """Show the highest rates that were found, and return the exit code: 1 where there is none."""
    from tpukit.workflows import readable_peaks, said_once

    peaks = found.peaks
    if as_json:
        print_json({"peaks": records(peaks)} | _measured(found.measured))
    elif len(peaks):
        shared, rest = said_once(readable_peaks(peaks), _COMMON)
        typer.echo(f"highest rate of server, in queries: {printable(shared)}")
        show(rest, as_json=False)
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
    _show_fitting(side_by_side(checked))
    theirs = checked[(checked["harness"] != "tpukit") & (checked["verdict"] == "INVALID")]
    for row in theirs.itertuples():
        _say(f"{row.model} by {row.harness}: {row.reasons}")


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
        typer.echo(printable(heading))
        _show_fitting(brief, (*_LEAST_WANTED, *_LAST_RESORT))
    for count, first, note in notes(results).itertuples(index=False):
        more = f" (and {count - 1} more like it, with other numbers)" if count > 1 else ""
        _say(f"{first}: {note}{more}")


def _show_fitting(table: "pd.DataFrame", least_wanted: Sequence[str] = _LEAST_WANTED) -> None:
    for name in least_wanted:
        if _fits(table):
            break
        table = table.drop(columns=name, errors="ignore")
    show(table, as_json=False)


def _starred(table: "pd.DataFrame", heading: str) -> "tuple[pd.DataFrame, str]":
    """Return a table whose verdicts are brief, where it would be too wide without all that can be left out."""
    if "verdict" not in table or _fits(table.drop(columns=[*_LEAST_WANTED], errors="ignore")):
        return table, heading
    return table.assign(verdict=table["verdict"].str.replace(", unstable", " *")), f"{heading} (* unstable)"


def show_comparison(table: "pd.DataFrame", *, fail_on: float, as_json: bool) -> int:
    """Show a COMPARISON table, and return the exit code: 1 where a cell is slower by that share at least."""
    if as_json:
        print_json(records(table))
    else:
        from tpukit.workflows import compared

        numbers, words = compared(table)
        show(numbers, as_json=False)
        for line in words:
            _say(line)
    # a cell without a ratio is slower because no run kept its latency bound
    failed = table[(table["verdict"] == "slower") & ~(table["ratio"] < 1 + fail_on)]
    for row in failed.to_dict("records"):
        much = row["reason"] if math.isnan(row["ratio"]) else f"takes {row['ratio']:.3f} times as long"
        fail(f"slower: {row['model']} on {row['device']}, {row['scenario']}, {much}", NO)
    return NO if len(failed) else 0


def show_model(info: "ModelInfo", *, as_json: bool) -> None:
    """Show what a model consists of."""
    facts: dict[str, Any] = {
        "model": info.name,
        "sha256": info.sha256,
        "size_bytes": info.size_bytes,
        "weights": info.weights,
        "parameters": info.parameters,
        "parameter_bytes": info.parameter_bytes,
        "macs": info.macs,
    }
    tensors = {
        "inputs": [tensor.as_dict() for tensor in info.inputs],
        "outputs": [tensor.as_dict() for tensor in info.outputs],
    }
    if as_json:
        print_json(facts | tensors | {"ops": records(info.ops)})
        return
    for name, value in facts.items():
        typer.echo(f"{name:16} {'unknown' if value is None else printable(str(value))}")
    for name, each in tensors.items():
        for tensor in each:
            typer.echo(f"{name[:-1]:16} {printable(_tensor(tensor))}")
    short = {"activation_bytes": "activations B", "parameter_bytes": "constants B"}
    show(info.ops.drop(columns=["model", "parameters"]).rename(columns=short), as_json=False)


def show_suite(table: "pd.DataFrame", *, as_json: bool) -> int:
    """Show a SUITE table, and return the exit code: 1 where a goal is missed or somebody stopped the suite."""
    from tpukit.metrics_integration import STOPPED

    if as_json:
        print_json(records(table))
    else:
        numbers, words = _suite_for_people(table)
        show(numbers, as_json=False)
        typer.echo()
        show(words, as_json=False)
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


def show(table: "pd.DataFrame", *, as_json: bool) -> None:
    """Show any table."""
    if as_json:
        print_json(records(table))
        return
    _console().print(_rich(table))


def _fits(table: "pd.DataFrame") -> bool:
    from rich.console import Console

    # measured on a console without an edge, which would cut the answer too
    return Console(width=_ENDLESS).measure(_rich(table)).minimum <= _console().width


def _say(line: str) -> None:
    """Print a line of prose, which may hold text of another machine: without what would steer the terminal."""
    _console().print(printable(line), markup=False, highlight=False)


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    # a pipe has no width: nothing is cut there
    return console if console.is_terminal else Console(width=_ENDLESS)


def _rich(table: "pd.DataFrame") -> "Table":
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False)
    cells = [[_cell(value) for value in row] for row in table.itertuples(index=False)]
    for name, *column in zip(table.columns, *cells, strict=True):
        # prose may fold, names and numbers may not
        widest = 1 if name in _PROSE else max(map(len, [name, *column]))
        shown.add_column(name, min_width=widest, overflow="fold")
    for row in cells:
        shown.add_row(*row)
    return shown


def _cell(value: object) -> str:
    import pandas as pd
    from rich.markup import escape

    if pd.isna(value):  # type: ignore[call-overload]
        return ""
    return escape(f"{value:.4g}" if isinstance(value, float) else printable(str(value)))


def records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return a table's rows as JSON can hold them: missing values are null, stamps ISO 8601."""
    found: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso", double_precision=15))
    return found


def print_json(value: object) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def _tensor(tensor: dict[str, Any]) -> str:
    shape = "x".join(map(str, tensor["shape"]))
    scale = f", scale {tensor['scale']:.4g}, zero point {tensor['zero_point']}" if tensor["scale"] else ""
    return f"{tensor['name']}: {tensor['dtype']} {shape}{scale}"
