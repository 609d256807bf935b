"""What other processes, the system and a damaged disk can do to a history."""

import shlex
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import Process
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pandas as pd
import pytest

from tests.history import _processes
from tests.history._frames import frames, together
from tests.history._processes import MEET_S
from tpukit import sqlite
from tpukit.errors import CorruptEntryError, StorageError
from tpukit.history import History, _database, _rows


@contextmanager
def _running(
    context: ForkServerContext, target: Callable[..., None], *calls: tuple[object, ...]
) -> Iterator[list[Process]]:
    """Run one process for each tuple of arguments, and kill those that are left."""
    running = [context.Process(target=target, args=arguments) for arguments in calls]
    try:
        for process in running:
            process.start()
        yield running
    finally:
        for process in running:
            if process.pid is not None:
                process.kill()
                process.join(MEET_S)


def _finish(running: list[Process]) -> list[int | None]:
    for process in running:
        process.join(MEET_S)
    return [process.exitcode for process in running]


def _are_whole(history: History, tmp_path: Path) -> bool:
    """Whether every run has its samples, all of them readable."""
    out = tmp_path / "samples.parquet"
    history.export(out, samples=True)
    rows = pd.read_parquet(out)["run_id"].astype("str").value_counts()
    return rows.sort_index().to_dict() == history.to_frame().set_index("run_id")["n"].sort_index().to_dict()


def test_four_processes_append_at_once_and_a_reader_sees_only_whole_runs(
    processes: ForkServerContext, history: History, tmp_path: Path
) -> None:
    calls = [(history.path, f"w{writer}", 200) for writer in range(4)]
    seen = [0]
    with _running(processes, _processes.append_runs, *calls) as running:
        while alive := [process.sentinel for process in running if process.is_alive()]:
            wait(alive, timeout=0.5)
            df = history.to_frame()
            assert len(df) >= seen[-1]
            seen.append(len(df))
            if len(df):
                assert len(history.samples(df["run_id"].iloc[-1])) == df["n"].iloc[-1]
        assert _finish(running) == [0, 0, 0, 0]
    df = history.to_frame()
    assert set(df["run_id"]) == {f"w{writer}-{i:04d}" for writer in range(4) for i in range(200)}
    assert _are_whole(history, tmp_path)
    assert any(0 < n < 800 for n in seen)


def test_four_processes_create_the_same_file_at_once(processes: ForkServerContext, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}" / "history.db" for i in range(20)]
    start = processes.Barrier(4)
    with _running(processes, _processes.create_each, *[(paths, f"w{writer}", start) for writer in range(4)]) as running:
        assert _finish(running) == [0, 0, 0, 0]
    assert [len(History(path).to_frame()) for path in paths] == [4] * 20


