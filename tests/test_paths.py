"""Bundled data in a checkout and in a wheel; the user's state, for its owner alone."""

import os
import stat
from pathlib import Path

import platformdirs
import pytest

from tpukit import paths
from tpukit.errors import ConfigError, StorageError


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package that lies elsewhere, as in site-packages or in another checkout."""
    package = tmp_path / "somewhere" / "tpukit"
    package.mkdir(parents=True)
    monkeypatch.setattr(paths, "_PACKAGE", package)
    return package


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("")
    return path


def test_this_checkouts_own_data_is_found() -> None:
    root = Path(__file__).parents[1]
    assert paths.bundled("datasets/models") == root / "datasets" / "models"


def test_a_checkout_has_its_data_beside_the_package(package: Path) -> None:
    put(package.parent / "pyproject.toml")
    beside = put(package.parent / "datasets" / "one")
    put(package / "_data" / "datasets" / "one")
    assert paths.bundled("datasets/one") == beside


def test_a_wheel_has_its_data_inside_the_package(package: Path) -> None:
    inside = put(package / "_data" / "notebooks" / "one.ipynb")
    # a folder of that name beside it in site-packages belongs to somebody else
    put(package.parent / "notebooks" / "one.ipynb")
    assert paths.bundled("notebooks/one.ipynb") == inside
    assert paths.bundled("notebooks") == inside.parent


def test_data_that_is_missing_is_named(package: Path) -> None:
    with pytest.raises(
        StorageError, match=r"^datasets/two is missing from this installation of tpukit: install it again$"
    ):
        paths.bundled("datasets/two")


def test_home_is_given_or_the_platforms_and_is_not_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPUKIT_HOME", str(tmp_path / "state"))
    assert paths.home() == tmp_path / "state"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TPUKIT_HOME", "~/mine")
    assert paths.home() == tmp_path / "mine"
    for unset in (lambda: monkeypatch.setenv("TPUKIT_HOME", ""), lambda: monkeypatch.delenv("TPUKIT_HOME")):
        unset()
        assert paths.home() == Path(platformdirs.user_data_dir("tpukit"))
    assert list(tmp_path.iterdir()) == []


def test_a_home_of_a_user_who_has_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPUKIT_HOME", "~nobody-of-that-name/state")
    with pytest.raises(ConfigError, match=r"^TPUKIT_HOME is ~nobody-of-that-name/state: its ~ names a user who has no"):
        paths.home()


def test_a_path_that_no_system_takes_is_a_storage_error_of_one_line(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"^cannot create folder .*/a\?b: .*embedded null"):
        paths.make_private_file(tmp_path / "a\0b" / "runs.sqlite")
    with pytest.raises(StorageError, match=r"^cannot write .*/a\?b: .*embedded null"):
        paths.make_private_file(tmp_path / "a\0b")
    with pytest.raises(StorageError, match=r"^cannot write .*/r{300}: File name too long$"):
        paths.make_private_file(tmp_path / ("r" * 300))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask() -> None:
    """A user whose files are open to everybody unless a program says otherwise."""
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask")
def test_a_private_folder_and_file_are_their_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "runs.sqlite"
    paths.make_private_file(file)
    assert (mode(file), mode(file.parent)) == (0o600, 0o700)
    assert file.read_bytes() == b""


def test_what_exists_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "runs.sqlite"
    file.write_text("kept")
    file.chmod(0o640)
    paths.make_private_file(file)
    assert (file.read_text(), mode(file), mode(tmp_path)) == ("kept", 0o640, 0o755)


def test_a_parent_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StorageError, match=f"^cannot create folder {blocked}/deeper: Not a directory$"):
        paths.make_private_folder(blocked / "deeper")
    with pytest.raises(StorageError, match=f"^cannot create folder {blocked}: File exists$"):
        paths.make_private_file(blocked / "runs.sqlite")


def test_a_folder_in_the_place_of_a_file_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=f"^cannot write {tmp_path}: Is a directory$"):
        paths.make_private_file(tmp_path)


def test_a_reason_is_given_even_where_the_system_gives_none() -> None:
    assert paths.reason(OSError("no number here")) == "no number here"
