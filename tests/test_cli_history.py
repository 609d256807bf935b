"""`tpukit history compare` and `import`: what they print, and how they end."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.history._frames import frames, measured, together
from tpukit import History
from tpukit.cli import run

pytestmark = pytest.mark.usefixtures("private_home")
NOISE = [1.0, 1.004, 0.997, 1.002, 0.999, 1.006]


@pytest.fixture
def after() -> Callable[[float], None]:
    """Return a function that stores six runs named before, and in turn six named after that take a ratio as long."""

    def store(ratio: float) -> None:
        runs = [
            measured(
                f"{name}{at}",
                at=2 * at + (side != at % 2),
                value=0.001 * NOISE[at] * (ratio if side else 1),
                name=name,
            )
            for at in range(6)
            for side, name in enumerate(("before", "after"))
        ]
        History().append(*together(*runs))

    return store


@pytest.mark.parametrize(
    ("ratio", "options", "code"),
    [
        (1.0, [], 0),
        (0.9, [], 0),
        (1.06, [], 1),
        (1.06, ["--fail-on", "5%"], 1),
        (1.06, ["--fail-on", "0.06"], 1),
        (1.06, ["--fail-on", "7%"], 0),
        (1.06, ["--fail-on", "0.07"], 0),
        (1.015, [], 0),
        (1.015, ["--fail-on", "1%"], 1),
        (1.001, ["--fail-on", "0%"], 1),
    ],
)
def test_the_answer_is_no_where_something_is_slower_by_as_much(
    after: Callable[[float], None], capsys: pytest.CaptureFixture[str], ratio: float, options: list[str], code: int
) -> None:
    after(ratio)
    assert run(["history", "compare", "before", "after", *options]) == code
    said = capsys.readouterr()
    expected = f"tpukit: slower: digits on cpu, single_stream, takes {ratio:.3f} times as long\n" if code else ""
    assert said.err == expected


def test_a_comparison_is_shown_with_its_interval_and_its_words(
    after: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    after(1.06)
    run(["history", "compare", "before", "after"])
    header, row, words = capsys.readouterr().out.splitlines()
    assert header.split()[:5] == ["model", "device", "scenario", "threads", "runs"]
    assert row.split() == [
        *["digits", "cpu", "single_stream", "1", "6,", "6", "1.00", "ms", "1.06", "ms"],
        *["1.060", "[1.060,", "1.060]", "slower"],
    ]
    assert words == "digits cpu single_stream 1 thread: 6 pairs measured in turn"


def test_json_is_the_table(after: Callable[[float], None], capsys: pytest.CaptureFixture[str]) -> None:
    after(1.06)
    assert run(["history", "compare", "before", "after", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["verdict"], row["ratio"], row["reason"]) == ("slower", pytest.approx(1.06), None)


@pytest.mark.parametrize("text", ["5", "1.0", "-5%", "five", "5 %", "", "nan", "inf%", "1e-2", "%"])
def test_a_threshold_that_is_none_is_one_line(
    after: Callable[[float], None], capsys: pytest.CaptureFixture[str], text: str
) -> None:
    after(1.06)
    assert run(["history", "compare", "before", "after", f"--fail-on={text}"]) == 2
    assert capsys.readouterr().err == f"tpukit: --fail-on is {text!r}: expected a share such as 5% or 0.05\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "befor", "after"], "unknown run, name or model 'befor': did you mean before"),
        (["compare", "before", "latest~99"], "latest~99 is beyond the oldest run: the history holds 12"),
        (["compare", "before", "before"], "before and before are both run before0"),
        (["compare", "before", "after", "--history", "missing.db"], "history missing.db does not exist"),
        (["import", "missing.csv"], "cannot read missing.csv: No such file or directory"),
        (["import", "missing.txt"], "cannot import 'missing.txt': name a file that ends in .csv, .jsonl, .parquet"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(
    after: Callable[[float], None], capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    after(1.0)
    assert run(["history", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


def test_another_machines_runs_are_not_comparable(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, private_home: Path
) -> None:
    theirs = History(tmp_path / "theirs.db")
    theirs.append(*measured("theirs", cpu="two", name="theirs"))
    theirs.export(tmp_path / "runs.csv")
    History().append(*measured("mine", name="mine"))
    assert run(["history", "import", str(tmp_path / "runs.csv")]) == 0
    assert capsys.readouterr().out == "1 runs are new, 0 were here, 0 of those got samples or energy\n"
    assert run(["history", "compare", "theirs", "mine"]) == 2
    assert "the nearest differ in cpu (two, one)" in capsys.readouterr().err


def test_import_takes_samples_too_and_says_what_it_did(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    runs, samples = str(tmp_path / "r.parquet"), str(tmp_path / "s.parquet")
    theirs = History(tmp_path / "theirs.db")
    theirs.append(*frames("theirs", rows=9))
    theirs.export(runs)
    theirs.export(samples, samples=True)
    assert run(["history", "import", runs, "--json"]) == 0
    assert run(["history", "import", runs, "--samples", samples, "--json"]) == 0
    said = [json.loads(f"{{{part}") for part in capsys.readouterr().out.split("{")[1:]]
    assert said == [{"new": 1, "known": 0, "completed": 0}, {"new": 0, "known": 1, "completed": 1}]
    assert len(History().samples("theirs")) == 9


def test_the_list_says_what_runs_are_called_where_any_has_a_name(
    after: Callable[[float], None], capsys: pytest.CaptureFixture[str]
) -> None:
    History().append(*measured("unnamed", at=50))
    assert run(["history", "list", "--last", "1"]) == 0
    assert "name" not in capsys.readouterr().out
    after(1.0)
    assert run(["history", "list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert rows[0][:2] == ["started", "name"]
    assert [row[2] for row in rows[1:13]] == ["before", "after", "after", "before"] * 3


def test_a_side_that_is_over_its_latency_bound_fails(capsys: pytest.CaptureFixture[str]) -> None:
    over = "percentile 0.99 of latency is 20 ms, over the bound of 10 ms"
    server = {"scenario": "server", "metric": "percentile_s"}
    History().append(*measured("a", name="before", **server))
    History().append(*measured("b", at=1, name="after", verdict="INVALID", reasons=over, **server))
    assert run(["history", "compare", "before", "after", "--fail-on", "50%"]) == 1
    said = capsys.readouterr()
    assert said.err == (
        "tpukit: slower: digits on cpu, server, every run of the new side (1) is INVALID, over the latency bound that "
        f"the other's (1) keep: {over}\n"
    )
    assert said.out.splitlines()[1].split()[-1] == "slower"


STEERS = "\x1b[31mred\x1b]0;title\x07\nnext"


@pytest.mark.parametrize("where", ["list", "compare", "compare nothing"])
def test_text_of_another_machine_does_not_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, where: str
) -> None:
    """A model, names, reasons and notes with escape sequences, imported and shown."""
    theirs = History(tmp_path / "theirs.db")
    odd = {"model": STEERS, "device": STEERS, "warnings": STEERS, "reasons": STEERS, "governor": "a"}
    theirs.append(*measured("a", name="before", **odd))
    theirs.append(*measured("b", at=1, name=STEERS, **odd | {"governor": STEERS}))
    theirs.export(tmp_path / "runs.jsonl")
    assert run(["history", "import", str(tmp_path / "runs.jsonl")]) == 0
    arguments = {
        "list": ["list"],
        "compare": ["compare", "before", STEERS],
        "compare nothing": ["compare", STEERS, "c"],
    }
    run(["history", *arguments[where]])
    said = capsys.readouterr()
    shown = said.out + said.err
    assert "red" in shown
    assert not [each for each in shown.replace("\n", "") if not each.isprintable()]
    assert "\nnext" not in shown
