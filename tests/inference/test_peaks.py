"""Peaks are measured once for a machine and kept; neither damage nor others' writing makes a wrong one."""

import json
import logging
import os
import stat
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tpukit import host
from tpukit.errors import ConfigError
from tpukit.inference import Model, Peaks, _kernels, cpu_peaks, get_device, inspect_model, work
from tpukit.inference._kernels import Kernel, LiteRTKernels
from tpukit.testing import ManualClock

MACHINE = host.Host(name="pc", cpu="Fake 8086", cores=4, memory_bytes=2**30, governor="performance", os="Linux 6")
SCRIPT = (0.004, 0.002, 0.005)


class FakeKernels:
    """Two kernels of int8 and one of float32, two streams; each run takes the next time of its script."""

    def __init__(self, clock: ManualClock, speed: float = 1.0) -> None:
        self._clock, self.speed, self.asked = clock, speed, []

    def arithmetic(self, threads: int) -> Sequence[Kernel[str]]:
        self.asked.append(threads)
        return [self._kernel("int8", 1000), self._kernel("int8", 4000), self._kernel("float32", 500)]

    def streams(self, threads: int) -> Sequence[Kernel[int]]:
        return [self._kernel(2**14, 2**14), self._kernel(2**26, 2**10)]

    def _kernel(self, of: Any, amount: int) -> Kernel[Any]:
        runs = iter(range(10**9))

        def run() -> None:
            self._clock.advance(SCRIPT[next(runs) % len(SCRIPT)] / self.speed)

        return Kernel(of=of, amount=amount, run=run)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that changes the machine; it begins as `MACHINE`, with nobody else on it."""

    def be(others_s: float = 0.0, versions: str = "1", **changed: Any) -> None:
        now = replace(MACHINE, **changed)
        uses = iter(host.CpuUse(all_s=n * others_s, own_s=0.0) for n in range(10**6))
        monkeypatch.setattr(host, "describe", lambda: now)
        monkeypatch.setattr(host, "cores", lambda: now.cores)
        monkeypatch.setattr(host, "allowed_processors", lambda: now.cores)
        monkeypatch.setattr(host, "versions", lambda libraries: {"tpukit": versions})
        monkeypatch.setattr(host, "cpu_use", lambda: next(uses))

    be()
    return be


@pytest.fixture
def kernels(clock: ManualClock) -> FakeKernels:
    return FakeKernels(clock)


Ask = Callable[..., Peaks]


@pytest.fixture
def ask(machine: Any, clock: ManualClock, kernels: FakeKernels, tmp_path: Path) -> Ask:
    """Return `cpu_peaks` with a clock that stands still between runs, and a home of the test's own."""

    def call(threads: int = 1, **given: Any) -> Peaks:
        return cpu_peaks(threads, **({"clock": clock, "home": tmp_path / "home", "kernels": kernels} | given))

    return call


def content(tmp_path: Path) -> list[dict[str, Any]]:
    return json.loads((tmp_path / "home" / "peaks.json").read_text())


def test_a_peak_is_the_best_rate_of_all_kernels_and_runs(ask: Ask) -> None:
    found = ask(3)
    assert found.source == f"3 threads (measured {ManualClock().utc():%Y-%m-%d})"
    assert found.ops_per_s == pytest.approx({"int8": 4000 / 0.002, "float32": 500 / 0.002})
    assert found.bytes_per_s == pytest.approx({2**14: 2**14 / 0.002, 2**26: 2**10 / 0.002})


def test_measuring_ends_after_its_budget(ask: Ask, clock: ManualClock) -> None:
    ask(1)
    assert 2 * 1.2 <= clock.now() < 3.0


def test_slow_kernels_run_twice_each_and_once_in_turn(ask: Ask, clock: ManualClock) -> None:
    slow = FakeKernels(clock, speed=1e-3)
    assert ask(1, kernels=slow).ops_per_s["int8"] == pytest.approx(4000 / 2)
    assert clock.now() == pytest.approx(5 * (4 + 2))


def test_peaks_are_measured_once(ask: Ask, kernels: FakeKernels) -> None:
    first = ask()
    assert ask() == first
    assert kernels.asked == [1]


