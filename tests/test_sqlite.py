import os
import sqlite3 as driver
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from tpukit import sqlite
from tpukit.errors import CorruptEntryError, StorageError

LAYOUT = sqlite.Layout(
    name="notebook",
    application_id=0x6E6F7465,
    version=2,
    statements=("CREATE TABLE notes(text TEXT PRIMARY KEY) STRICT", "CREATE TABLE marks(place INTEGER) STRICT"),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "notes.db"


def _write(path: Path, text: str) -> None:
    with sqlite.writing(path, LAYOUT) as connection:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))


def _read(path: Path) -> list[str]:
    with sqlite.reading(path, LAYOUT) as connection:
        return [row[0] for row in connection.execute("SELECT text FROM notes ORDER BY text")]


def _run(path: Path, *statements: str) -> None:
    """Change the file as another program would."""
    path.parent.mkdir(exist_ok=True)
    connection = driver.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def _refuses(path: Path, match: str, error: type[StorageError] = StorageError) -> None:
    """Neither reading nor writing accepts the file, and both leave it and its folder as they were."""
    before = path.read_bytes()
    with pytest.raises(error, match=match) as reading:
        _read(path)
    with pytest.raises(error, match=match) as writing:
        _write(path, "new")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
    assert "\n" not in f"{reading.value}{writing.value}"


def test_what_is_written_is_read(path: Path) -> None:
    _write(path, "a")
    _write(path, "b")
    assert _read(path) == ["a", "b"]


def test_a_new_file_is_ours_private_and_has_a_wal(path: Path) -> None:
    umask = os.umask(0)
    try:
        with sqlite.writing(path, LAYOUT) as connection:
            pragmas = {
                name: connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("application_id", "user_version", "journal_mode", "synchronous")
            }
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(umask)
    assert pragmas == {"application_id": 0x6E6F7465, "user_version": 2, "journal_mode": "wal", "synchronous": 2}
    assert modes == {"notes.db": 0o600, "notes.db-wal": 0o600, "notes.db-shm": 0o600}


def test_reading_a_missing_file_finds_nothing_and_creates_nothing(path: Path) -> None:
    assert _read(path) == []
    assert not path.parent.exists()


def test_reading_cannot_write(path: Path) -> None:
    _write(path, "a")
    for place in (path, path.with_name("missing.db")):
        with (
            pytest.raises(StorageError, match="attempt to write a readonly database"),
            sqlite.reading(place, LAYOUT) as connection,
        ):
            connection.execute("INSERT INTO notes VALUES ('b')")


