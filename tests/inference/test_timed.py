"""The times of operators in the table, or one sentence on why there are none; the process that measures is played."""

import json
import math
import sys

import pytest

from tpukit import schema
from tpukit.inference import _profiler, inspect_model, with_op_times
from tpukit.inference._profiler import Profiler

DELEGATED, OWN = 8, 2


@pytest.fixture(autouse=True)
def _known_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_profiler, "KNOWN_VERSIONS", ("",))


def playing(events: list[list[dict[str, object]]]) -> Profiler:
    return Profiler(
        command=(sys.executable, "-c", f"import sys; sys.stdin.buffer.read(); print({json.dumps(events)!r})")
    )


def event(tag: str, us: int, *, node: int, kind: int = DELEGATED) -> dict[str, object]:
    return {"tag": tag, "type": kind, "node": node, "subgraph": 0, "elapsed_us": us}


def test_times_stand_in_the_table_and_their_sum_in_the_note() -> None:
    info = inspect_model("autoencoder_int8")
    events = [event("Fully Connected (NC, QS8, QC8W) GEMM", 10 + place, node=place) for place in range(10)]
    timed = with_op_times(info, "autoencoder_int8", profiler=playing([events] * 3))
    assert schema.check(timed.ops, schema.OPS)["time_s"].tolist() == pytest.approx([(10 + n) / 1e6 for n in range(10)])
    assert timed.notes[:-1] == info.notes
    assert timed.notes[-1] == (
        "Times on the processor, one thread, medians of 3 inferences under LiteRT's profiler: 10 of 10 operators, "
        "145 of 145 µs."
    )


def test_what_is_not_known_is_missing_with_a_reason() -> None:
    info = inspect_model("digits_cnn_int8")
    timed = with_op_times(info, "digits_cnn_int8", profiler=playing([[event("SOFTMAX", 4, node=6, kind=OWN)]]))
    assert timed.ops["time_s"].tolist()[:-1] == pytest.approx([math.nan] * 6, nan_ok=True)
    assert timed.ops["time_s"].iloc[-1] == pytest.approx(4e-6)
    assert "1 of 7 operators, 4 of 4 µs; 6 operators" in timed.notes[-1]


def test_a_process_that_is_killed_leaves_the_table_whole_and_its_end_in_the_note() -> None:
    info = inspect_model("digits_cnn_int8")
    suicide = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    timed = with_op_times(info, "digits_cnn_int8", profiler=Profiler(command=(sys.executable, "-c", suicide)))
    assert timed.ops["time_s"].isna().all()
    assert timed.ops.drop(columns="time_s").equals(info.ops.drop(columns="time_s"))
    assert timed.notes[-1] == "No times of operators: LiteRT's profiler failed: its process was ended by SIGSEGV."
