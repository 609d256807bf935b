"""Fake devices that note what they are given, or are stopped at a query."""

from collections.abc import Iterator, Sequence
from typing import Any

from tpukit.inference import Arrays, Model, Query, Session
from tpukit.testing import FakeDevice, ManualClock

#: The first inference, a warm-up of 0.1 s (a tenth of a run of 1 s), then 1 to 100 ms, each once, without a trend.
FIRST_S, WARMUP_S = 0.1, [0.01] * 10
STEADY_S = [(37 * i % 101) / 1000 for i in range(1, 101)]
SCRIPT = [FIRST_S, *WARMUP_S, *STEADY_S]


class InterruptedDevice(FakeDevice):
    """Somebody presses Ctrl-C while the query with this number runs."""

    def __init__(self, latencies_s: Sequence[float], *, clock: ManualClock, at: int, **options: Any) -> None:
        super().__init__(latencies_s, clock=clock, **options)
        self._at = at

    def answer(self, script: Iterator[float], number: int) -> None:
        if number == self._at:
            raise KeyboardInterrupt
        super().answer(script, number)


class RecordingDevice(FakeDevice):
    """Notes the samples that its sessions are given, and which of them are asked for."""

    def __init__(self, latencies_s: Sequence[float], *, clock: ManualClock, **options: Any) -> None:
        super().__init__(latencies_s, clock=clock, **options)
        self.samples: list[Arrays] = []
        self.asked: list[int] = []

    def load(self, model: Model, *, threads: int, batch: int) -> Session:
        session = super().load(model, threads=threads, batch=batch)
        bind = session.bind

        def recorded(samples: Sequence[Arrays]) -> Query:
            self.samples = list(samples)
            query = bind(samples)

            def ask(index: int) -> Arrays:
                self.asked.append(index)
                return query(index)

            return ask

        session.bind = recorded
        return session


class Until:
    """A `cancel` that is set from some time on."""

    def __init__(self, clock: ManualClock, at_s: float) -> None:
        self._clock, self._at_s = clock, at_s

    def is_set(self) -> bool:
        return self._clock.now() >= self._at_s
