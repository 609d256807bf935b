"""One way to open a database: private, WAL, patient with other writers, and sure that the file is ours.

A connection lives as long as one transaction, so that nothing is held between two measurements and nothing crosses a
fork. Whatever is wrong with a file, it is left as it is.
"""

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tpukit import paths
from tpukit.errors import CorruptEntryError, StorageError

RESCUE = "move it away, and recover what it holds with `sqlite3 FILE .recover`"

_BUSY_TIMEOUT_S = 30.0
_UNREACHABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
_creating = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a database of ours looks like.

    `application_id` marks the file as ours, `version` is its schema's, `statements` create it.
    """

    name: str
    application_id: int
    version: int
    statements: tuple[str, ...]


@contextmanager
def writing(path: Path, layout: Layout) -> Iterator[sqlite3.Connection]:
    """Open (or create) the database and hold one write transaction, committed on leaving without an error.

    What is committed survives a killed process and a power failure. Raises StorageError where the file is not ours, is
    newer than this version, cannot be written or is full, and CorruptEntryError where it is damaged.

    >>> from tempfile import TemporaryDirectory
    >>> notes = Layout(name="notes", application_id=7, version=1, statements=("CREATE TABLE notes(text TEXT) STRICT",))
    >>> with TemporaryDirectory() as folder:
    ...     with writing(Path(folder) / "notes.db", notes) as connection:
    ...         _ = connection.execute("INSERT INTO notes VALUES ('first')")
    ...     with reading(Path(folder) / "notes.db", notes) as connection:
    ...         connection.execute("SELECT text FROM notes").fetchall()
    [('first',)]
    """
    _create(path)
    with _translated(path, layout), closing(_connect(path)) as connection:
        if not _is_blank(connection):
            _check_ours(connection, path, layout)  # before anything, the journal's mode too, is changed in the file
        _use_wal(connection)
        # FULL: a WAL under NORMAL survives kill -9 but may lose its last commits with the power. 800 transactions by
        # 4 processes take 0.8 to 1.3 s with it and 0.5 to 0.6 s without, 200 by one process 0.4 s either way.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("BEGIN IMMEDIATE")
        try:
            _prepare(connection, path, layout)
            yield connection
        except BaseException:
            connection.rollback()
            raise
        connection.commit()


@contextmanager
def reading(path: Path, layout: Layout) -> Iterator[sqlite3.Connection]:
    """Open the database for reading, all of it as of one moment; errors as for `writing`.

    A file that does not exist, or is still blank, reads as a database without rows; nothing is created.
    """
    with _translated(path, layout), ExitStack() as stack:
        connection = None
        if _exists(path):
            connection = stack.enter_context(closing(_connect(path, _reading_mode(path))))
        if connection is None or _is_blank(connection):
            connection = stack.enter_context(closing(_in_memory(layout)))
        else:
            _check_ours(connection, path, layout)
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        yield connection


def _create(path: Path) -> None:
    """Create a missing file as ours alone; SQLite gives its mode to the WAL beside it.

    A file that exists must not be opened here: to close it would drop the locks that SQLite holds on it for another
    thread of this process (POSIX locks belong to the process, not to the descriptor).
    """
    with _creating:
        if not _exists(path):
            paths.make_private_file(path)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise StorageError(f"cannot open {path}: {paths.reason(error)}") from error


def _reading_mode(path: Path) -> str:
    """Return how to open a file for reading.

    SQLite reads a WAL with the help of a file beside it. Where none can be made, as on an archive's read-only disk, the
    file cannot change either and may be read as it is, unless a WAL holds a part of it.
    """
    if os.access(path.parent, os.W_OK):
        return "rw"
    try:
        pending_bytes = path.with_name(f"{path.name}-wal").stat().st_size
    except FileNotFoundError:
        pending_bytes = 0
    return "rw" if pending_bytes else "ro&immutable=1"


def _connect(path: Path, mode: str = "rw") -> sqlite3.Connection:
    # no mode here creates a file; isolation_level=None: transactions begin and end where this module says
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)


def _in_memory(layout: Layout) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for statement in layout.statements:
        connection.execute(statement)
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to a WAL, unless it has one.

    The switch does not wait for another process that creates the file at this moment (it failed so in 5 % of the files
    that four processes created at once). Nothing is lost then: a transaction on a rollback journal is as durable, and
    the next writer switches.
    """
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    except sqlite3.OperationalError as error:
        if _code(error) != sqlite3.SQLITE_BUSY:
            raise


def _prepare(connection: sqlite3.Connection, path: Path, layout: Layout) -> None:
    """Create the tables of a blank file, or check what another process made of it meanwhile.

    Tables and marks share the caller's transaction: a process killed here leaves a blank file, never half of one.
    """
    if not _is_blank(connection):
        return _check_ours(connection, path, layout)
    for statement in layout.statements:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id={layout.application_id}")
    connection.execute(f"PRAGMA user_version={layout.version}")
    return None


def _is_blank(connection: sqlite3.Connection) -> bool:
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return tables == 0 and _pragma(connection, "application_id") == 0 and _pragma(connection, "user_version") == 0


def _check_ours(connection: sqlite3.Connection, path: Path, layout: Layout) -> None:
    if _pragma(connection, "application_id") != layout.application_id:
        raise StorageError(f"{path} is a database of another program, not a tpukit {layout.name}: name another file")
    version = _pragma(connection, "user_version")
    if version > layout.version:
        raise StorageError(
            f"{path} was written by a newer tpukit ({layout.name} version {version}, this one reads up to "
            f"{layout.version}): upgrade tpukit"
        )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _code(error: sqlite3.DatabaseError) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the primary code; the other bits say where it arose


@contextmanager
def _translated(path: Path, layout: Layout) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _translate(error, path, layout) from error


def _translate(error: sqlite3.DatabaseError, path: Path, layout: Layout) -> StorageError:
    code = _code(error)
    if code == sqlite3.SQLITE_CORRUPT:
        return CorruptEntryError(f"{path} is damaged ({error}): {RESCUE}")
    if code in _UNREACHABLE:
        return StorageError(f"cannot open {path} ({error}): check its permissions, or set TPUKIT_HOME elsewhere")
    known = {
        sqlite3.SQLITE_NOTADB: f"{path} is not a tpukit {layout.name}: name another file, or move this one away",
        sqlite3.SQLITE_FULL: f"cannot write {path}: the disk is full; free space or set TPUKIT_HOME elsewhere",
        sqlite3.SQLITE_BUSY: f"cannot use {path}: another process has held it for {_BUSY_TIMEOUT_S:.0f} s; end it",
    }
    return StorageError(known.get(code, f"cannot use {path}: {error}"))
