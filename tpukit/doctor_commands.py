"""`tpukit doctor`: the page that it prints."""

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tpukit import terminal
from tpukit.options import AsJson
from tpukit.paths import printable
from tpukit.terminal import NO

if TYPE_CHECKING:
    import pandas as pd

_VERDICT = 9
_NARROWEST = 40


def doctor(
    models: Annotated[list[str] | None, typer.Argument(help="Model files, or names of bundled ones.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check drivers, permissions, versions, this machine and models; says how to mend each trouble.

    Ends with 1 where something is in trouble; warnings are none.
    """
    from tpukit.doctor import TROUBLE, checkup

    table = checkup(models or ())
    if as_json:
        terminal.print_json(terminal.records(table))
    else:
        for line in page(table, max(_NARROWEST, terminal.width())):
            typer.echo(printable(line))
    if (table["verdict"] == TROUBLE).any():
        raise typer.Exit(NO)


def page(table: "pd.DataFrame", width: int) -> Iterator[str]:
    """Yield the lines of a CHECKS table for people: each part's checks, what does not apply, and the sum."""
    from tpukit.doctor import NOT_APPLICABLE, OK, TROUBLE, WARNING

    judged = table[table["verdict"] != NOT_APPLICABLE]
    for part, checks in judged.groupby("part", sort=False):
        yield str(part)
        for row in checks.fillna("").to_dict("records"):
            about = ", ".join(filter(None, [row["subject"], row["check"]]))
            yield from _wrapped(f"  {row['verdict']:{_VERDICT}}", f"{about}: {row['found']}", width)
            for step in row["remedy"].splitlines():
                yield from _wrapped(" " * (_VERDICT + 2) + "-> ", step, width)
        yield ""
    if reasons := _reasons(table[table["verdict"] == NOT_APPLICABLE], elsewhere=set(judged["check"])):
        yield from _wrapped("Not applicable: ", reasons, width)
    counts = {verdict: int((table["verdict"] == verdict).sum()) for verdict in (TROUBLE, WARNING, OK)}
    warnings = "1 warning" if counts[WARNING] == 1 else f"{counts[WARNING]} warnings"
    yield f"{counts[TROUBLE]} in trouble, {warnings}, {counts[OK]} ok"


def _reasons(table: "pd.DataFrame", elsewhere: set[str]) -> str:
    """Return the checks that do not apply, those of one reason together.

    What does apply `elsewhere`, to another Edge TPU or model, is named with that to which it does not.
    """
    names: dict[str, list[str]] = {}
    for row in table.fillna("").to_dict("records"):
        whole = row["subject"] and row["check"] in elsewhere
        names.setdefault(row["found"], []).append(f"{row['check']} of {row['subject']}" if whole else row["check"])
    return "; ".join(f"{', '.join(dict.fromkeys(checks))} ({reason})" for reason, checks in names.items())


def _wrapped(head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        width,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )
