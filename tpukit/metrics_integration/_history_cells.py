"""Whether history keeps what it acknowledged: several writers at once, and writers killed while they write."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from tpukit.errors import StorageError
from tpukit.history import History
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding

_WRITERS, _RUNS, _QUERIES = 4, 200, 100
_KILLS, _VICTIMS, _BEFORE_KILL, _LARGE = 16, 2, 3, 20_000


def _appends(effort: Effort) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        began = perf_counter()
        writers = [_writer(path, _RUNS, _QUERIES, f"w{index}") for index in range(_WRITERS)]
        said = [writer.communicate() for writer in writers]
        wall_s = perf_counter() - began
        acknowledged = {run_id for out, _ in said for run_id in out.split()}
        lost, torn = _losses(path, acknowledged, _QUERIES)
    errors = sum(writer.returncode != 0 for writer in writers)
    asked = _WRITERS * _RUNS
    note = f"{_WRITERS} processes × {_RUNS} runs of {_QUERIES} queries in {wall_s:.1f} s, interpreter start included"
    yield _none_expected("writers that ended with an error", errors, note)
    yield _none_expected("runs not acknowledged, lost or half-written", asked - len(acknowledged) + lost + torn, note)


def _kills(effort: Effort) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        acknowledged = {run_id for kill in range(_KILLS) for run_id in _killed(path, kill)}
        lost, torn = _losses(path, acknowledged, _LARGE)
    note = f"{_VICTIMS} writers killed {_KILLS} times; {len(acknowledged)} runs of {_LARGE} queries acknowledged"
    yield _none_expected("acknowledged runs lost to kill -9", lost, note)
    yield _none_expected("runs half-written after kill -9", torn, note)


def _killed(path: Path, kill: int) -> list[str]:
    """Start writers, kill them a few runs later wherever they are, and return what they said was stored."""
    victims = [_writer(path, 0, _LARGE, f"k{kill}-{index}") for index in range(_VICTIMS)]
    said: list[str] = []
    for victim in victims:
        assert victim.stdout is not None  # noqa: S101 opened as a pipe
        said += [victim.stdout.readline() for _ in range(_BEFORE_KILL + kill % 3)]
    for victim in victims:
        victim.kill()
    for victim in victims:
        said += victim.communicate()[0].splitlines(keepends=True)
    # the last line may be torn: only a whole one is an acknowledgement
    return [line.strip() for line in said if line.endswith("\n")]


def _losses(path: Path, acknowledged: set[str], queries: int) -> tuple[int, int]:
    history = History(path)
    stored = set(history.to_frame()["run_id"])
    return len(acknowledged - stored), sum(not _whole(history, run_id, queries) for run_id in stored)


def _whole(history: History, run_id: str, queries: int) -> bool:
    try:
        return len(history.samples(run_id)) == queries
    except StorageError:
        return False


def _none_expected(what: str, count: int, note: str) -> Finding:
    return Finding(what=what, value=float(count), unit="count", goal=0.0, limit="none lost", limit_value=0.0, note=note)


def _writer(path: Path, runs: int, queries: int, name: str) -> "subprocess.Popen[str]":
    module = "tpukit.metrics_integration._append_worker"
    return subprocess.Popen(  # noqa: S603 this Python
        [sys.executable, "-m", module, str(path), str(runs), str(queries), name],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


SUITE.add("inference/history_appends", Cell(part="inference", measure=_appends))
SUITE.add("inference/history_kills", Cell(part="inference", measure=_kills))
