"""The first Ctrl-C asks, the second one raises, and nobody else's handling of it is touched."""

import signal
import threading
from collections.abc import Iterator

import pytest

from tpukit.interrupts import interruptible, terminate_as_interrupt


@pytest.fixture(autouse=True)
def as_in_a_terminal() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_asks_and_the_second_raises() -> None:
    with interruptible() as stop:
        assert not stop.is_set()
        signal.raise_signal(signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_request_to_terminate_is_one_too_where_the_program_says_so() -> None:
    before = signal.getsignal(signal.SIGTERM)
    terminate_as_interrupt()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop.is_set(), "a background job ignores Ctrl-C"
            signal.raise_signal(signal.SIGTERM)
            assert stop.is_set()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_afterwards_ctrl_c_raises_again() -> None:
    with interruptible():
        pass
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_a_cancel_of_the_callers_sets_it_too() -> None:
    cancel = threading.Event()
    with interruptible(cancel) as stop:
        cancel.set()
        assert stop.is_set()


def test_inside_another_one_the_outer_is_asked() -> None:
    with interruptible() as outer, interruptible(outer) as inner:
        signal.raise_signal(signal.SIGINT)
        assert (outer.is_set(), inner.is_set()) == (True, True)


def test_a_handler_of_the_callers_stays() -> None:
    seen: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    with interruptible() as stop:
        signal.raise_signal(signal.SIGINT)
        assert (seen, stop.is_set()) == ([signal.SIGINT], False)


def test_another_thread_changes_nothing() -> None:
    found: list[object] = []

    def look() -> None:
        with interruptible() as stop:
            found.extend([stop.is_set(), signal.getsignal(signal.SIGINT)])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [False, signal.default_int_handler]