@pytest.mark.fault
def test_no_acknowledged_run_is_lost_to_kill_9(processes: ForkServerContext, history: History, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for turn in range(16):
        pipes = [processes.Pipe(duplex=False) for _ in range(2)]
        calls = [(history.path, f"{turn:02d}-{writer}", pipe[1]) for writer, pipe in enumerate(pipes)]
        with _running(processes, _processes.append_until_killed, *calls):
            for receive, send in pipes:
                send.close()
                assert receive.poll(MEET_S)  # both are at it
            _wait_for_a_write(history.path)
        acknowledged += [run_id for receive, _ in pipes for run_id in _drain(receive)]
    df = history.to_frame()
    assert set(acknowledged) <= set(df["run_id"])
    assert len(acknowledged) >= 32
    assert _are_whole(history, tmp_path)
    history.check()


def _wait_for_a_write(path: Path) -> None:
    """Return while somebody writes to the log: it has just grown."""
    until = time.monotonic() + MEET_S
    before = _size(path)
    while (now := _size(path)) <= before:
        before = now
        assert time.monotonic() < until, "nobody writes"


def _size(path: Path) -> int:
    with suppress(FileNotFoundError):
        return path.with_name(f"{path.name}-wal").stat().st_size
    return 0


def _drain(receive: Connection) -> Iterator[str]:
    with receive, suppress(EOFError, ConnectionResetError):
        while True:
            yield receive.recv()


@pytest.mark.fault
@pytest.mark.parametrize("runs", [0, 1], ids=["creation", "append"])
def test_a_process_killed_before_its_commit_leaves_nothing(
    processes: ForkServerContext, history: History, runs: int
) -> None:
    for i in range(runs):
        history.append(*frames(f"before-{i}"))
    holding, say = processes.Pipe()
    with _running(processes, _processes.hold_transaction, (history.path, say)):
        assert holding.poll(MEET_S)
    assert len(history.to_frame()) == runs
    history.append(*frames("after"))
    assert "lost" not in set(history.to_frame()["run_id"])
    assert len(history.to_frame()) == runs + 1


def test_a_second_writer_in_this_process_does_not_drop_the_first_ones_locks(
    processes: ForkServerContext, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening and closing the file would; another process would then think itself the last, and delete the log."""
    history.append(*frames("a"))
    run, data = _rows.stored(*frames("b"))[0]
    with _database.writing(history.path) as database:
        database.insert(run, data)
        monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.0)
        with pytest.raises(StorageError, match="another process has held it"):
            history.append(*frames("c"))
        with _running(processes, _processes.come_and_go, (history.path,)) as running:
            assert _finish(running) == [0]
        assert history.path.with_name("history.db-wal").exists()
    assert list(history.to_frame()["run_id"]) == ["a", "b"]


@pytest.mark.fault
def test_a_disk_that_fills_up_loses_that_run_alone(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    history.append(*frames("before"))
    connect = sqlite._connect

    def limited(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA max_page_count=40")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_connect", limited)
        with pytest.raises(StorageError, match=r"the disk is full; free space or set TPUKIT_HOME elsewhere"):
            history.append(*together(frames("small"), frames("large", rows=50_000)))
    history.append(*frames("after"))
    assert list(history.to_frame()["run_id"]) == ["after", "before"]


@pytest.mark.fault
def test_every_damage_is_reported_or_harmless(history: History, tmp_path: Path) -> None:
    """Flip a bit here and there: what is read is what was written, or an error."""
    runs = [frames(f"run-{i}", rows=100) for i in range(2)]
    for run in runs:
        history.append(*run)
    content, whole = history.path.read_bytes(), history.to_frame()
    headers = [page + offset for page in range(0, len(content), 4096) for offset in range(12)]
    reported = 0
    for turn, place in enumerate([*headers, *range(0, len(content), 397)]):
        damaged = History(tmp_path / f"{turn}.db")
        damaged.path.write_bytes(content[:place] + bytes([content[place] ^ 1 << turn % 8]) + content[place + 1 :])
        try:
            pd.testing.assert_frame_equal(damaged.to_frame(), whole)
            for run in runs:
                found = damaged.samples(run.runs["run_id"].item())
                pd.testing.assert_frame_equal(found, run.samples, check_categorical=False)
        except StorageError:
            reported += 1
    assert reported > 50


def _read_all(history: History, tmp_path: Path) -> list[str]:
    history.check()
    assert _are_whole(history, tmp_path)
    return history.to_frame()["run_id"].tolist()


def _change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount == 1


def _overwrite_key(path: Path, key: bytes) -> None:
    """Change the key of run bad in its row, as a disk would: its index keeps the old one."""
    content = path.read_bytes()
    assert content.count(b"bad2026-") == 1
    path.write_bytes(content.replace(b"bad2026-", key + b"2026-"))


_DAMAGE: dict[str, Callable[[Path], None]] = {
    "run": lambda path: _change(path, "UPDATE runs SET run = replace(run, 'digits', 'digitz') WHERE run_id = 'bad'"),
    "result": lambda path: _change(path, "UPDATE runs SET result = '{}' WHERE run_id = 'bad'"),
    "key": lambda path: _overwrite_key(path, b"baX"),
    "key-no-text": lambda path: _overwrite_key(path, b"ba\xff"),
    "key-quotes": lambda path: _overwrite_key(path, b"'`$"),
}
_SAMPLES_DAMAGE: dict[str, Callable[[Path], None]] = {
    "samples": lambda path: _change(path, "UPDATE samples SET data = x'00' WHERE run_id = 'bad'"),
    "no-samples": lambda path: _change(path, "DELETE FROM samples WHERE run_id = 'bad'"),
}


@pytest.mark.fault
@pytest.mark.parametrize("damage", _DAMAGE)
def test_check_finds_a_damaged_run_before_anything_is_measured(history: History, damage: str) -> None:
    history.append(*together(frames("bad"), frames("good")))
    history.check()
    _DAMAGE[damage](history.path)
    with pytest.raises(
        CorruptEntryError, match=r"^run .* is damaged: restore the file, or delete this run by sqlite3 "
    ):
        history.check()


@pytest.mark.fault
@pytest.mark.parametrize("folder", ["home", "it's a $HOME"])
@pytest.mark.parametrize("damage", _DAMAGE | _SAMPLES_DAMAGE)
def test_the_command_that_the_error_gives_mends_the_file(damage: str, folder: str, tmp_path: Path) -> None:
    history = History(tmp_path / folder / "history.db")
    history.append(*together(frames("bad"), frames("good")))
    (_DAMAGE | _SAMPLES_DAMAGE)[damage](history.path)
    with pytest.raises(CorruptEntryError) as caught:
        _read_all(history, tmp_path)
    program, file, script = shlex.split(str(caught.value).rpartition(" by ")[2])
    assert (program, file) == ("sqlite3", str(history.path))
    assert not set(script) & set('"$`\\!')  # what a shell reads between double quotes
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(script)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert _read_all(history, tmp_path) == ["good"]


@pytest.mark.fault
def test_a_history_cut_short_is_reported(history: History) -> None:
    for i in range(3):
        history.append(*frames(f"run-{i}", rows=2000))
    content = history.path.read_bytes()
    for pages in range(1, len(content) // 4096):
        history.path.write_bytes(content[: 4096 * pages])
        with pytest.raises(StorageError):
            history.check()


def test_a_user_without_permission_learns_so_at_once(processes: ForkServerContext) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own folders are closed to others
        folder = Path(name)
        path = folder / "history.db"
        History(path).append(*frames("a"))
        path.chmod(0o444)
        folder.chmod(0o555)
        answer, say = processes.Pipe(duplex=False)
        try:
            with _running(processes, _processes.use_as_nobody, (path, say)):
                assert answer.poll(MEET_S)
                text = answer.recv()
        finally:
            folder.chmod(0o755)
    assert text.startswith(f"cannot open {path} (")
    assert text.endswith("check its permissions, or set TPUKIT_HOME elsewhere")
