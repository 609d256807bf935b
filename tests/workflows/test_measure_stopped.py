"""A sweep that is refused, stopped or cannot be stored."""

import signal
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.inference._devices import InterruptedDevice
from tests.workflows._devices import Named
from tpukit import schema
from tpukit.errors import ConfigError, ModelLoadError, StorageError, UnknownNameError
from tpukit.history import History
from tpukit.inference import INVALID, VALID
from tpukit.testing import ManualClock
from tpukit.workflows import Measured, Step

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"models": ("digits_cnn",)}, UnknownNameError, r"^unknown model 'digits_cnn': did you mean"),
        ({"models": ("absent.tflite",)}, ModelLoadError, r"^cannot read model absent\.tflite"),
        ({"models": ()}, ConfigError, r"^no model was given: name at least one$"),
        ({"scenarios": ("ofline",)}, UnknownNameError, r"^unknown scenario 'ofline': did you mean offline\?$"),
        ({"scenarios": ()}, ConfigError, r"^no scenario was given"),
        ({"threads": ()}, ConfigError, r"^no threads was given"),
        ({"threads": (1, 0)}, ConfigError, r"^threads is 0: expected a whole number from 1 to 1024$"),
        ({"duration_s": -1}, ConfigError, r"^duration is -1 s"),
        ({"baseline": "refrence"}, UnknownNameError, r"^unknown device 'refrence': did you mean reference\?$"),
    ],
)
def test_what_cannot_be_is_known_before_anything_is_measured(
    given: dict[str, object],
    error: type[Exception],
    message: str,
    sweep: Callable[..., Measured],
    clock: ManualClock,
    history: History,
) -> None:
    with pytest.raises(error, match=message):
        sweep(Named("a", 0.01, clock), **given)
    assert (clock.now(), history.path.exists()) == (0.0, False)


def test_an_unknown_or_absent_device_is_known_before(sweep: Callable[..., Measured], clock: ManualClock) -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown device 'gpu'"):
        sweep(Named("a", 0.01, clock), "gpu")
    with pytest.raises(ConfigError, match=r"^no device was given"):
        sweep()
    assert clock.now() == 0.0