def test_reading_sees_one_moment(path: Path) -> None:
    _write(path, "a")
    with sqlite.reading(path, LAYOUT) as connection:
        count = "SELECT count(*) FROM notes"
        first = connection.execute(count).fetchone()
        _write(path, "b")
        assert connection.execute(count).fetchone() == first == (1,)
    assert _read(path) == ["a", "b"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_undoes_all_that_was_written(path: Path, error: type[BaseException]) -> None:
    _write(path, "a")

    def fail_halfway() -> None:
        with sqlite.writing(path, LAYOUT) as connection:
            connection.execute("INSERT INTO notes VALUES ('b')")
            raise error

    with pytest.raises(error):
        fail_halfway()
    assert _read(path) == ["a"]


def test_a_failed_creation_leaves_a_blank_file_that_can_be_used(path: Path) -> None:
    broken = replace(LAYOUT, statements=(*LAYOUT.statements, "CREATE NONSENSE"))
    with pytest.raises(StorageError, match="syntax error"), sqlite.writing(path, broken):
        pytest.fail("this database cannot have been created")
    assert _read(path) == []
    _write(path, "a")
    assert _read(path) == ["a"]


def test_an_empty_file_is_used_and_reading_leaves_it_empty(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert _read(path) == []
    assert path.stat().st_size == 0
    _write(path, "a")
    assert _read(path) == ["a"]


def test_a_file_blank_but_for_its_wal_mark_is_used(path: Path) -> None:
    """What is left where a process is killed between the switch to a WAL and the tables."""
    _run(path, "PRAGMA journal_mode=WAL")
    assert path.stat().st_size > 0
    assert _read(path) == []
    _write(path, "a")
    assert _read(path) == ["a"]


@pytest.mark.parametrize(
    "statements",
    [
        ("CREATE TABLE theirs(x)",),
        ("PRAGMA application_id=77",),
        ("PRAGMA user_version=3",),
        ("CREATE TABLE notes(text)", "PRAGMA application_id=77", "PRAGMA user_version=2"),
    ],
)
def test_a_database_of_another_program_is_left_alone(path: Path, statements: tuple[str, ...]) -> None:
    _run(path, *statements)
    _refuses(path, "is a database of another program, not a tpukit notebook: name another file")


def test_a_newer_database_is_left_alone(path: Path) -> None:
    _write(path, "a")
    _run(path, "PRAGMA user_version=3")
    _refuses(path, r"newer tpukit \(notebook version 3, this one reads up to 2\): upgrade tpukit")


@pytest.mark.parametrize("content", [b"hello", b"hello\n" * 20, bytes(range(256)) * 64], ids=["short", "text", "bytes"])
def test_what_is_no_database_is_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    _refuses(path, "is not a tpukit notebook: name another file, or move this one away")


def test_damaged_pages_are_reported_and_left_alone(path: Path) -> None:
    _write(path, "a")
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    _refuses(path, r"is damaged \(.*malformed.*\): move it away, and recover", CorruptEntryError)


def test_a_cut_file_is_reported_and_left_alone(path: Path) -> None:
    _write(path, "a")
    path.write_bytes(path.read_bytes()[:6000])
    _refuses(path, r"is damaged \(.*malformed.*\)", CorruptEntryError)


def test_a_full_disk_is_reported_and_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(path, "a")
    connect = sqlite._connect

    def limited(place: Path) -> driver.Connection:
        connection = connect(place)
        connection.execute("PRAGMA max_page_count=8")
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite, "_connect", limited)
        with pytest.raises(StorageError, match="the disk is full; free space or set TPUKIT_HOME elsewhere"):
            _write(path, "b" * 100_000)
        _write(path, "c")
    _write(path, "d")
    assert _read(path) == ["a", "c", "d"]


def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    for use in (_read, lambda place: _write(place, "a")):
        with pytest.raises(StorageError, match=r"cannot open .*unable to open database file.*check its permissions"):
            use(path)


def test_a_file_in_place_of_the_folder_is_refused(path: Path) -> None:
    path.parent.write_text("")
    with pytest.raises(StorageError, match=r"cannot create folder .*folder: "):
        _write(path, "a")


def test_a_folder_that_forbids_to_look_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", forbid)
    for use in (_read, lambda place: _write(place, "a")):
        with pytest.raises(StorageError, match=r"cannot open .*notes.db: Permission denied"):
            use(path)


def test_a_writer_that_waited_in_vain_says_who_is_in_the_way(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "_BUSY_TIMEOUT_S", 0.0)
    with (
        sqlite.writing(path, LAYOUT),
        pytest.raises(StorageError, match="another process has held it for 0 s; end it"),
    ):
        _write(path, "a")


def test_a_creation_at_the_same_moment_does_not_fail_the_switch_to_a_wal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch needs the file for itself; where it does not get it, the transaction works without a log."""
    path.parent.mkdir()
    path.touch()
    reader = driver.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM sqlite_master").fetchall()
    use_wal = sqlite._use_wal

    def then_let_go(connection: driver.Connection) -> None:
        connection.execute("PRAGMA busy_timeout=0")
        use_wal(connection)
        reader.execute("COMMIT")

    monkeypatch.setattr(sqlite, "_use_wal", then_let_go)
    _write(path, "a")
    reader.close()
    assert _read(path) == ["a"]
    assert path.read_bytes()[18:20] == b"\x01\x01"  # a rollback journal: the switch did not happen
    monkeypatch.undo()
    _write(path, "b")
    assert path.read_bytes()[18:20] == b"\x02\x02"  # a WAL
    assert _read(path) == ["a", "b"]


@pytest.fixture
def read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only disk: root may write everywhere else."""
    monkeypatch.setattr(os, "access", lambda place, mode: False)


def test_a_read_only_disk_can_be_read(path: Path, read_only: None, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(path, "a")
    for name in ("notes.db-wal", "notes.db-shm"):
        (path.parent / name).unlink(missing_ok=True)
    assert _read(path) == ["a"]
    assert [file.name for file in path.parent.iterdir()] == ["notes.db"], "nothing was written beside it"


def test_what_a_wal_holds_is_not_left_out_on_a_read_only_disk(path: Path, read_only: None) -> None:
    """The newest rows stand in the log alone: a reader that ignored it would show old data as if it were all."""
    _write(path, "a")
    held = driver.connect(path, isolation_level=None)
    held.execute("SELECT * FROM notes").fetchall()
    _write(path, "b")
    assert (path.parent / "notes.db-wal").stat().st_size > 0
    assert _read(path) == ["a", "b"]
    held.close()
