"""Where things lie: bundled data, the user's state, and files that only their owner may read."""

import os
from pathlib import Path

import platformdirs

from tpukit.errors import StorageError

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
    """Return the folder of the user's state: `TPUKIT_HOME`, or the platform's data folder. Creates nothing."""
    given = os.environ.get("TPUKIT_HOME")
    return Path(given).expanduser() if given else Path(platformdirs.user_data_dir("tpukit"))


def make_private_folder(folder: Path) -> None:
    """Create `folder` readable by its owner alone; one that exists is left as it is. Raises StorageError."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot create folder {folder}: {reason(error)}") from error


def make_private_file(path: Path) -> None:
    """Create an empty file readable by its owner alone; one that exists is left as it is. Raises StorageError."""
    make_private_folder(path.parent)
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError as error:
        if path.is_dir():
            raise StorageError(f"cannot write {path}: Is a directory") from error
    except OSError as error:
        raise StorageError(f"cannot write {path}: {reason(error)}") from error


def reason(error: OSError) -> str:
    """Return an operating system error's reason, without its number and path.

    >>> reason(PermissionError(13, "Permission denied"))
    'Permission denied'
    """
    return error.strerror or str(error)
