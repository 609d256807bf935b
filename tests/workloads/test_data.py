"""Data that users bring: read, or refused with what is wrong."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpukit.errors import ConfigError
from tpukit.workloads import Data, read_data


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_an_archive_is_read_and_named_after_its_file(tmp_path: Path) -> None:
    x, y = np.arange(12.0).reshape(3, 2, 2), np.array([0, 1, 255], dtype=np.uint8)
    data = read_data(save(tmp_path / "mine.npz", x=x, y=y))
    assert data.name == "mine"
    np.testing.assert_array_equal(data.x, x)
    np.testing.assert_array_equal(data.y, y)
    assert data.y.dtype == np.uint8


@pytest.mark.parametrize(
    ("x", "y"), [((3, 2), (2,)), ((3, 2), (4,)), ((3, 2), (3, 1)), ((3, 2), ()), ((), (1,)), ((0, 2), (0,))]
)
def test_inputs_and_labels_must_be_as_many(x: tuple[int, ...], y: tuple[int, ...]) -> None:
    with pytest.raises(
        ConfigError, match=r"^data mine: x has shape \(.*\) and y \(.*\): expected \(n, …\) and \(n,\), n > 0$"
    ):
        Data(name="mine", x=np.zeros(x), y=np.zeros(y, dtype=int))


@pytest.mark.parametrize("dtype", ["float32", "bool", "str", "complex64"])
def test_labels_are_integers(dtype: str) -> None:
    with pytest.raises(ConfigError, match=r"^data mine: y holds .*: expected classes as integers$"):
        Data(name="mine", x=np.zeros((2, 3)), y=np.zeros(2).astype(dtype))


@pytest.mark.parametrize(
    ("arrays", "lacks"), [({"x": [1]}, "y"), ({"y": [1]}, "x"), ({"inputs": [1], "labels": [1]}, "x")]
)
def test_an_array_that_is_missing_is_named(arrays: dict[str, Any], lacks: str, tmp_path: Path) -> None:
    path = save(tmp_path / "mine.npz", **arrays)
    with pytest.raises(ConfigError, match=rf"^data {path} lacks the array {lacks}: expected a \.npz with x and y$"):
        read_data(path)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"^cannot read data {tmp_path}/mine\.npz: No such file or directory$"):
        read_data(tmp_path / "mine.npz")


def test_arrays_that_do_not_fit_are_told_once(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.npz", x=np.zeros((2, 3)), y=np.zeros(3, dtype=int))
    with pytest.raises(ConfigError, match=r"^data mine: x has shape \(2, 3\) and y \(3,\)"):
        read_data(path)


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self._path),)


def test_pickled_objects_are_refused_and_not_run(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.npz", x=np.array([Trap(tmp_path / "sprung")], dtype=object), y=[0])
    with pytest.raises(ConfigError, match=r"is not a \.npz archive with the plain arrays x and y"):
        read_data(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("kind", ["text", "empty", "npy", "zip of text", "truncated", "flipped"])
def test_what_is_no_archive_says_so(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    good = save(tmp_path / "good.npz", x=np.arange(4000.0).reshape(-1, 2), y=np.arange(2000)).read_bytes()
    if kind == "npy":
        with path.open("wb") as file:
            np.save(file, np.arange(3))
    elif kind == "zip of text":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", "no array")
            archive.writestr("y.npy", "no array")
    else:
        middle = len(good) // 2
        flipped = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
        path.write_bytes({"text": b"x,y\n1,2\n", "empty": b"", "truncated": good[:middle], "flipped": flipped}[kind])
    with pytest.raises(ConfigError, match=r"mine\.npz"):
        read_data(path)
