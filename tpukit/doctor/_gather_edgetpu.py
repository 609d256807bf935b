"""What is seen of libedgetpu."""

import re
from collections.abc import Callable
from pathlib import Path

from tpukit.doctor._facts import Library, Trial

_NAME = "libedgetpu"
# what the loaders of Linux, macOS and Windows say; of one that lacks a library of its own they name that
_ABSENT = re.compile(
    r"libedgetpu\S*: cannot open shared object|dlopen\(libedgetpu.*no such file|Could not find module 'edgetpu"
)


def seen_library(root: Path, tries: Callable[[str], Trial]) -> Library:
    """Return whether the loader finds libedgetpu, what that says of itself, and which package dpkg has of it."""
    version = tries(_NAME)
    if version.error and _ABSENT.match(version.error):
        return Library(found=False)
    return Library(found=True, version=version, package=_package(root))


def _package(root: Path) -> str | None:
    """Return the version of the Debian package, None without one."""
    try:
        known = (root / "var/lib/dpkg/status").read_text(errors="replace")
    except OSError:
        return None
    for entry in re.findall(rf"^Package: {_NAME}1-(?:std|max)$.*?(?:\n\n|\Z)", known, re.MULTILINE | re.DOTALL):
        version = re.search(r"^Version: (\S+)$", entry, re.MULTILINE)
        if version and "\nStatus: install ok installed\n" in entry:
            return version[1]
    return None
