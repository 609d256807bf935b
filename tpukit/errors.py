"""What can go wrong, as a tree.

    TpukitError
    ├── ConfigError (ValueError)            an argument or option cannot be used
    ├── SchemaError (ValueError)            a table is not what it should be
    ├── IncomparableRunsError (ValueError)  runs of which nothing can be compared
    ├── UnknownNameError (KeyError)         a name that no registry holds
    ├── MissingDependencyError (ImportError) an optional library is absent
    ├── DeviceError (RuntimeError)          a device failed while it ran
    │   ├── DeviceUnavailableError          the device cannot be used here
    │   └── ModelLoadError                  the device cannot take this model
    ├── StorageError (OSError)              a store cannot be read or written
    │   └── CorruptEntryError               stored data is damaged
    └── ReportError (RuntimeError)          a report could not be rendered
        └── ReportStoppedError              somebody stopped it

Each message says in one line what was given, what was expected and what to do.
"""

import difflib
from collections.abc import Iterable
from typing import Self


class TpukitError(Exception):
    """The base of every error that tpukit raises on purpose."""


class ConfigError(TpukitError, ValueError):
    """An argument or option cannot be used."""


class SchemaError(TpukitError, ValueError):
    """A table lacks a column, has one too many, or holds another type than declared."""


class IncomparableRunsError(TpukitError, ValueError):
    """Two sets of runs have no cell in common; the message names the fields in which the nearest ones differ."""


class UnknownNameError(TpukitError, KeyError):
    """A name that is not known; the message offers the nearest ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        super().__init__(f"unknown {kind} {name!r}: {_offer(name, self.known)}")

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the repr

    def __reduce__(self) -> tuple[type[Self], tuple[str, str, list[str]]]:
        return type(self), (self.kind, self.name, self.known)  # args alone would not unpickle in another process


class MissingDependencyError(TpukitError, ImportError):
    """A library that this feature needs is not installed; the message names the extra."""

    def __init__(self, library: str, extra: str) -> None:
        self.library, self.extra = library, extra
        super().__init__(f"{library} is not installed: pip install 'tpukit[{extra}]'", name=library)

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.library, self.extra)


class DeviceError(TpukitError, RuntimeError):
    """A device failed while it ran."""


class DeviceUnavailableError(DeviceError):
    """A device cannot be used on this machine."""


class ModelLoadError(DeviceError):
    """A device cannot take this model, or not with this batch."""


class StorageError(TpukitError, OSError):
    """A store cannot be opened, read or written."""


class CorruptEntryError(StorageError):
    """Stored data is damaged."""


class ReportError(TpukitError, RuntimeError):
    """A report could not be rendered."""


class ReportStoppedError(ReportError):
    """Somebody stopped a report before there was anything to render."""


def _offer(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"choose one of {', '.join(known)}" if known else "none is known"
