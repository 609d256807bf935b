"""A model loaded for LoadGen just as `benchmark` loads it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from tpukit.clock import Clock, SystemClock
from tpukit.errors import DeviceError
from tpukit.inference import _inputs
from tpukit.inference._devices import get_device
from tpukit.inference._loadgen import UnderTest
from tpukit.inference._measure import measure, nobody
from tpukit.inference._model import Model, read_model
from tpukit.inference._rules import latencies_ns
from tpukit.inference._scenarios import OFFLINE, Arrival, warmup
from tpukit.inference._settings import Settings
from tpukit.inference._timeline import Timeline
from tpukit.inference._types import Arrays, Device, Session
from tpukit.interrupts import Cancel, interruptible
from tpukit.workloads import Data, read_data

_ENOUGH = 1_000_000


@contextmanager
def under_test(
    model: str | Path | Model,
    device: str | Device,
    settings: Settings,
    *,
    data: Data | None = None,
    clock: Clock | None = None,
    cancel: Cancel | None = None,
) -> Iterator[UnderTest]:
    """Load a model and bind it to samples as `benchmark` does with these settings, and warm it up.

    Raises ModelLoadError, DeviceUnavailableError or ConfigError for what cannot be loaded or bound, DeviceError where
    an inference fails, KeyboardInterrupt where `cancel` is set or Ctrl-C is pressed.

    >>> from tpukit.inference import drive, settings
    >>> asked = settings("single_stream", duration_s=0.05)
    >>> with under_test("digits_cnn_int8", "cpu", asked) as subject:
    ...     drive(subject, asked).verdict
    'VALID'
    """
    read, on = read_model(model), get_device(device)
    on.runtime()
    with closing(on.load(read, threads=settings.threads, batch=settings.batch)) as session:
        samples = _samples(session, settings, data or read.data)
        query = session.bind(samples)
        with interruptible(cancel) as stop:
            part = measure(
                query,
                len(samples),
                arrival=Arrival.AFTER_THE_LAST,
                bounds=warmup(duration_s=settings.duration_s, max_queries=_ENOUGH),
                clock=clock or SystemClock(),
                between=nobody,
                cancel=stop,
            )
        yield UnderTest(query=query, samples=len(samples), expected_s=_expected_s(part, settings))


def _samples(session: Session, settings: Settings, data: Data | Path | None) -> list[Arrays]:
    if data:
        return _inputs.data_samples(data if isinstance(data, Data) else read_data(data), session.inputs)
    return _inputs.random_samples(session.inputs, np.random.default_rng(settings.seed))


def _expected_s(part: Timeline, settings: Settings) -> float:
    if part.failure:
        raise DeviceError(part.failure)
    if part.cut_short:
        raise KeyboardInterrupt
    shortest_s = float(latencies_ns(part).min()) / 1e9
    if settings.scenario == OFFLINE.name:
        return shortest_s
    return shortest_s * (settings.samples_per_query // settings.batch) / 2
