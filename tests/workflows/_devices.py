"""Fake devices for a sweep."""

from tpukit.testing import FakeDevice, ManualClock


class Named(FakeDevice):
    """A fake device under another name."""

    def __init__(self, name: str, latency_s: float, clock: ManualClock, **options: object) -> None:
        super().__init__([latency_s], clock=clock, **options)
        self.name = name
