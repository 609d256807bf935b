"""Where things lie: bundled data, the user's state, and files that only their owner may read."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import platformdirs

from tpukit.errors import ConfigError, StorageError

#: What is wrong where `Path.expanduser` raises RuntimeError, and what to do.
NO_HOME = "its ~ names a user who has no home here; write the whole path"

_PACKAGE = Path(__file__).resolve().parent


def bundled(relative: str) -> Path:
    """Return the path of a file or folder that comes with tpukit.

    It stands beside the package in a checkout (`datasets/...`, `notebooks/...`) and in `tpukit/_data` of an
    installed wheel. Raises StorageError where neither has it.

    >>> bundled("datasets/models").name
    'models'
    """
    checkout = _PACKAGE.parent
    roots = ([checkout] if (checkout / "pyproject.toml").is_file() else []) + [_PACKAGE / "_data"]
    for root in roots:
        if (root / relative).exists():
            return root / relative
    raise StorageError(f"{relative} is missing from this installation of tpukit: install it again")


def home() -> Path:
    """Return the folder of the user's state: `TPUKIT_HOME`, or the platform's data folder. Creates nothing.

    Raises ConfigError where `TPUKIT_HOME` begins with the ~ of a user who has no home here.
    """
    given = os.environ.get("TPUKIT_HOME")
    if not given:
        return Path(platformdirs.user_data_dir("tpukit"))
    try:
        return Path(given).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"TPUKIT_HOME is {given}: {NO_HOME}") from error


def make_private_folder(folder: Path) -> None:
    """Create `folder` readable by its owner alone; one that exists is left as it is. Raises StorageError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot create folder {printable(folder)}: {reason(error)}") from error


def make_private_file(path: Path) -> None:
    """Create an empty file readable by its owner alone; one that exists is left as it is. Raises StorageError."""
    make_private_folder(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError as error:
        if path.is_dir():
            raise StorageError(f"cannot write {path}: Is a directory") from error
    except (OSError, ValueError) as error:
        raise StorageError(f"cannot write {printable(path)}: {reason(error)}") from error


@contextmanager
def replacing(out: Path) -> Iterator[BinaryIO]:
    """Yield a private file beside `out` that takes its place on leaving without an error, and is removed otherwise."""
    try:
        descriptor, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.", suffix=".part")
        part = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                yield file
                file.flush()
                os.fsync(descriptor)
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    except StorageError:
        raise  # what was to be written could not be read
    except OSError as error:
        raise StorageError(f"cannot write {printable(out)}: {reason(error)}; name a file elsewhere") from error


def printable(path: str | Path) -> str:
    """Return a path as it can be shown, stored and sent: on one line, in UTF-8.

    >>> printable("a\\nb.tflite")
    'a?b.tflite'
    """
    return "".join(each if each.isprintable() else "?" for each in str(path))


def reason(error: OSError | ValueError) -> str:
    """Return why the system refused a path, without number and path; a ValueError is Python's answer to a NUL byte.

    >>> reason(PermissionError(13, "Permission denied"))
    'Permission denied'
    """
    return getattr(error, "strerror", None) or str(error)
