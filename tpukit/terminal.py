"""What every command writes with: tables, lines, progress, one-line errors, JSON for programs."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import typer

from tpukit.paths import printable
from tpukit.tables import fits, laid_out

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from tpukit.workflows import Step

#: Exit codes: the answer is "no"; bad usage or input.
NO, BAD = 1, 2

_ENDLESS = 10_000


def fail(line: str, code: int) -> int:
    """Say why on standard error, and return the exit code."""
    typer.echo(f"tpukit: {printable(line)}", err=True)
    return code


def fail_each(lines: Iterable[str]) -> None:
    """Say each line on standard error, those that are the same once."""
    for line in dict.fromkeys(lines):
        fail(line, NO)


@contextmanager
def progress(title: str) -> "Iterator[Callable[[Step], None] | None]":
    """Show a bar with the time left on a terminal from the first step that begins, nothing in a pipe."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    percent = TextColumn("{task.percentage:.0f} %")
    columns = (TextColumn("{task.description}"), BarColumn(), percent, TimeRemainingColumn())
    # no refreshing thread: it would run beside the measured one
    bar = Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
    task = bar.add_task(title, total=1.0)
    with ExitStack() as shown:

        def take(step: "Step") -> None:
            bar.update(task, completed=step.share, description=step.label)
            if step.begins and not bar.live.is_started:
                shown.enter_context(bar)
            if bar.live.is_started:
                bar.refresh()

        yield take


def notebook_progress(show: "Callable[[Step], None] | None") -> Callable[[str], None] | None:
    """Turn the lines that the report's notebook prints, `share label`, into steps."""
    if show is None:
        return None
    from tpukit.workflows import Step

    def take(text: str) -> None:
        for share, label in re.findall(r"^([01]\.\d+) (.+)$", text, flags=re.MULTILINE):
            show(Step(share=float(share), label=label, begins=True))

    return take


def show(table: "pd.DataFrame", *, as_json: bool) -> None:
    """Show any table, for programs or for people."""
    if as_json:
        print_json(records(table))
    else:
        show_table(table)


def show_table(table: "pd.DataFrame", least_wanted: Sequence[str] = ()) -> None:
    """Show a table for people; where there is no room, columns of `least_wanted` are left out, in that order."""
    console = _console()
    console.print(laid_out(table, console.width, least_wanted))


def has_room(table: "pd.DataFrame") -> bool:
    """Return whether a table fits the terminal's width."""
    return fits(table, _console().width)


def say(line: str) -> None:
    """Print a line of prose, which may hold text of another machine: without what would steer the terminal."""
    _console().print(printable(line), markup=False, highlight=False)


def width() -> int:
    """Return how many characters a line has room for; in a pipe there is no end."""
    return int(_console().width)


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    # a pipe has no width: nothing is cut there
    return console if console.is_terminal else Console(width=_ENDLESS)


def records(table: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return a table's rows as JSON can hold them: missing values are null, stamps ISO 8601."""
    found: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso", double_precision=15))
    return found


def print_json(value: object) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))
