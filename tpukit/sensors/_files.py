"""Reading sysfs: one number or one line a file."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

_BYTES = 64


def number(path: str) -> int:
    """Return the whole number in a file; raises OSError where it cannot be read or holds none.

    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile("w") as file:
    ...     print("48000", file=file, flush=True)
    ...     number(file.name)
    48000
    """
    # opened each time: a held descriptor would outlive a sensor that was unplugged, and would have to be closed
    descriptor = os.open(path, os.O_RDONLY)
    try:
        content = os.read(descriptor, _BYTES)
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(descriptor)
    try:
        return int(content)
    except ValueError as error:
        raise OSError(errno.EBADMSG, f"holds {content!r}, no whole number", path) from error


def line(path: Path) -> str:
    """Return a file's text without the spaces around it, "" where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def refusal(error: OSError) -> str:
    """Return why a sensor's file could not be read, and what to do where only root may.

    >>> refusal(PermissionError(13, "Permission denied", "/sys/e"))
    '/sys/e is readable by root alone: run as root, or `sudo chmod a+r /sys/e`'
    """
    if isinstance(error, PermissionError):
        return f"{error.filename} is readable by root alone: run as root, or `sudo chmod a+r {error.filename}`"
    return f"{error.filename}: {error.strerror}"


def readable(paths: Iterable[Path], refused: list[str]) -> list[str]:
    """Return those files that can be read now, and note in `refused` why the others cannot."""
    found = []
    for path in paths:
        try:
            number(str(path))
        except OSError as error:
            refused.append(refusal(error))
        else:
            found.append(str(path))
    return found


def numbered(folder: Path, pattern: str) -> list[Path]:
    """Return the paths that match, those of one length by name: hwmon2 before hwmon10."""
    return sorted(folder.glob(pattern), key=lambda path: (len(path.name), path.name))