def test_a_store_that_cannot_be_used_is_known_before(
    sweep: Callable[..., Measured], clock: ManualClock, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        sweep(Named("a", 0.01, clock), history=History(tmp_path / "file" / "runs.db"))
    assert clock.now() == 0.0


class FullDisk(History):
    """A history whose disk is full after some runs."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(path)
        self._room = room

    def append(self, runs: pd.DataFrame, samples: pd.DataFrame, results: pd.DataFrame) -> None:
        if self._room == 0:
            raise StorageError("cannot write: No space left on device")
        self._room -= 1
        super().append(runs, samples, results)


def test_a_store_that_fails_ends_the_sweep_and_the_run_is_rescued(
    sweep: Callable[..., Measured], clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rescued = tmp_path / "rescued"
    rescued.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(rescued))
    history = FullDisk(tmp_path / "runs.db", room=2)
    devices = [Named(name, 0.01, clock) for name in "abc"]
    found = sweep(*devices, history=history)
    # the baseline and a are stored, b is not, c is not measured
    assert found.results["device"].tolist() == ["a", "b"]
    assert len(history.to_frame()) == 2
    (folder,) = rescued.iterdir()
    assert found.not_stored == f"cannot write: No space left on device; the last run lies in {folder}"
    tables = {name: pd.read_parquet(folder / f"{name}.parquet") for name in ("run", "samples", "result")}
    last = found.results.iloc[-1]
    assert (tables["run"]["run_id"].item(), tables["result"]["run_id"].item()) == (last["run_id"], last["run_id"])
    assert len(tables["samples"]) == last["n"]
    assert tables["result"]["speedup"].item() == pytest.approx(4.0)


def test_where_even_the_rescue_fails_both_are_said(
    sweep: Callable[..., Measured], clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    found = sweep(Named("a", 0.01, clock), baseline=None, history=FullDisk(tmp_path / "runs.db", room=0))
    reason = "nor could the last run be put into the temporary folder (No such file or directory)"
    assert found.not_stored == f"cannot write: No space left on device; {reason}"
    assert found.results["verdict"].tolist() == [VALID]


@pytest.mark.parametrize(("at", "kept"), [(0, ["a"]), (30, ["a", "stopped"])])
def test_ctrl_c_keeps_what_was_measured(
    at: int, kept: list[str], sweep: Callable[..., Measured], clock: ManualClock, history: History
) -> None:
    stopped = InterruptedDevice([0.01], clock=clock, at=at)
    stopped.name = "stopped"
    found = sweep(Named("a", 0.01, clock), stopped, Named("never", 0.01, clock))
    assert (found.cut_short, found.not_stored) == (True, None)
    assert [label.split()[1] for label in found.not_measured] == (["never"] if at else ["stopped", "never"])
    assert schema.check(found.results, schema.RESULTS)["device"].tolist() == kept
    assert found.results["verdict"].tolist() == [VALID, INVALID][: len(kept)]
    # all that was measured is stored, the partial run too
    stored = history.to_frame()
    assert stored["run_id"].tolist() == [*found.baselines["run_id"], *found.results["run_id"]]
    if at:
        assert len(history.samples(found.results["run_id"].iloc[-1])) == at - 11


@pytest.mark.usefixtures("sigint_not_ignored")
def test_ctrl_c_while_a_run_is_stored_loses_nothing(
    sweep: Callable[..., Measured], clock: ManualClock, tmp_path: Path
) -> None:
    """The signal comes in the middle of the transaction, which is finished before the sweep ends."""

    class Interrupted(History):
        def append(self, runs: pd.DataFrame, samples: pd.DataFrame, results: pd.DataFrame) -> None:
            signal.raise_signal(signal.SIGINT)
            super().append(runs, samples, results)

    history = Interrupted(tmp_path / "runs.db")
    found = sweep(Named("a", 0.01, clock), Named("b", 0.01, clock), baseline=None, history=history)
    assert (found.cut_short, found.not_stored) == (True, None)
    assert history.to_frame()["run_id"].tolist() == found.results["run_id"].tolist() != []
    assert (found.results["verdict"].tolist(), found.not_measured) == ([VALID], ("toy b single_stream 1 thread",))


def test_ctrl_c_between_two_cells_keeps_what_was_measured(
    sweep: Callable[..., Measured], clock: ManualClock, history: History
) -> None:
    def interrupt(step: Step) -> None:
        if step.begins and step.label.startswith("toy b "):
            raise KeyboardInterrupt

    found = sweep(Named("a", 0.01, clock), Named("b", 0.01, clock), progress=interrupt)
    assert (found.cut_short, found.results["device"].tolist(), len(history.to_frame())) == (True, ["a"], 2)


def test_cancel_ends_the_sweep(sweep: Callable[..., Measured], clock: ManualClock) -> None:
    cancel = threading.Event()

    def stop(step: Step) -> None:
        if step.label.startswith("toy b ") and not step.begins:
            cancel.set()

    devices = [Named(name, 0.01, clock) for name in "abc"]
    found = sweep(*devices, progress=stop, cancel=cancel)
    assert (found.cut_short, found.results["device"].tolist()) == (True, ["a", "b"])
    assert found.results["verdict"].tolist() == [VALID, INVALID]
    assert 0 < found.results["n"].iloc[-1] < 100


def test_progress_ascends_and_each_cell_begins_once(sweep: Callable[..., Measured], clock: ManualClock) -> None:
    steps: list[Step] = []
    sweep(Named("a", 0.01, clock), Named("b", 0.01, clock), threads=(1, 2), progress=steps.append)
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1] <= 1) == (0.0, True)
    begun = [step for step in steps if step.begins]
    assert [step.label for step in begun] == [
        "toy slow single_stream 1 thread (baseline)",
        "toy a single_stream 1 thread",
        "toy a single_stream 2 threads",
        "toy b single_stream 1 thread",
        "toy b single_stream 2 threads",
    ]
    # by time asked for: the baseline takes a tenth of a cell's second
    assert [step.share for step in begun] == pytest.approx([0, 0.1 / 4.1, 1.1 / 4.1, 2.1 / 4.1, 3.1 / 4.1])
    assert {step.label for step in steps if not step.begins} == {step.label for step in begun}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rates_hz": (5.0,)}, "^rate_hz does not go with single_stream: it is for server$"),
        ({"latency_bound_s": 0.1}, "^latency_bound_s does not go with single_stream: it is for server$"),
        ({"samples_per_query": 4}, "^samples_per_query does not go with single_stream: it is for multi_stream$"),
        (
            {"percentile": 0.9, "scenarios": ("offline",)},
            "^percentile does not go with offline: it is for single_stream",
        ),
    ],
)
def test_an_option_that_no_scenario_takes_is_refused(
    given: dict[str, object], message: str, sweep: Callable[..., Measured], clock: ManualClock
) -> None:
    with pytest.raises(ConfigError, match=message):
        sweep(Named("a", 0.01, clock), **given)
