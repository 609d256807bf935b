"""For tests of tpukit, and of what is built on it: a clock that stands still, a device with a script, contract tests.

| name | what |
|---|---|
| `ManualClock` | a clock that moves only when told |
| `FakeDevice` | a device whose latencies are a script, on a `ManualClock` |
| `DeviceContract` | what every device must do: subclass it, say `device()` and `model()` |
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path

import numpy as np

from tpukit.errors import DeviceError, ModelLoadError
from tpukit.inference import Arrays, Device, Model, Query, Tensor, read_model

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    """A clock that stands still until `advance` is called; it begins at 0 s, on 1 January 2026.

    >>> clock = ManualClock()
    >>> clock.advance(1.5)
    >>> clock.now(), clock.perf_ns()
    (1.5, 1500000000)
    """

    def __init__(self) -> None:
        self._ns = 0

    def advance(self, seconds: float) -> None:
        """Let time pass; raises ValueError for a negative span."""
        if seconds < 0:
            raise ValueError(f"a clock cannot go back by {-seconds} s")
        self._ns += round(seconds * 1e9)

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.advance(seconds)

    def wait_until_ns(self, due_ns: int) -> None:
        """Let time pass until `due_ns`, where that is to come."""
        self._ns = max(self._ns, due_ns)

    def perf_ns(self) -> int:
        """Nanoseconds since the start."""
        return self._ns

    def now(self) -> float:
        """Seconds since the start."""
        return self._ns / 1e9

    def utc(self) -> datetime:
        """The time of day, with zone UTC."""
        return _EPOCH + timedelta(microseconds=self._ns // 1000)


class FakeDevice:
    """A device that takes any file, answers with zeros and lets the clock advance by the next latency of its script.

    `latencies_s` is repeated for ever; the first latency is that of the first inference. `failures` maps the number
    of a query, counted from 0 with the first inference, to what it fails with. `max_batch` is the largest batch that
    it takes. Raises ValueError for a script that is empty or holds a latency that is not above 0: time would stand
    still, and a run would never end.

    >>> from tpukit import benchmark
    >>> clock = ManualClock()
    >>> result = benchmark("autoencoder_int8", FakeDevice([0.002], clock=clock), duration_s=1, clock=clock)
    >>> round(result.summary["p50_s"].item(), 9)
    0.002
    """

    name = "fake"
    about = "latencies from a script"

    def __init__(
        self,
        latencies_s: Sequence[float],
        *,
        clock: ManualClock,
        load_s: float = 0.0,
        inputs: Sequence[Tensor] = (Tensor(name="x", shape=(1, 4), dtype="int8", scale=1.0, zero_point=0),),
        outputs: Sequence[Tensor] = (Tensor(name="y", shape=(1, 2), dtype="int8", scale=1.0, zero_point=0),),
        failures: Mapping[int, str] | None = None,
        max_batch: int = 1_000_000,
    ) -> None:
        if len(latencies_s) == 0 or min(latencies_s) <= 0:
            raise ValueError(f"a script needs latencies above 0 s, got {list(latencies_s)}")
        self._latencies_s, self._clock, self._load_s = list(latencies_s), clock, load_s
        self._inputs, self._outputs = tuple(inputs), tuple(outputs)
        self._failures, self._max_batch = dict(failures or {}), max_batch
        self.loaded: list[Model] = []
        self.closed = 0

    def runtime(self) -> str:
        """Return its name: it is always usable."""
        return "fake"

    def load(self, model: Model, *, threads: int, batch: int) -> "_FakeSession":
        """Take `load_s` seconds; raises ModelLoadError for a batch over `max_batch`."""
        self._clock.advance(self._load_s)
        if batch > self._max_batch:
            raise ModelLoadError(f"the fake device takes a batch of {self._max_batch} at most, got {batch}")
        self.loaded.append(model)
        return _FakeSession(self, batch)

    def answer(self, script: Iterator[float], number: int) -> None:
        """Let time pass for the query of this number; raises DeviceError where the script says so."""
        self._clock.advance(next(script))
        if number in self._failures:
            raise DeviceError(self._failures[number])

    def shapes(self, batch: int) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return its inputs and outputs with this batch."""
        return _with_batch(self._inputs, batch), _with_batch(self._outputs, batch)

    def script(self) -> Iterator[float]:
        """Return the latencies, repeated for ever."""
        return cycle(self._latencies_s)