def test_the_file_is_its_owner_s_alone_and_nothing_lies_beside_it(ask: Ask, tmp_path: Path) -> None:
    ask()
    (file,) = (tmp_path / "home").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "Fake 8088"}, {"cores": 2}, {"memory_bytes": 2**29}, {"governor": None}, {"os": "Linux 7"},
        {"versions": "2"},
    ],
    ids=str,
)  # fmt: skip
def test_another_machine_is_measured_again(
    ask: Ask, kernels: FakeKernels, machine: Callable[..., None], change: dict[str, Any]
) -> None:
    ask()
    machine(**change)
    ask()
    assert kernels.asked == [1, 1]
    machine()
    ask()
    assert kernels.asked == [1, 1], "two machines that share a home both stay known"


def test_the_name_of_a_machine_is_not_its_identity(
    ask: Ask, kernels: FakeKernels, machine: Callable[..., None]
) -> None:
    ask()
    machine(name="another container")
    ask()
    assert kernels.asked == [1]


def test_more_threads_than_cores_are_as_many_as_cores(ask: Ask, kernels: FakeKernels) -> None:
    assert ask(1000) == ask(4)
    assert kernels.asked == [4]


def test_less_than_a_thread_is_refused(ask: Ask) -> None:
    with pytest.raises(ConfigError, match="threads is 0: expected a whole number from 1"):
        ask(0)


def test_more_threads_never_have_lower_peaks(ask: Ask, kernels: FakeKernels) -> None:
    one = ask(1)
    kernels.speed = 0.5
    two = ask(2)
    assert two.source.startswith("2 threads")
    assert (two.ops_per_s, two.bytes_per_s) == (one.ops_per_s, one.bytes_per_s)
    assert kernels.asked == [1, 2]
    assert ask(2) == two


def test_fewer_threads_are_not_given_what_more_reached(ask: Ask, kernels: FakeKernels) -> None:
    kernels.speed = 0.5
    one = ask(1)
    kernels.speed = 1.0
    ask(2)
    assert ask(1) == one


def test_on_a_busy_machine_the_next_process_measures_again_and_the_best_counts(
    ask: Ask, kernels: FakeKernels, machine: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    machine(others_s=100.0)
    caplog.set_level(logging.INFO)
    good = ask(2)
    assert good.source.endswith(" on a busy machine)")
    assert "cores busy while peaks of 2 were measured" in caplog.text
    kernels.speed = 0.5
    assert ask(2).ops_per_s == good.ops_per_s
    kernels.speed = 2.0
    machine()
    better = ask(2)
    assert better.ops_per_s["int8"] == pytest.approx(2 * good.ops_per_s["int8"])
    assert ask(2) == better
    assert "busy" not in better.source
    assert kernels.asked == [2, 2, 2]


def test_threads_that_find_cores_free_are_not_disturbed(
    ask: Ask, kernels: FakeKernels, machine: Callable[..., None]
) -> None:
    machine(others_s=0.1)
    ask(4)
    ask(4)
    assert kernels.asked == [4]


@pytest.mark.fault
@pytest.mark.parametrize(
    "damage",
    [b"", b"{", b"null", b"7", b'{"a": 1}', b'["x"]', b"[{}]", b"\xff\xfe", b"[" * 1000],
    ids=["empty", "torn", "null", "number", "mapping", "texts", "fields", "bytes", "nested"],
)
def test_a_damaged_file_is_measured_again_and_replaced(
    ask: Ask, kernels: FakeKernels, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: bytes
) -> None:
    first = ask()
    (tmp_path / "home" / "peaks.json").write_bytes(damage)
    again = ask()
    assert again == replace(first, source=again.source)
    assert ask() == again
    assert kernels.asked == [1, 1]
    assert "is no file of peaks" in caplog.text
    assert len(content(tmp_path)) == 1


@pytest.mark.fault
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("threads", "many"), ("measured", "yesterday"), ("ops_per_s", {"int8": -1}), ("ops_per_s", {"int8": "fast"}),
        ("ops_per_s", []), ("bytes_per_s", [[1, 0]]), ("bytes_per_s", [7]), ("bytes_per_s", []), ("machine", "pc"),
        ("ops_per_s", {"int8": float("nan")}), ("threads", float("inf")),
    ],
    ids=str,
)  # fmt: skip
def test_a_field_that_is_wrong_is_damage(
    ask: Ask, kernels: FakeKernels, tmp_path: Path, caplog: pytest.LogCaptureFixture, field: str, value: object
) -> None:
    ask()
    (record,) = content(tmp_path)
    (tmp_path / "home" / "peaks.json").write_text(json.dumps([record | {field: value}]))
    ask()
    assert kernels.asked == [1, 1]
    assert "is no file of peaks" in caplog.text


