"""The public test tools do their work: the clock stands still, the contract catches devices that break it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from tpukit.errors import DeviceError
from tpukit.inference import Device, Model
from tpukit.testing import DeviceContract, FakeDevice, ManualClock

CHECKS = [name for name in vars(DeviceContract) if name.startswith("test_")]


def failures(device: FakeDevice, model: Path) -> set[str]:
    """Return which tests of the contract a device fails."""

    class Contract(DeviceContract):
        def device(self) -> Device:
            return device

        def model(self) -> Path:
            return model

    failed = set()
    for name in CHECKS:
        try:
            getattr(Contract(), name)()
        except (AssertionError, DeviceError):
            failed.add(name)
    return failed


class Nameless(FakeDevice):
    name = ""


class WrongOutputs(FakeDevice):
    def load(self, model: Model, *, threads: int, batch: int) -> object:
        session = super().load(model, threads=threads, batch=batch)
        session.bind = lambda samples: lambda index: (np.zeros((1, 3), dtype=np.int8),)
        return session


class Counting(FakeDevice):
    """Each query's outputs depend on how many there were."""

    def load(self, model: Model, *, threads: int, batch: int) -> object:
        session = super().load(model, threads=threads, batch=batch)
        bind = session.bind

        def counted(samples: object) -> Callable[[int], object]:
            query, seen = bind(samples), []

            def ask(index: int) -> object:
                seen.append(query(index))
                return tuple(output + np.int8(len(seen)) for output in seen[-1])

            return ask

        session.bind = counted
        return session


class OneForAll(FakeDevice):
    """Closing one session closes every other."""

    def answer(self, script: Iterator[float], number: int) -> None:
        if self.closed:
            raise DeviceError("closed")
        super().answer(script, number)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FakeDevice, set()),
        (Nameless, {"test_it_says_what_it_is"}),
        (WrongOutputs, {"test_a_query_returns_the_declared_outputs", "test_a_wrong_shape_is_a_device_error"}),
        (Counting, {"test_the_same_sample_gives_the_same_outputs"}),
        (OneForAll, {"test_two_sessions_do_not_share_state"}),
    ],
)
def test_the_contract_catches_what_breaks_it(
    kind: type[FakeDevice], expected: set[str], clock: ManualClock, model_file: Callable[..., Path]
) -> None:
    path = model_file("dense")
    assert {name for name in failures(kind([0.01], clock=clock), path) if name in expected} == expected
    if kind is not OneForAll:
        assert failures(kind([0.01], clock=clock), path) == expected


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock()
    assert (clock.now(), clock.perf_ns(), clock.utc()) == (0.0, 0, datetime(2026, 1, 1, tzinfo=UTC))
    clock.advance(86_400.000000001)
    assert (clock.perf_ns(), clock.utc()) == (86_400_000_000_001, datetime(2026, 1, 2, tzinfo=UTC))
    assert clock.now() == pytest.approx(86_400)
    clock.advance(0)
    assert clock.perf_ns() == 86_400_000_000_001
    with pytest.raises(ValueError, match="cannot go back"):
        clock.advance(-1)


@pytest.mark.parametrize("script", [[], [0.0], [0.1, -0.1]])
def test_a_script_without_time_is_refused(script: list[float]) -> None:
    with pytest.raises(ValueError, match="latencies above 0 s"):
        FakeDevice(script, clock=ManualClock())
