"""Whether history keeps what it acknowledged: several writers at once, and writers killed while they write."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import IO, TypeAlias

from tpukit.clock import Clock, SystemClock
from tpukit.errors import StorageError
from tpukit.history import History
from tpukit.metrics_integration._suite import SUITE, Cell, Effort, Finding

_CLOCK: Clock = SystemClock()
_WRITERS, _RUNS, _QUERIES = 4, 200, 100
_KILLS, _VICTIMS, _BEFORE_KILL, _LARGE = 16, 2, 3, 20_000
_PATIENCE_S = 300.0  # for 800 appends, or for one kill; 14 s and 2 s are usual
_WORKER = ("-m", "tpukit.metrics_integration._append_worker")

_Writer: TypeAlias = "subprocess.Popen[str]"


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """How a writer ended: what it said was stored, its exit code, and what it wrote to standard error."""

    acknowledged: tuple[str, ...]
    code: int
    error: str

    @property
    def reason(self) -> str:
        """Its last words."""
        return (self.error.strip().splitlines() or [f"exit code {self.code}"])[-1]


def _appends(effort: Effort) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        began = _CLOCK.now()
        with _writing(path, [f"w{index}" for index in range(_WRITERS)], runs=_RUNS, queries=_QUERIES) as writers:
            ends = [_end(writer) for writer in writers]
        wall_s = _CLOCK.now() - began
        acknowledged = _acknowledged(ends)
        lost, torn = _losses(path, acknowledged, _QUERIES)
    failed = [end for end in ends if end.code]
    note = f"{_WRITERS} processes × {_RUNS} runs of {_QUERIES} queries in {wall_s:.1f} s, interpreter start included"
    note += "".join(f"; one ended with: {end.reason}" for end in failed[:1])
    missing = _WRITERS * _RUNS - len(acknowledged)
    yield _none_expected("writers that ended with an error", len(failed), note)
    yield _none_expected("runs not acknowledged, lost or half-written", missing + lost + torn, note)


def _kills(effort: Effort) -> Iterator[Finding]:
    ends: list[_End] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.db"
        writes = 0
        for kill in range(_KILLS):
            effort.keep_on()
            writing, killed = _killed(path, kill)
            writes += writing
            ends += killed
        acknowledged = _acknowledged(ends)
        lost, torn = _losses(path, acknowledged, _LARGE)
    doubts = "".join(f"; {doubt}" for doubt in _doubts(ends, writes))
    note = f"{_VICTIMS} writers killed in mid-write, {_KILLS} times; "
    note += f"{len(acknowledged)} runs of {_LARGE} queries acknowledged"
    yield _none_expected("acknowledged runs lost to kill -9", lost, note + doubts, failed=bool(doubts))
    yield _none_expected("runs half-written after kill -9", torn, note + doubts, failed=bool(doubts))


def _killed(path: Path, kill: int) -> tuple[bool, list[_End]]:
    """Start writers, kill them in a write some runs later; return whether a write was seen, and their ends."""
    names = [f"k{kill}-{index}" for index in range(_VICTIMS)]
    with _writing(path, names, runs=0, queries=_LARGE) as victims:
        said = [[_stdout(victim).readline() for _ in range(_BEFORE_KILL)] for victim in victims]
        # not always at the first write seen, which would be at the same point of a run each time
        writing = all(_someone_writes(path, victims) for _ in range(1 + kill % 3))
        _kill(victims)
        return writing, [_end(victim, before) for victim, before in zip(victims, said, strict=True)]


def _someone_writes(path: Path, writers: Sequence[_Writer]) -> bool:
    """Return True when the log has just grown; False when a writer is gone (the impatient timer ends them all)."""
    log = path.with_name(f"{path.name}-wal")
    before = _size(log)
    while (now := _size(log)) <= before:
        before = now
        if any(writer.poll() is not None for writer in writers):
            return False
    return True


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _doubts(ends: Sequence[_End], writes: int) -> Iterator[str]:
    """Why the kills prove nothing: fewer runs acknowledged, writers killed or writes seen than there had to be."""
    least = _KILLS * _VICTIMS * _BEFORE_KILL
    if len(_acknowledged(ends)) < least:
        yield f"at least {least} were to be"
    if alone := [end for end in ends if end.code != -signal.SIGKILL]:
        yield f"{len(alone)} of {len(ends)} writers ended by themselves, the first with: {alone[0].reason}"
    if writes < _KILLS:
        yield f"nobody was seen writing at {_KILLS - writes} of {_KILLS} kills"


def _acknowledged(ends: Sequence[_End]) -> set[str]:
    return {run_id for end in ends for run_id in end.acknowledged}


def _losses(path: Path, acknowledged: set[str], queries: int) -> tuple[int, int]:
    history = History(path)
    stored = set(history.to_frame()["run_id"])
    return len(acknowledged - stored), sum(not _whole(history, run_id, queries) for run_id in stored)


def _whole(history: History, run_id: str, queries: int) -> bool:
    try:
        return len(history.samples(run_id)) == queries
    except StorageError:
        return False


def _none_expected(what: str, count: int, note: str, *, failed: bool = False) -> Finding:
    return Finding(
        what=what,
        value=float(count),
        unit="count",
        goal=0.0,
        limit="none lost",
        limit_value=0.0,
        note=note,
        failed=failed,
    )


@contextmanager
def _writing(path: Path, names: Sequence[str], *, runs: int, queries: int) -> Iterator[list[_Writer]]:
    """Start one writer for each name, and kill those that outlive this or `_PATIENCE_S`."""
    with ExitStack() as stack:
        writers = []
        for name in names:
            writers.append(stack.enter_context(_start(path, runs, queries, name)))
            stack.callback(writers[-1].kill)
        timer = Timer(_PATIENCE_S, _kill, [writers])
        timer.start()
        stack.callback(timer.cancel)
        yield writers


def _kill(writers: Sequence[_Writer]) -> None:
    for writer in writers:
        writer.kill()


def _start(path: Path, runs: int, queries: int, name: str) -> _Writer:
    return subprocess.Popen(  # noqa: S603 this Python
        [sys.executable, *_WORKER, str(path), str(runs), str(queries), name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _end(writer: _Writer, before: Sequence[str] = ()) -> _End:
    """Wait for a writer's end; `before` are the lines that were read from it already."""
    lines = [*before, *_stdout(writer)]
    assert writer.stderr is not None  # noqa: S101 opened as a pipe
    error = writer.stderr.read()
    # the last line may be torn: only a whole one is an acknowledgement
    return _End(
        acknowledged=tuple(line.strip() for line in lines if line.endswith("\n")), code=writer.wait(), error=error
    )


def _stdout(writer: _Writer) -> IO[str]:
    assert writer.stdout is not None  # noqa: S101 opened as a pipe
    return writer.stdout


SUITE.add("inference/history_appends", Cell(part="inference", measure=_appends))
SUITE.add("inference/history_kills", Cell(part="inference", measure=_kills))
