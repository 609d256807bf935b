"""What `tpukit suite` prints, and what it answers."""

import json
import os
import signal

import pytest

from tests.metrics_integration._findings import finding
from tpukit.cli import run
from tpukit.metrics_integration import STOPPED, Cell, Effort, Finding
from tpukit.registry import Registry

ALL = {"what": "a thing", "baseline": "a sceptic's loop", "baseline_value": 4.56}
ALL |= {"limit": "nothing at all", "limit_value": 0.25, "note": "best of 7"}


def one(cells: Registry[Cell], *found: Finding) -> None:
    cells.add("a/one", Cell(part="a", measure=lambda effort: found))


def test_every_number_has_its_baseline_its_limit_and_its_note(
    cells: Registry[Cell], capsys: pytest.CaptureFixture[str]
) -> None:
    one(cells, finding(**ALL), finding(what="another", value=3.0, unit="", note="counted"))
    assert run(["suite"]) == 1
    numbers, words = (part.splitlines() for part in capsys.readouterr().out.split("\n\n"))
    assert [line.split() for line in numbers[1:]] == [
        ["a", "thing", "(s)", "1.00", "≤", "2.00", "4.56", "0.250", "holds"],
        ["another", "3.00", "≤", "2.00", "does", "not", "hold"],
    ]
    assert [line.split(maxsplit=2) for line in words[1:2]] == [
        ["a", "thing", "baseline: a sceptic's loop; limit: nothing at all; best of 7"]
    ]
    assert words[2].split() == ["another", "counted"]


def test_a_ratio_shows_which_side_of_its_goal_it_is_on(
    cells: Registry[Cell], capsys: pytest.CaptureFixture[str]
) -> None:
    one(cells, finding(value=1.012, goal=1.01, unit="ratio"))
    assert run(["suite"]) == 1
    assert "1.012" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (finding(), 0),
        (finding(value=float("nan"), note="needs make"), 0),
        (finding(value=2.1), 1),
        (finding(failed=True), 1),
    ],
)
def test_the_answer_is_no_where_a_goal_is_missed(cells: Registry[Cell], found: Finding, code: int) -> None:
    one(cells, found)
    assert run(["suite"]) == code


@pytest.mark.parametrize("option", [[], ["--json"]])
@pytest.mark.usefixtures("sigint_not_ignored")
def test_ctrl_c_prints_what_there_is_and_ends_with_1(
    cells: Registry[Cell], capsys: pytest.CaptureFixture[str], option: list[str]
) -> None:
    def interrupted(effort: Effort) -> list[Finding]:
        os.kill(os.getpid(), signal.SIGINT)
        while True:  # the first Ctrl-C only asks
            effort.keep_on()

    one(cells, finding(what="measured before"))
    cells.add("a/two", Cell(part="a", measure=interrupted))
    assert run(["suite", *option]) == 1
    said = capsys.readouterr()
    assert said.err == "tpukit: stopped; what was measured before stands in the table\n"
    assert "measured before" in said.out
    assert STOPPED in said.out
    if option:
        assert [row["verdict"] for row in json.loads(said.out)] == ["holds", "not measured"]
