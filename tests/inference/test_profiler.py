"""The process that asks LiteRT for the times of operators: what it finds, and that its end is never ours."""

import math
import sys
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

import pytest

from tests.inference import _models
from tpukit.inference import Model, _profiler, read_model
from tpukit.inference._op_times import OpTimes
from tpukit.inference._profiler import Profiler


@pytest.fixture
def asked(model_file: Callable[..., Path]) -> Callable[..., OpTimes]:
    """Return a function that asks a Python program, in place of the worker, for the times of two operators."""

    def ask(program: str, types: Sequence[str] = ("ADD", "SOFTMAX"), patience_s: float = 60.0) -> OpTimes:
        profiler = Profiler(command=(sys.executable, "-c", program), patience_s=patience_s)
        return profiler(read_model(model_file("dense")), types)

    return ask


needs_known = pytest.mark.skipif(
    not metadata.version("ai-edge-litert").startswith(_profiler.KNOWN_VERSIONS), reason="another LiteRT"
)


@needs_known
def test_a_bundled_model_has_times_of_its_largest_operators() -> None:
    types = ["CONV_2D", "CONV_2D", "MAX_POOL_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]
    found = Profiler()(read_model("digits_cnn_float32"), types)
    assert found.runs >= 5
    known = [each for each in found.seconds if not math.isnan(each)]
    # the second convolution has 295 k of the model's 452 k multiply-accumulates
    assert found.seconds[1] > 0
    assert 0 < sum(known) <= 1.5 * found.kernels_s < 1
    assert found.reason is None or found.reason.endswith("less than the 1 µs that LiteRT's profiler counts in")


@needs_known
def test_nothing_is_loaded_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "ctypes", "tpukit"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('it was loaded')")
    monkeypatch.chdir(tmp_path)
    assert Profiler()(read_model("digits_cnn_float32"), ["CONV_2D"]).runs >= 5


@needs_known
def test_several_inputs_and_outputs_are_run(model_file: Callable[..., Path]) -> None:
    found = Profiler()(read_model(model_file("two_by_two")), ["FULLY_CONNECTED"] * 2)
    assert found.runs >= 5


@needs_known
@pytest.mark.parametrize("content", [_models.custom_op(), _models.dense()[:40]])
def test_what_the_profiler_cannot_run_has_a_reason(content: bytes) -> None:
    found = Profiler()(Model(name="odd", content=content, sha256=""), ["FULLY_CONNECTED"])
    assert math.isnan(found.seconds[0])
    assert found.reason is not None
    assert found.reason.startswith("LiteRT's profiler failed: ")


def test_events_are_read_and_the_model_is_given(asked: Callable[..., OpTimes], model_file: Callable[..., Path]) -> None:
    size = model_file("dense").stat().st_size
    found = asked(
        "import json, sys\n"
        f"assert len(sys.stdin.buffer.read()) == {size}\n"
        "event = lambda tag, node, us: dict(tag=tag, type=2, node=node, subgraph=0, elapsed_us=us)\n"
        "json.dump([[event('ADD', 0, 4), event('SOFTMAX', 1, 9)]] * 3, sys.stdout)"
    )
    assert (found.seconds, found.runs, found.reason) == ((4e-6, 9e-6), 3, None)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import os; os.abort()", "LiteRT's profiler failed: its process was ended by SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "failed: its process was ended by SIGSEGV"),
        ("import sys; sys.exit('LiteRtX  returned\\nstatus 3')", "LiteRT's profiler failed: status 3"),
        ("import sys; sys.exit(4)", "LiteRT's profiler failed: its process ended with 4"),
        ("raise AttributeError('undefined symbol: LiteRtX')", "failed: AttributeError: undefined symbol: LiteRtX"),
        ("print('Segmentation')", "LiteRT's profiler answered what is no list of events"),
        ('print(\'[[{"tag": "ADD"}]]\')', "LiteRT's profiler answered what is no list of events"),
        ("", "LiteRT's profiler answered what is no list of events"),
        ("print([])", "LiteRT's profiler saw no operator"),
    ],
)
def test_a_process_that_fails_is_a_reason(program: str, reason: str, asked: Callable[..., OpTimes]) -> None:
    found = asked(program)
    assert found.reason is not None
    assert found.reason.endswith(reason)
    assert [math.isnan(each) for each in found.seconds] == [True, True]


def test_a_process_that_hangs_is_ended(asked: Callable[..., OpTimes]) -> None:
    found = asked("while True: pass", patience_s=0.2)
    assert found.reason == "LiteRT's profiler did not end within 0.2 s"


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("2.4.1", "the profiler of ai-edge-litert 2.4.1 is not known, only that of 2.3.x"),
        (None, "ai-edge-litert is not installed, whose profiler gives the times of operators"),
    ],
)
def test_an_unknown_version_is_not_asked(
    version: str | None, reason: str, asked: Callable[..., OpTimes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(distribution: str) -> str:
        if version is None:
            raise metadata.PackageNotFoundError(distribution)
        return version

    monkeypatch.setattr(metadata, "version", answer)
    assert asked("raise SystemExit('it was asked')").reason == reason
