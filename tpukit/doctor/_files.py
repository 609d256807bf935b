"""Reading /proc and /sys, where a file may be absent, refused, or gone in the next moment."""

from pathlib import Path


def lines(path: Path) -> list[str]:
    """Return a file's lines, none where it cannot be read.

    >>> lines(Path("/nowhere/at/all"))
    []
    """
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []


def line(path: Path) -> str:
    """Return a file's first line without the spaces around it, "" where it cannot be read or is empty."""
    return (lines(path) or [""])[0].strip()
