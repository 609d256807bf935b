"""What is seen of the folder in which tpukit keeps its state."""

import os
from collections.abc import Iterator
from pathlib import Path

from tpukit.doctor._facts import Home

_OTHERS, _OTHERS_WRITE = 0o077, 0o022


def seen_home(home: Path) -> Home:
    """Return whether the folder, or what it will be made in, can be written, and what of it others may read."""
    # os.access where Path.exists would raise for a folder inside one that may not be entered
    nearest = next(folder for folder in (home, *home.parents) if os.access(folder, os.F_OK))
    return Home(
        path=str(home),
        exists=nearest == home,
        writable=os.access(nearest, os.W_OK | os.X_OK),
        open_to_others=tuple(_open_to_others(home))
        if os.name == "posix" and os.access(home, os.R_OK) and home.is_dir()
        else (),
        odd=None if nearest.is_dir() else str(nearest),
    )


def _open_to_others(home: Path) -> Iterator[str]:
    mode = home.stat().st_mode
    if not mode & _OTHERS:
        return
    if mode & _OTHERS_WRITE:
        yield str(home)
    yield from (
        str(path) for path in sorted(home.iterdir()) if path.lstat().st_mode & _OTHERS and not path.is_symlink()
    )
