"""How long a person waits: import, help, report, tests. Whole processes, timed from outside."""

import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import tpukit.paths
from tpukit.clock import Clock, SystemClock
from tpukit.errors import TpukitError
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding

_CLOCK: Clock = SystemClock()
_CLI = "from tpukit.cli import main; main()"


def _start_up(effort: Effort) -> Iterator[Finding]:
    bare = _best([sys.executable, "-c", "pass"], effort.repeats)
    note = f"best of {effort.repeats}"
    cases = (
        ("import tpukit, over a bare interpreter", ["-c", "import tpukit"], 40.0, bare),
        ("tpukit --help", ["-c", _CLI, "--help"], 350.0, 0.0),
        ("tpukit bench --help", ["-c", _CLI, "bench", "--help"], 450.0, 0.0),
    )
    for what, arguments, goal, less in cases:
        yield Finding(
            what=what,
            value=_best([sys.executable, *arguments], effort.repeats) - less,
            unit="ms",
            goal=goal,
            baseline="python -c pass",
            baseline_value=bare,
            limit="the interpreter alone" if not less else "nothing imported",
            limit_value=0.0 if less else bare,
            note=note,
        )


def _report(effort: Effort) -> Iterator[Finding]:
    what = "tpukit report --quick"
    if not effort.slow:
        yield _left_out(what, 60.0)
        return
    with tempfile.TemporaryDirectory() as folder:
        wall_s = _timed(
            [sys.executable, "-c", _CLI, "report", "--quick", "--out", folder, "--history", f"{folder}/h.db"]
        )
        measured_s = _steady_s(Path(folder) / "h.db")
    yield Finding(
        what=what,
        value=wall_s,
        unit="s",
        goal=60.0,
        limit="the steady states of its runs alone",
        limit_value=measured_s,
        note="one process, once",
    )


def _steady_s(history: Path) -> float:
    from tpukit.history import History

    return float(History(history).to_frame()["steady_s"].sum())


def _tests(effort: Effort) -> Iterator[Finding]:
    what = "make test"
    checkout = Path(tpukit.paths.__file__).resolve().parents[1]
    make = shutil.which("make")
    if not effort.slow:
        yield _left_out(what, 300.0)
    elif make is None or not (checkout / "Makefile").exists():
        yield Finding(what=what, value=math.nan, unit="s", goal=300.0, note="needs make and a checkout")
    else:
        yield Finding(what=what, value=_timed([make, "-C", str(checkout), "test"]), unit="s", goal=300.0, note="once")


def _left_out(what: str, goal: float) -> Finding:
    return Finding(what=what, value=math.nan, unit="s", goal=goal, note="left out of the quick suite")


def _best(command: Sequence[str], repeats: int) -> float:
    return min(_timed(command) for _ in range(repeats)) * 1e3


def _timed(command: Sequence[str]) -> float:
    began = _CLOCK.now()
    done = subprocess.run(command, capture_output=True, check=False, text=True)  # noqa: S603 this Python, or make
    wall_s = _CLOCK.now() - began
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise TpukitError(f"{' '.join(command[-3:])} ended with {done.returncode}: {' '.join(last)}")
    return wall_s


SUITE.add("inference/start_up", Cell(part="inference", measure=_start_up))
SUITE.add("inference/report", Cell(part="inference", measure=_report))
SUITE.add("inference/tests", Cell(part="inference", measure=_tests))
