"""What was published of the models that were measured, as a table and as lines."""

import pandas as pd
import pytest

from tpukit import schema
from tpukit.errors import SchemaError, UnknownNameError
from tpukit.workflows import published, quoted
from tpukit.workloads import reference_latencies

COMPILED = "mobilenet_v2_1.0_224_quant_edgetpu"


def results(*models: str | None) -> pd.DataFrame:
    return schema.frame([{"model": model, "scenario": "single_stream"} for model in models], schema.RESULTS)


def test_each_model_has_its_own_rows_once_however_many_runs_it_has() -> None:
    table = schema.check(
        published(results(COMPILED, "digits_cnn_int8", COMPILED, "inception_v1_224_quant")), schema.PUBLISHED
    )
    assert {model: len(rows) for model, rows in table.groupby("model")} == {COMPILED: 9, "inception_v1_224_quant": 9}
    assert table.set_index("model").loc[COMPILED, "architecture"].unique().tolist() == ["MobileNet v2"]


@pytest.mark.parametrize("models", [(), ("digits_cnn_int8", "mobilenet_v1_025_int8"), (None,)])
def test_models_of_which_nothing_is_published_have_no_rows(models: tuple[str | None, ...]) -> None:
    table = schema.check(published(results(*models)), schema.PUBLISHED)
    assert table.empty
    assert quoted(table) == []


def test_an_architecture_can_be_named_for_each_model() -> None:
    table = published(results("mine", "yours", COMPILED), of={"mine": "VGG16", "yours": "SqueezeNet"})
    assert table.groupby("model")["architecture"].first().to_dict() == {
        "mine": "VGG16", "yours": "SqueezeNet", COMPILED: "MobileNet v2",
    }  # fmt: skip


def test_a_model_or_an_architecture_that_there_is_not_is_met_with_near_ones() -> None:
    with pytest.raises(UnknownNameError, match="unknown model 'mine2': did you mean mine"):
        published(results("mine"), of={"mine2": "VGG16"})
    with pytest.raises(UnknownNameError, match="unknown reference model 'VGG17': did you mean VGG1"):
        published(results("mine"), of={"mine": "VGG17"})


def test_other_references_can_be_given() -> None:
    few = reference_latencies().query("host == 'Dev Board' and publisher == 'pycoral'")
    assert published(results(COMPILED), references=few)["latency_s"].tolist() == [0.00256]
    with pytest.raises(SchemaError, match="a REFERENCES table needs the columns note"):
        published(results(COMPILED), references=few.drop(columns="note"))
    with pytest.raises(SchemaError, match="a RESULTS table needs"):
        published(few)


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (COMPILED, "Coral published 2.6 ms (Edge TPU, USB 3.0, desktop) and 51 ms (CPU, desktop); C++, model alone"),
        (
            "resnet_v2_152_299_quant",
            "Coral published 128 ms (Edge TPU, USB 3.0, desktop) and 1823 ms (CPU, desktop); C++, model alone",
        ),
        (
            "ssd_mobilenet_v1_coco_quant_postprocess",
            "pycoral published 10.02 ms (Edge TPU, USB 3.0, Intel Xeon E5-1650 v3); Python, invoke alone, mean of 200",
        ),
        ("ssd_mobilenet_v2_coco_quant_postprocess", "Coral published 7.3 ms (Edge TPU); how is not stated"),
    ],
)
def test_a_line_quotes_the_first_latency_on_each_hardware_as_it_was_published(model: str, line: str) -> None:
    assert quoted(published(results(model))) == [f"{model}: {line}"]


def test_a_latency_of_the_raspberry_pi_4_is_not_quoted_with_its_seventeen_digits() -> None:
    pi = reference_latencies().query("host == 'Raspberry Pi 4 B'")
    (line,) = quoted(published(results(COMPILED), references=pi))
    assert "published 4.548 ms (Edge TPU, Raspberry Pi 4 B);" in line


def test_another_table_is_refused() -> None:
    with pytest.raises(SchemaError, match="a PUBLISHED table needs the columns model"):
        quoted(reference_latencies())
