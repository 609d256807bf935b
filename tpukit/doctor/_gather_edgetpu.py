"""What is seen of libedgetpu."""

import re
from pathlib import Path

from tpukit.doctor._facts import Library, Trial

# of one that lacks a library of its own, that one is named
_ABSENT = re.compile(r"\S*edgetpu\S* is not installed")


def seen_library(root: Path, version: Trial) -> Library:
    """Return whether the loader finds libedgetpu, what that says of itself, and which package dpkg has of it."""
    if version.error and _ABSENT.match(version.error):
        return Library(found=False)
    return Library(found=True, version=version, package=_package(root))


def _package(root: Path) -> str | None:
    """Return the version of the Debian package, None without one."""
    try:
        known = (root / "var/lib/dpkg/status").read_text(errors="replace")
    except OSError:
        return None
    for entry in re.findall(r"^Package: libedgetpu1-(?:std|max)$.*?(?:\n\n|\Z)", known, re.MULTILINE | re.DOTALL):
        version = re.search(r"^Version: (\S+)$", entry, re.MULTILINE)
        if version and "\nStatus: install ok installed\n" in entry:
            return version[1]
    return None
