"""A history of its own for each test, and processes that start fast enough to be killed often."""

import multiprocessing
import os
import sqlite3
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tpukit.history import History


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path / "home" / "history.db")


@pytest.fixture(scope="session")
def processes() -> ForkServerContext:
    """Start processes from a server that has imported pandas already: 50 ms each instead of 1 s."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "tests.history._processes"])
    return context


@pytest.fixture
def process_umask() -> Iterator[None]:
    """A umask that takes no permission away, so that a file is as private as it was made."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.fixture
def damage_samples() -> Callable[[History, str], None]:
    """Return a function that flips one bit in a run's samples."""

    def damage(history: History, run_id: str) -> None:
        connection = sqlite3.connect(history.path)
        (data,) = connection.execute("SELECT data FROM samples WHERE run_id = ?", (run_id,)).fetchone()
        flipped = data[:100] + bytes([data[100] ^ 1]) + data[101:]
        connection.execute("UPDATE samples SET data = ? WHERE run_id = ?", (flipped, run_id))
        connection.commit()
        connection.close()

    return damage
