"""The cell that asks whether the measured peaks are peaks."""

from types import SimpleNamespace

import pandas as pd
import pytest

from tpukit import host
from tpukit.inference import Peaks
from tpukit.metrics_integration import SUITE, Effort, _roofline_cells
from tpukit.workloads import bundled_models

TINY = Effort(blocks=2, repeats=1, slow=False)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor of 1 Top/s on one thread and 2 on two, on which every model takes 1 ms, the autoencoder 2 us."""

    def peaks(threads: int) -> Peaks:
        rates = {"int8": threads * 1e12, "float32": threads * 1e12}
        return Peaks(ops_per_s=rates, bytes_per_s={1: 1e15}, source=f"{threads} thread (by hand)")

    def benchmark(name: str, **settings: object) -> SimpleNamespace:
        p50_s = {"autoencoder_int8": 2 * 264_192 / 1e12 / 0.8}.get(name, 1e-3)
        return SimpleNamespace(summary=pd.DataFrame({"p50_s": [p50_s]}))

    monkeypatch.setattr(host, "thread_counts", lambda: [1, 2])
    monkeypatch.setattr(_roofline_cells, "cpu_peaks", peaks)
    monkeypatch.setattr(_roofline_cells, "benchmark", benchmark)


def test_the_model_that_comes_nearest_is_the_finding() -> None:
    one, two = SUITE["inference/roofline"].measure(TINY)
    assert (one.value, two.value) == (pytest.approx(0.8), pytest.approx(0.4))
    assert one.verdict == two.verdict == "holds"
    assert f"p50 of {len(bundled_models())} models" in one.note
    assert "autoencoder_int8, compute: 264 kMAC int8 at 1 Top/s, 1 thread" in one.note


def test_a_model_that_beats_the_peak_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_roofline_cells, "_share", lambda name, threads, peaks: (1.1, "compute: x"))
    assert {found.verdict for found in SUITE["inference/roofline"].measure(TINY)} == {"does not hold"}
