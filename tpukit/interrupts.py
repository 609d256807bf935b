"""Ctrl-C as a question: the first one asks for an end, so that what was measured is finished and kept."""

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
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


@dataclass(slots=True)
class _Flag:
    # no threading.Event: it takes a lock, for which a second signal inside it would wait for ever
    up: bool = False

    def is_set(self) -> bool:
        return self.up


@contextmanager
def interruptible(cancel: Cancel | None = None) -> Iterator[AnyOf]:
    """Let the first Ctrl-C set what is yielded, as `cancel` does too; the second one raises KeyboardInterrupt.

    A KeyboardInterrupt can arise between any two lines, also between measuring and storing, where it would lose a run.
    Where Ctrl-C raises none anyway (in another thread than the main one, or under a handler of the caller's) it is left
    as it is. A request to terminate is treated alike where `terminate_as_interrupt` was called.

    >>> with interruptible() as stop:
    ...     stop.is_set()
    False
    """
    asked = _Flag()
    taken = _that_raise()

    def ask(number: int, frame: object) -> None:
        _set(taken, signal.default_int_handler)
        asked.up = True

    _set(taken, ask)
    try:
        yield AnyOf((cancel, asked))
    finally:
        _set(taken, signal.default_int_handler)


def terminate_as_interrupt() -> None:
    """Let SIGTERM, which `timeout`, systemd and CI send, raise KeyboardInterrupt in this process as Ctrl-C does.

    It does so too where Ctrl-C is ignored, as in a background job of a shell.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _that_raise() -> list[signal.Signals]:
    if threading.current_thread() is not threading.main_thread():
        return []
    both = (signal.SIGINT, signal.SIGTERM)
    return [number for number in both if signal.getsignal(number) is signal.default_int_handler]


def _set(numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]) -> None:
    for number in numbers:
        signal.signal(number, handler)
