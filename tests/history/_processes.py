"""What other processes do in these tests."""

import os
import sqlite3
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path

from tests.history._frames import frames
from tpukit import sqlite
from tpukit.errors import StorageError
from tpukit.history import History, _database

MEET_S = 60.0
_NOBODY = 65534


def append_runs(path: Path, writer: str, runs: int) -> None:
    for i in range(runs):
        History(path).append(*frames(f"{writer}-{i:04d}"))


def create_each(paths: list[Path], writer: str, start: Barrier) -> None:
    """Append to each file at the same moment as the other processes; none of the files exists."""
    for path in paths:
        runs = frames(writer)
        start.wait(MEET_S)
        History(path).append(*runs)


def append_until_killed(path: Path, writer: str, acknowledge: Connection) -> None:
    """Say the name of each run once it is stored."""
    for i in count():
        run = frames(f"{writer}-{i:04d}", 20_000 + i % 7)
        History(path).append(*run)
        acknowledge.send(run.runs["run_id"].item())


def hold_transaction(path: Path, holding: Connection) -> None:
    """Write a run, and wait to be killed before it is committed."""
    with sqlite.writing(path, _database.LAYOUT) as connection:
        connection.execute("INSERT INTO runs VALUES ('lost', '', NULL, NULL, '', '', 0)")
        holding.send("holding")
        holding.recv()


def come_and_go(path: Path) -> None:
    """Open the database as any program would, read it and close it again."""
    connection = sqlite3.connect(path)
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    connection.close()


def use_as_nobody(path: Path, answer: Connection) -> None:
    """Try to write as a user whom permissions bind, and send the error."""
    if os.geteuid() == 0:
        os.setuid(_NOBODY)
    try:
        History(path).check()
    except StorageError as error:
        answer.send(str(error))
    else:
        answer.send("no error")