class _FakeSession:
    def __init__(self, device: FakeDevice, batch: int) -> None:
        self._device = device
        self._script = device.script()
        self._number = 0
        self.inputs, self.outputs = device.shapes(batch)

    def bind(self, samples: Sequence[Arrays]) -> Query:
        answer = tuple(np.zeros(tensor.shape, tensor.dtype) for tensor in self.outputs)
        expected = [tensor.shape for tensor in self.inputs]

        def query(index: int) -> Arrays:
            if [array.shape for array in samples[index]] != expected:
                raise DeviceError(f"sample {index} does not have the shapes {expected}")
            number, self._number = self._number, self._number + 1
            self._device.answer(self._script, number)
            return answer

        return query

    def close(self) -> None:
        self._device.closed += 1


def _with_batch(tensors: tuple[Tensor, ...], batch: int) -> tuple[Tensor, ...]:
    return tuple(
        Tensor(
            name=tensor.name,
            shape=(batch, *tensor.shape[1:]),
            dtype=tensor.dtype,
            scale=tensor.scale,
            zero_point=tensor.zero_point,
        )
        for tensor in tensors
    )


class DeviceContract:
    """What every device must do. A test class inherits it and says which device and which model.

    >>> class TestMine(DeviceContract):
    ...     def device(self) -> Device:
    ...         return FakeDevice([0.001], clock=ManualClock())
    ...     def model(self) -> str | Path:
    ...         return "digits_cnn_int8"
    """

    def device(self) -> Device:
        """Return the device under test."""
        raise NotImplementedError

    def model(self) -> str | Path:
        """Return a model that it can load."""
        raise NotImplementedError

    def test_it_says_what_it_is(self) -> None:
        """A table of devices needs a name, a line about it and a runtime."""
        device = self.device()
        assert device.name
        assert device.about
        assert device.runtime()

    def test_a_query_returns_the_declared_outputs(self) -> None:
        """Shapes and types of the outputs are the session's own."""
        session = self.device().load(read_model(self.model()), threads=1, batch=1)
        samples = [tuple(np.zeros(tensor.shape, tensor.dtype) for tensor in session.inputs)] * 2
        query = session.bind(samples)
        for index in (0, 1, 0):
            found = [(output.shape, output.dtype.name) for output in query(index)]
            assert found == [(tensor.shape, tensor.dtype) for tensor in session.outputs]
        session.close()

    def test_the_same_sample_gives_the_same_outputs(self) -> None:
        """Nothing of one query leaks into the next."""
        session = self.device().load(read_model(self.model()), threads=1, batch=1)
        ones = tuple(np.ones(tensor.shape, tensor.dtype) for tensor in session.inputs)
        zeros = tuple(np.zeros(tensor.shape, tensor.dtype) for tensor in session.inputs)
        query = session.bind([ones, zeros])
        first = [output.copy() for output in query(0)]
        query(1)
        for before, after in zip(first, query(0), strict=True):
            np.testing.assert_array_equal(before, after)
        session.close()

    def test_two_sessions_do_not_share_state(self) -> None:
        """A session closed leaves the other one running."""
        device, model = self.device(), read_model(self.model())
        one, two = (device.load(model, threads=1, batch=1) for _ in range(2))
        one.close()
        sample = tuple(np.zeros(tensor.shape, tensor.dtype) for tensor in two.inputs)
        assert len(two.bind([sample])(0)) == len(two.outputs)
        two.close()

    def test_a_wrong_shape_is_a_device_error(self) -> None:
        """What the runtime refuses reaches the caller as an error of ours."""
        session = self.device().load(read_model(self.model()), threads=1, batch=1)
        wrong = tuple(np.zeros((*tensor.shape, 3), tensor.dtype) for tensor in session.inputs)
        try:
            session.bind([wrong])(0)
        except DeviceError:
            pass
        else:
            raise AssertionError("a sample of a wrong shape was accepted")
        finally:
            session.close()
