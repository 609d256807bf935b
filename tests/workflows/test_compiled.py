"""A model compiled for the Edge TPU runs nowhere else: its baseline is the model that it was compiled from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tpukit.history import History
from tpukit.inference import EdgeTPU
from tpukit.workflows import Load, Measured, measure, readable

pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture
def bench(libedgetpu: Path, history: History, tmp_path: Path) -> Callable[..., Measured]:
    """Return a function that measures models on the stand-in, with the reference kernels as baseline."""

    def run(*models: Path, repeats: int = 1) -> Measured:
        device = EdgeTPU(library=str(libedgetpu), root=tmp_path / "nowhere")
        return measure(models, devices=[device], load=Load(duration_s=0.02, repeats=repeats), history=history)

    return run


def test_the_baseline_runs_the_model_that_it_was_compiled_from(
    bench: Callable[..., Measured], model_file: Callable[..., Path]
) -> None:
    model_file("quantised", name="x")
    found = bench(model_file("compiled", name="x_edgetpu"))
    (base,), (row,) = found.baselines.to_dict("records"), found.results.to_dict("records")
    assert (base["model"], base["device"], base["verdict"]) == ("x", "reference", "VALID")
    assert row["baseline"] == "reference, 1 thread, of x"
    assert row["speedup"] == pytest.approx(base["p50_s"] / row["p50_s"])
    assert found.not_measured == ()


def test_without_that_model_it_says_so_and_what_to_do(
    bench: Callable[..., Measured], model_file: Callable[..., Path]
) -> None:
    found = bench(model_file("compiled", name="x_edgetpu"))
    (base,), (row,) = found.baselines.to_dict("records"), found.results.to_dict("records")
    assert (base["verdict"], row["verdict"]) == ("INVALID", "VALID")
    assert row["baseline"] == "none: reference was INVALID"
    for said in (base["reasons"], row["reasons"]):
        assert "compiled for the Edge TPU, and LiteRT alone cannot run that" in said
        assert "where x.tflite lies beside x_edgetpu.tflite" in said


def test_a_baseline_that_two_models_share_is_measured_once(
    bench: Callable[..., Measured], model_file: Callable[..., Path]
) -> None:
    plain = model_file("quantised", name="x")
    found = bench(plain, model_file("compiled", name="x_edgetpu"), repeats=2)
    assert found.baselines["model"].tolist() == ["x"]
    assert found.results["model"].tolist() == ["x", "x_edgetpu"] * 2
    # the plain model is no Edge TPU result
    refused = found.results.set_index("model").loc["x", "reasons"]
    assert all("0 of 1 ops on the TPU" in reason for reason in refused)
    assert (found.results.set_index("model").loc["x_edgetpu", "baseline"] == "reference, 1 thread, of x").all()


def test_what_ran_on_the_processor_makes_no_run_unstable(
    bench: Callable[..., Measured], model_file: Callable[..., Path]
) -> None:
    found = bench(model_file("compiled", name="p_edgetpu", tpu_ops=2, cpu_ops=3)).results
    assert found["warnings"].item().startswith("3 of 5 ops ran on the CPU")
    alone = found.assign(warnings="3 of 5 ops ran on the CPU")
    assert readable(alone)["verdict"].item() == "VALID"
