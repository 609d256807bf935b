"""A device that takes as long as it is told, on a clock of its own: recorded latencies of real runs, run again."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle

from tpukit.inference import Arrays, Model, Query, Tensor

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class ReplayClock:
    """A clock that stands still but for what a `Replay` adds."""

    def __init__(self) -> None:
        self.ns = 0

    def perf_ns(self) -> int:
        """Nanoseconds since the start."""
        return self.ns

    def now(self) -> float:
        """Seconds since the start."""
        return self.ns / 1e9

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.ns += round(seconds * 1e9)

    def wait_until_ns(self, due_ns: int) -> None:
        """Let time pass until `due_ns`, where that is to come."""
        self.ns = max(self.ns, due_ns)

    def utc(self) -> datetime:
        """The time of day, with zone UTC."""
        return _EPOCH + timedelta(microseconds=self.ns // 1000)


class Replay:
    """A device that answers at once, while its clock advances by the next of `latencies_ns`, over and over."""

    name = "replay"
    about = "recorded latencies"
    inputs: tuple[Tensor, ...] = (Tensor(name="x", shape=(1,), dtype="int8"),)
    outputs: tuple[Tensor, ...] = ()

    def __init__(self, latencies_ns: Sequence[int], clock: ReplayClock) -> None:
        self._script: Iterator[int] = cycle(latencies_ns)
        self._clock = clock

    def runtime(self) -> str:
        """Return its name: it is always usable."""
        return "replay"

    def load(self, model: Model, *, threads: int, batch: int) -> "Replay":
        """Return itself, which is its session too."""
        return self

    def bind(self, samples: Sequence[Arrays]) -> Query:
        """Return what lets the time pass."""
        script, clock = self._script, self._clock

        def query(index: int) -> Arrays:
            clock.ns += next(script)
            return ()

        return query

    def close(self) -> None:
        """Hold nothing."""