@pytest.mark.fault
def test_every_torn_file_is_measured_again(ask: Ask, kernels: FakeKernels, tmp_path: Path) -> None:
    ask()
    path = tmp_path / "home" / "peaks.json"
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 37):
        path.write_bytes(whole[:length])
        ask()
        assert len(content(tmp_path)) == 1
    assert len(kernels.asked) == 1 + len(range(0, len(whole) - 1, 37))


@pytest.mark.fault
def test_a_home_that_cannot_be_written_costs_a_warning_only(
    ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "home").write_text("a file where a folder belongs")
    assert ask().source.startswith("1 thread")
    assert "cannot create folder" in caplog.text
    assert "measured again by the next process" in caplog.text


@pytest.mark.fault
def test_a_disk_that_is_full_leaves_what_was_there(
    ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ask(1)
    before = content(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fdopen", full)
    assert ask(2).source.startswith("2 threads")
    assert "No space left on device" in caplog.text
    assert content(tmp_path) == before
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["peaks.json"]


def test_what_another_process_wrote_meanwhile_is_kept(
    ask: Ask, clock: ManualClock, kernels: FakeKernels, tmp_path: Path
) -> None:
    class Slow(FakeKernels):
        def arithmetic(self, threads: int) -> Sequence[Kernel[str]]:
            ask(2)
            return super().arithmetic(threads)

    ask(1, kernels=Slow(clock))
    assert sorted(record["threads"] for record in content(tmp_path)) == [1, 2]


@pytest.mark.fault
def test_concurrent_writers_leave_a_whole_file(machine: Any, tmp_path: Path) -> None:
    def write(threads: int) -> None:
        clock = ManualClock()
        for _ in range(5):
            cpu_peaks(threads, clock=clock, home=tmp_path / "home", kernels=FakeKernels(clock))
            assert {record["threads"] for record in content(tmp_path)} <= {1, 2, 3, 4}

    failed: list[BaseException] = []

    def guarded(threads: int) -> None:
        try:
            write(threads)
        except BaseException as error:  # noqa: BLE001 a thread's failure is the test's
            failed.append(error)

    writers = [threading.Thread(target=guarded, args=(n,)) for n in (1, 2, 3, 4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=30)
    assert failed == []
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["peaks.json"]


def test_a_device_asks_once_in_a_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    monkeypatch.setenv("TPUKIT_HOME", str(tmp_path))
    monkeypatch.setattr(host, "cores", lambda: 2)
    monkeypatch.setattr(
        "tpukit.inference._litert.cpu_peaks", lambda threads, *, home: asked.append((threads, home)) or len(asked)
    )
    assert [get_device(name).peaks(n) for name in ("cpu", "reference") for n in (1, 2, 9)] == [1, 2, 2] * 2
    assert asked == [(1, tmp_path), (2, tmp_path)]


def test_the_kernels_do_what_they_count(monkeypatch: pytest.MonkeyPatch) -> None:
    contents: list[bytes] = []
    monkeypatch.setattr(_kernels, "_invoke", lambda content, threads: contents.append(content))
    kernels = LiteRTKernels().arithmetic(1)
    for kernel, content in zip(kernels, contents, strict=True):
        asked = work(inspect_model(Model(name="kernel", content=content, sha256="")))
        assert {kernel.of: kernel.amount} == {dtype: 2 * macs for dtype, macs in asked.macs.items()}
    contents.clear()
    streamed = [kernel for kernel in LiteRTKernels().streams(1) if kernel.run is None]
    for kernel, content in zip(streamed, contents, strict=True):
        ops = inspect_model(Model(name="kernel", content=content, sha256="")).ops
        assert kernel.of == kernel.amount == ops["macs"].sum(), "each weight is multiplied once"


def test_a_copy_goes_over_the_same_bytes_again() -> None:
    array = np.zeros(6, np.uint8)
    again = _kernels._again(array, 5)
    np.copyto(again, _kernels._again(np.arange(6, dtype=np.uint8), 5))
    assert (again.nbytes, list(array)) == (30, [0, 1, 2, 3, 4, 5])
    for kernel in LiteRTKernels().streams(1)[:2]:
        assert kernel.amount % kernel.of == 0
        assert kernel.amount > kernel.of


def test_the_kernels_run() -> None:
    kernels = LiteRTKernels()
    for kernel in [*kernels.arithmetic(2), *kernels.streams(2)]:
        kernel.run()
