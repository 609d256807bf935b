import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.history._frames import frames
from tpukit import schema
from tpukit.errors import SchemaError
from tpukit.history import _samples_blob
from tpukit.schema import SAMPLES

_NS = st.integers(-(2**50), 2**50)  # 13 days
_WORD = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_QUERY = st.tuples(_NS, _NS, st.none() | _NS, _WORD, _WORD)


def _samples(queries: list[tuple[int, int, int | None, str | None, str | None]]) -> pd.DataFrame:
    scheduled, start, end, status, error = zip(*queries, strict=True) if queries else ((),) * 5
    due, ended = np.array(scheduled, dtype=float) / 1e9, np.array(end, dtype=float) / 1e9
    return schema.frame(
        {
            "run_id": ["r"] * len(queries),
            "scheduled_s": due,
            "start_s": np.array(start, dtype=float) / 1e9,
            "end_s": ended,
            "latency_s": ended - due,
            "status": pd.Series(status, dtype="str"),
            "error": pd.Series(error, dtype="str"),
        },
        SAMPLES,
    )


@settings(max_examples=100)
@given(st.lists(_QUERY, max_size=20))
def test_any_nanoseconds_and_words_come_back_exactly(
    queries: list[tuple[int, int, int | None, str | None, str | None]],
) -> None:
    samples = _samples(queries)
    found = _samples_blob.decode(_samples_blob.encode(samples), "r")
    schema.check(found, SAMPLES)
    for name in ("scheduled_s", "start_s", "end_s", "latency_s"):
        np.testing.assert_array_equal(found[name].to_numpy(), samples[name].to_numpy())
    for name in ("run_id", "status", "error"):
        assert found[name].astype("str").fillna("?").tolist() == samples[name].astype("str").fillna("?").tolist()
        assert found[name].isna().tolist() == samples[name].isna().tolist()


def test_times_are_rounded_and_not_cut() -> None:
    ns = np.arange(1000, dtype=np.int64)
    assert ((ns / 1e9 * 1e9).astype(np.int64) != ns).any()  # cutting loses a nanosecond of some
    samples = _samples([(0, n, None, "ok", None) for n in ns]).assign(scheduled_s=1.6e-9)
    found = _samples_blob.decode(_samples_blob.encode(samples), "r")
    assert (found["start_s"] == ns / 1e9).all()
    assert (found["scheduled_s"] == 2e-9).all()


def test_a_closed_loop_takes_six_bytes_a_query() -> None:
    samples = frames("r", rows=100_000).samples
    assert len(_samples_blob.encode(samples)) < 6.0 * len(samples)


def test_neither_index_nor_unused_words_matter() -> None:
    samples = frames("r").samples
    other = samples.assign(status=samples["status"].cat.add_categories(["late"])).set_axis([7, 7, 7, 7, 7])
    assert _samples_blob.encode(other) == _samples_blob.encode(samples)


@pytest.mark.parametrize("column", ["scheduled_s", "start_s", "end_s"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e10])
def test_a_time_that_is_none_is_refused(column: str, value: float) -> None:
    samples = frames("r").samples.assign(**{column: value})
    samples["latency_s"] = samples["end_s"] - samples["scheduled_s"]
    with pytest.raises(SchemaError, match=f"column {column} of a SAMPLES table is infinite or beyond 292 years"):
        _samples_blob.encode(samples)


def test_another_latency_is_refused() -> None:
    samples = frames("r").samples
    with pytest.raises(SchemaError, match="latency_s of a SAMPLES table must be end_s - scheduled_s"):
        _samples_blob.encode(samples.assign(latency_s=samples["latency_s"] * 2))
