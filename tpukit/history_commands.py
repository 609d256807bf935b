"""`tpukit history …`: what was measured, shown, exported, imported and compared."""

import re
from pathlib import Path
from typing import Annotated

import typer

from tpukit import results_terminal, terminal
from tpukit.errors import ConfigError
from tpukit.options import AsJson, HistoryFile
from tpukit.terminal import NO

_MARGIN = 0.02
_WRITTEN = "name a file that bench or report has written"

history_app = typer.Typer(help="What was measured.", no_args_is_help=True)


@history_app.command("list")
def history_list(
    history: HistoryFile = None,
    last: Annotated[int, typer.Option(help="The newest runs to show.", min=1)] = 20,
    as_json: AsJson = False,
) -> None:
    """List the runs measured so far, the newest last."""
    from tpukit import schema
    from tpukit.history import History

    runs = History(_existing(history)).to_frame().tail(last)
    if as_json:
        terminal.print_json(terminal.records(runs))
        return
    results_terminal.show_results(runs[schema.RESULTS.names], runs=runs)


@history_app.command("export")
def history_export(
    out: Annotated[Path, typer.Argument(help="A .csv, .parquet or .jsonl file.")],
    samples: Annotated[bool, typer.Option("--samples", help="One row a query instead of one row a run.")] = False,
    history: HistoryFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the runs, or their queries, into one file."""
    from tpukit.history import History

    rows = History(_existing(history)).export(out, samples=samples)
    if as_json:
        terminal.print_json({"path": str(out), "rows": rows})
    else:
        typer.echo(f"{rows} rows: {out}")


@history_app.command("import")
def history_import(
    file: Annotated[Path, typer.Argument(help="What `history export` wrote, or a folder that bench left behind.")],
    samples: Annotated[Path | None, typer.Option(help="What `history export --samples` wrote of the same.")] = None,
    history: HistoryFile = None,
    as_json: AsJson = False,
) -> None:
    """Take the runs that another history exported."""
    from tpukit.history import History

    merged = History(history).merge(file, samples=samples)
    if as_json:
        terminal.print_json({"new": merged.new, "known": merged.known, "completed": merged.completed})
    else:
        typer.echo(
            f"{merged.new} runs are new, {merged.known} were here, {merged.completed} of those got samples or energy"
        )


@history_app.command("compare")
def history_compare(  # noqa: PLR0917 options, which nobody gives by position
    base: Annotated[str, typer.Argument(help="Runs by name, model, id or latest~1.")],
    new: Annotated[str, typer.Argument(help="The same, of the runs to judge.")],
    fail_on: Annotated[str | None, typer.Option(help="Slowdown to fail on, as 5%. Default: any.")] = None,
    history: HistoryFile = None,
    as_json: AsJson = False,
) -> None:
    """Say what became slower; ends with 1 where something did.

    Runs measured in turn (base, new, new, base, …: each side first in every other pair), six of each at least, tell
    most; with more cells than one, more runs. Differences under 2 %, or under --fail-on where that is less, count as
    none.
    """
    from tpukit.history import History

    least = _share(fail_on) if fail_on is not None else 0.0
    margin = _MARGIN if fail_on is None else min(_MARGIN, least)
    table = History(_existing(history)).compare(base, new, margin=margin)
    raise typer.Exit(results_terminal.show_comparison(table, fail_on=least, as_json=as_json))


def _share(text: str) -> float:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,9})?)(%?)", text)
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    # a 5 without its sign is hardly 500 %
    if not match or (not match[2] and share >= 1):
        raise ConfigError(f"--fail-on is {text!r}: expected a share such as 5% or 0.05")
    return share


@history_app.command("meter")
def history_meter(  # noqa: PLR0917 options, which nobody gives by position
    log: Annotated[
        Path, typer.Argument(metavar="FILE", help="A meter's log as CSV: time and power, units in its headers.")
    ],
    runs: Annotated[
        list[str] | None, typer.Option("--run", help="Run; repeat for more. Default: all it covers.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Zone of times without one: Europe/Berlin, +02:00.")] = None,
    time: Annotated[str | None, typer.Option(help="The column of time.")] = None,
    power: Annotated[str | None, typer.Option(help="The column of power.")] = None,
    history: HistoryFile = None,
    as_json: AsJson = False,
) -> None:
    """Take the energy of stored runs from the log of an external meter."""
    from tpukit.history import History
    from tpukit.sensors import read_meter
    from tpukit.workflows import attach_meter

    meter = read_meter(log, time=time, power=power, timezone=timezone)
    table = attach_meter(History(_existing(history)), meter, runs)
    terminal.show(table, as_json=as_json)
    if table["energy_j"].isna().all():
        raise typer.Exit(terminal.fail("no run's energy could be taken from the meter: see the notes", NO))


def _existing(history: Path | None) -> Path | None:
    try:
        missing = history is not None and not history.exists()
    except OSError as error:
        raise ConfigError(f"cannot open history {history}: {error.strerror}; {_WRITTEN}") from error
    if missing:
        raise ConfigError(f"history {history} does not exist: {_WRITTEN}")
    return history
