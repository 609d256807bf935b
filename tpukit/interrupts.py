"""Ctrl-C as a question: the first one asks for an end, so that what was measured is finished and kept."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol


class Cancel(Protocol):
    """What can ask for an end; a `threading.Event` does."""

    def is_set(self) -> bool:
        """Return whether to stop."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Set as soon as one of several is; None counts for nothing."""

    several: tuple[Cancel | None, ...]

    def is_set(self) -> bool:
        """Return whether to stop."""
        return any(each is not None and each.is_set() for each in self.several)


@contextmanager
def interruptible(cancel: Cancel | None = None) -> Iterator[AnyOf]:
    """Let the first Ctrl-C set what is yielded, as `cancel` does too; the second one raises KeyboardInterrupt.

    A KeyboardInterrupt can arise between any two lines, also between measuring and storing, where it would lose a run.
    Where Ctrl-C raises none anyway (in another thread than the main one, or under a handler of the caller's) it is left
    as it is.

    >>> with interruptible() as stop:
    ...     stop.is_set()
    False
    """
    asked = threading.Event()
    if not _raises_here():
        yield AnyOf((cancel,))
        return

    def ask(number: int, frame: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    try:
        yield AnyOf((cancel, asked))
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _raises_here() -> bool:
    in_main_thread = threading.current_thread() is threading.main_thread()
    return in_main_thread and signal.getsignal(signal.SIGINT) is signal.default_int_handler
