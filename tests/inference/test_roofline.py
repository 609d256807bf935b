"""The least time under measured peaks, by hand and by its properties."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.inference import _models
from tpukit import schema
from tpukit.errors import ConfigError
from tpukit.inference import HasPeaks, Model, ModelInfo, Peaks, Tensor, Work, get_device, inspect_model, limit, work
from tpukit.inference._mapping import predict_mapping
from tpukit.inference._roofline import Limit, limit_columns
from tpukit.testing import FakeDevice, ManualClock

SIZES = (2**14, 2**20, 2**26)


def peaks(
    threads: int = 1, *, ops: Mapping[str, float] | None = None, streams: tuple[float, ...] = (90e9, 50e9, 20e9)
) -> Peaks:
    rates = ops or {"int8": 400e9, "float32": 100e9}
    return Peaks(ops_per_s=rates, bytes_per_s=dict(zip(SIZES, streams, strict=True)), source=f"{threads} by hand")


def info(*ops: dict[str, Any], parameter_bytes: int = 0) -> ModelInfo:
    """A model with one input of 100 bytes and one output of 20."""
    rows = [
        {
            "model": "m",
            "op": place,
            "type": "CONV_2D",
            "dtype": "int8",
            "macs": 0,
            "parameters": 0,
            "parameter_bytes": 0,
        }
        | op
        for place, op in enumerate(ops)
    ]
    return ModelInfo(
        name="m",
        sha256="",
        size_bytes=1,
        weights="not known",
        inputs=(Tensor(name="x", shape=(1, 25), dtype="float32"),),
        outputs=(Tensor(name="y", shape=(1, 20), dtype="int8"),),
        parameters=0,
        parameter_bytes=parameter_bytes,
        ops=schema.frame(rows, schema.OPS),
        mapping=predict_mapping([]),
    )


def test_a_model_written_by_hand_has_the_work_that_was_written() -> None:
    model = Model(name="toy", content=_models.dense(n=8, m=4), sha256="")
    assert work(inspect_model(model)) == Work(macs={"float32": 32}, constant_bytes=128, io_bytes=48)
    int8 = Model(name="toy", content=_models.quantised(n=4), sha256="")
    assert work(inspect_model(int8)) == Work(macs={"int8": 16}, constant_bytes=16 + 16, io_bytes=8)


def test_work_adds_by_type_and_counts_what_is_unknown() -> None:
    found = work(
        info(
            {"macs": 5},
            {"macs": 7},
            {"macs": 3, "dtype": "float32"},
            {"macs": None, "type": "CUSTOM:x"},
            {"dtype": None},
        )
    )
    assert found == Work(macs={"int8": 12, "float32": 3}, constant_bytes=0, io_bytes=120, unknown_ops=1)


@pytest.mark.parametrize(("bytes_each", "dtype"), [(1, "int8"), (1.3, "int8"), (2, "float32"), (4, "float32")])
def test_float32_with_weights_of_a_byte_is_computed_in_int8(bytes_each: float, dtype: str) -> None:
    op = {"dtype": "float32", "macs": 9, "parameters": 100, "parameter_bytes": int(100 * bytes_each)}
    assert work(info(op)).macs == {dtype: 9}


def test_a_table_of_which_rows_are_picked_need_not_be_read() -> None:
    table = {"type": "GATHER", "parameters": 1000, "parameter_bytes": 4000}
    assert work(info(table, {"macs": 1}, parameter_bytes=4300)).constant_bytes == 300


def test_compute_binds_by_hand() -> None:
    found = limit(Work(macs={"int8": 2_000_000, "float32": 500_000}, constant_bytes=9_000, io_bytes=1_000), peaks())
    assert found.seconds == pytest.approx(4e6 / 400e9 + 1e6 / 100e9)  # 20 us, against 0.11 us for 10 kB
    assert found.text.startswith("compute: ")
    assert found.text == ("compute: 2 MMAC int8 at 400 Gop/s + 500 kMAC float32 at 100 Gop/s, 1 by hand")


def test_memory_binds_by_hand() -> None:
    found = limit(Work(macs={"int8": 1_000}, constant_bytes=2**21, io_bytes=0, unknown_ops=2), peaks(2))
    assert found.seconds == pytest.approx(2**21 / 50e9)  # 2 MB is read out of what 1 MB was: no slower
    assert found.text.startswith("memory: ")
    assert found.text == ("memory: 2.1 MB at 50 GB/s, 2 by hand; the work of 2 operators is unknown")


def test_constants_that_stay_on_the_device_are_not_read() -> None:
    asked = Work(macs={}, constant_bytes=3_000, io_bytes=100)
    assert limit(asked, replace(peaks(), resident_bytes=1_000)).seconds == pytest.approx(2_100 / 90e9)
    assert limit(asked, replace(peaks(), resident_bytes=9_000)).seconds == pytest.approx(100 / 90e9)


def test_a_batch_repeats_all_but_the_constants() -> None:
    asked = Work(macs={"int8": 1_000_000}, constant_bytes=1_000, io_bytes=10)
    assert limit(asked, peaks(), batch=8).seconds == pytest.approx(8 * limit(asked, peaks()).seconds)
    light = Work(macs={}, constant_bytes=1_000, io_bytes=10)
    assert limit(light, peaks(), batch=8).seconds == pytest.approx(1_080 / 90e9)
    assert "8 MMAC int8 at 400 Gop/s, 1 by hand, batch 8" in limit(asked, peaks(), batch=8).text


def test_a_type_that_was_not_measured_is_as_fast_as_the_fastest() -> None:
    found = limit(Work(macs={"int16": 1_000_000}, constant_bytes=1, io_bytes=1), peaks())
    assert found.seconds == pytest.approx(2e6 / 400e9)
    assert "1 MMAC int16 at 400 Gop/s, the fastest known" in found.text


@pytest.mark.parametrize(
    ("size", "rate"), [(1, 90e9), (2**14, 90e9), (2**20 - 1, 90e9), (2**20, 50e9), (2**26, 20e9), (2**40, 20e9)]
)
def test_bandwidth_is_that_of_the_next_smaller_working_set(size: int, rate: float) -> None:
    assert peaks().bandwidth(size) == rate


def test_a_small_working_set_is_no_slower_than_a_large_one() -> None:
    assert peaks(streams=(10e9, 50e9, 20e9)).bandwidth(1) == 50e9


def test_what_fewer_threads_reached_more_can_reach() -> None:
    raised = peaks(2, ops={"int8": 300e9}, streams=(95e9, 40e9, 20e9)).raised_to([peaks(1)])
    assert raised.source == "2 by hand"
    assert raised.ops_per_s == {"int8": 400e9, "float32": 100e9}
    assert tuple(raised.bytes_per_s.values()) == (95e9, 50e9, 20e9)


rates = st.floats(1e6, 1e15)
some_peaks = st.builds(
    lambda int8, float32, streams: peaks(ops={"int8": int8, "float32": float32}, streams=tuple(streams)),
    rates,
    rates,
    st.lists(rates, min_size=3, max_size=3),
)
some_work = st.builds(
    Work,
    macs=st.dictionaries(st.sampled_from(["int8", "float32", "int16"]), st.integers(0, 10**12)),
    constant_bytes=st.integers(0, 10**10),
    io_bytes=st.integers(1, 10**8),
)


@given(some_work, some_peaks, some_peaks)
def test_higher_peaks_never_raise_the_least_time(asked: Work, some: Peaks, others: Peaks) -> None:
    raised = limit(asked, some.raised_to([others])).seconds
    assert raised <= min(limit(asked, some).seconds, limit(asked, others).seconds)


@given(some_work, some_peaks, st.integers(1, 1000))
def test_a_batch_takes_no_longer_than_its_samples_one_by_one_and_no_less_than_one(
    asked: Work, some: Peaks, batch: int
) -> None:
    one, many = limit(asked, some).seconds, limit(asked, some, batch=batch)
    # one by one each working set is smaller, so it may stream faster
    slowest = max(some.bytes_per_s.values()) / min(some.bytes_per_s.values())
    assert one * (1 - 1e-12) <= many.seconds <= batch * one * slowest * (1 + 1e-12)
    assert many.text.startswith(("compute: ", "memory: "))


@given(some_peaks, st.integers(1, 10**9), st.integers(1, 10**9))
def test_bandwidth_never_grows_with_the_working_set(some: Peaks, one: int, other: int) -> None:
    assert some.bandwidth(min(one, other)) >= some.bandwidth(max(one, other))


BOUND = Limit(seconds=0.002, batch=4, text="compute: x")


def test_the_columns_of_a_latency() -> None:
    assert limit_columns(BOUND, metric="p50_s", value=0.008) == {
        "limit": "compute: x", "limit_value": 0.002, "fraction_of_peak": 0.25,
    }  # fmt: skip
    assert limit_columns(BOUND, metric="p99_s", value=0.032, runs=8)["fraction_of_peak"] == 0.5


def test_the_columns_of_a_throughput() -> None:
    row = limit_columns(BOUND, metric="throughput_per_s", value=np.float64(500.0))
    assert (row["limit_value"], row["fraction_of_peak"]) == (2000.0, 0.25)


def test_a_share_over_one_is_shown_and_said() -> None:
    for metric, value in (("p50_s", 0.001), ("throughput_per_s", 4000.0)):
        row = limit_columns(BOUND, metric=metric, value=value)
        assert row["fraction_of_peak"] == 2.0
        assert row["limit"] == "compute: x; beaten, so this peak was measured too low"


def test_without_a_value_there_is_a_limit_and_no_share() -> None:
    row = limit_columns(BOUND, metric="p50_s", value=math.nan)
    assert (row["limit"], row["limit_value"]) == ("compute: x", 0.002)
    assert math.isnan(row["fraction_of_peak"])


def test_without_work_there_is_no_limit() -> None:
    nothing = limit(Work(macs={}, constant_bytes=0, io_bytes=0, unknown_ops=1), peaks())
    assert limit_columns(nothing, metric="p50_s", value=1.0) == {"limit": "none: nothing is known of the model's work"}


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"ops_per_s of int8 is .*: expected a number above 0"):
        peaks(ops={"int8": rate})
    with pytest.raises(ConfigError, match="bytes_per_s of 16384 is"):
        peaks(streams=(rate, 1.0, 1.0))


def test_peaks_without_rates_are_refused() -> None:
    with pytest.raises(ConfigError, match="peaks have no ops_per_s"):
        Peaks(ops_per_s={}, bytes_per_s={1: 1.0}, source="by hand")


def test_a_device_says_whether_it_has_peaks() -> None:
    assert isinstance(get_device("cpu"), HasPeaks)
    assert isinstance(get_device("reference"), HasPeaks)
    assert not isinstance(FakeDevice([1.0], clock=ManualClock()), HasPeaks)
