"""Published latencies: whole, with a source each, and given only to the models that they are of."""

import pytest

from tpukit import schema
from tpukit.errors import SchemaError, UnknownNameError
from tpukit.workloads import bundled_models, reference_latencies, references_of

TABLE = reference_latencies()


def architectures(model: str) -> list[str]:
    return sorted(references_of(model, TABLE)["architecture"].unique())


def test_the_table_is_in_base_units_and_every_row_has_a_source() -> None:
    table = schema.check(reference_latencies(), schema.REFERENCES)
    assert table["latency_s"].between(0.0005, 10).all()
    said = ["architecture", "publisher", "hardware", "source", "retrieved"]
    assert (table[said].notna() & (table[said] != "")).all().all()
    listed = table["source"].str.startswith("https://coral.ai/models/")
    assert (table["host"].isna() == listed).all()
    assert (table["harness"].isna() == listed).all()
    assert table.loc[listed, "note"].notna().all()
    assert table["source"].str.startswith("https://").all()
    assert table["retrieved"].str.fullmatch(r"\d{4}-\d\d-\d\d").all()
    assert set(table["hardware"]) == {"Edge TPU", "CPU"}
    assert table.loc[table["hardware"] == "CPU", "link"].isna().all()


def test_no_latency_is_there_twice() -> None:
    assert not TABLE.duplicated(["architecture", "publisher", "hardware", "host"]).any()


def test_a_stem_belongs_to_one_architecture_and_states_the_resolution_that_the_row_has() -> None:
    named = TABLE.dropna(subset=["stem"])
    assert (named.groupby("stem")["architecture"].nunique() == 1).all()
    digits = named[named["stem"].str.contains(r"_\d{3}$")]
    assert len(digits) > 50
    assert (digits["stem"].str[-3:] == digits["resolution_px"].astype("str")).all()


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("stem == 'mobilenet_v1_1.0_224' and publisher == 'Coral'", [0.0024, 0.0024, 0.053, 0.164]),
        ("architecture == 'ResNet-152 V2'", [0.128, 0.151, 1.823, 5.499]),
        ("architecture == 'EfficientNet-EdgeTpu-M'", [0.0087, 0.0106, 8.469, 1.081]),
        ("architecture == 'Inception v4' and host == 'Raspberry Pi 3 B+'", [1.05494]),
        ("architecture == 'SSD MobileNet v2 face' and host == 'Dev Board'", [0.00778]),
        ("architecture == 'MobileNet v2' and host == 'Raspberry Pi 4 B'", [0.004548063964998619]),
    ],
)
def test_figures_are_those_of_the_source(query: str, seconds: list[float]) -> None:
    assert TABLE.query(query)["latency_s"].tolist() == seconds


def test_the_table_cannot_be_changed_by_a_caller() -> None:
    mine = reference_latencies()
    mine["latency_s"] = 0.0
    assert (reference_latencies()["latency_s"] > 0).all()


@pytest.mark.parametrize(
    ("model", "architecture"),
    [
        ("mobilenet_v2_1.0_224_quant_edgetpu", "MobileNet v2"),
        ("mobilenet_v2_1.0_224_quant", "MobileNet v2"),
        ("mobilenet_v2_1.0_224_quant_edgetpu@0123abcd", "MobileNet v2"),
        ("mobilenet_v2_1.0_224_quant@0123abcd", "MobileNet v2"),
        ("tf2_mobilenet_v2_1.0_224_ptq", "MobileNet v2"),
        ("tf2_mobilenet_v1_1.0_224_ptq_edgetpu", "MobileNet v1"),
        ("mobilenet_v1_1.0_224_int8", "MobileNet v1"),
        ("Mobilenet_V1_1.0_224_quant", "MobileNet v1"),
        ("inception_v1_224_quant", "Inception v1"),
        ("inception_v4_299_quant_edgetpu", "Inception v4"),
        ("efficientnet-edgetpu-S_quant_edgetpu", "EfficientNet-EdgeTpu-S"),
        ("ssd_mobilenet_v1_coco_quant_postprocess_edgetpu", "SSD MobileNet v1 COCO"),
        ("ssd_mobilenet_v2_face_quant_postprocess", "SSD MobileNet v2 face"),
        ("ssd_mobilenet_v2_coco_quant_postprocess_edgetpu", "SSD MobileNet v2 COCO"),
        ("tf2_ssd_mobilenet_v2_coco17_ptq_edgetpu", "SSD MobileNet v2 COCO, TensorFlow 2"),
        ("tf2_ssd_mobilenet_v1_fpn_640x640_coco17_ptq", "SSD/FPN MobileNet v1 COCO"),
        ("ssdlite_mobiledet_coco_qat_postprocess_edgetpu", "SSDLite MobileDet"),
        ("efficientdet_lite0_320_ptq_edgetpu", "EfficientDet-Lite0"),
        ("efficientnet-edgetpu-L_quant_edgetpu", "EfficientNet-EdgeTpu-L"),
        ("mobilenet_v1_0.25_128_quant", "MobileNet v1 0.25"),
        ("keras_post_training_unet_mv2_128_quant", "Unet Mv2"),
    ],
)
def test_a_file_is_known_by_the_names_that_coral_and_tensorflow_give(model: str, architecture: str) -> None:
    assert architectures(model) == [architecture]


@pytest.mark.parametrize(
    "model",
    [
        "mobilenet_v1_0.25_224_quant",
        "mobilenet_v1_0.75_224_quant",
        "mobilenet_v2_1.0_192_quant",
        "mobilenet_v2_1.0_224",  # TensorFlow's float model
        "mobilenet_v2_1.0_224_edgetpu",
        "mobilenet_v2_quant",
        "mobilenet_v2_1.0_224_quant@mine",
        "mobilenet_v2_1.0_224_inat_bird_quant",
        "mobilenet_v3_1.0_224_quant",
        "my_mobilenet_v2_1.0_224_quant",
        "mobilenet_v2_1.0_224_quant_postprocess",
        "mobilenet_v2_1.0_224_quant_quant",
        "mobilenet_v2_1x0_224_quant",
        "tf2_mobilenet_v3_edgetpu_1.0_224_ptq",
        "inception_v4_224_quant",
        "inception_v2_224_quant",
        "tfhub_tf2_resnet_50_imagenet_ptq",  # 224x224, where the page has 299x299
        "ssd_mobilenet_v2_coco_quant",
        "efficientdet_lite0_384_ptq",
        "ssd_mobilenet_v1_coco_quant",
        "deeplabv3_mnv2_pascal_quant",
        "densenet_224_quant",
        "_quant",
        "_quant_edgetpu",
        "quant",
        "",
    ],
)
def test_a_file_of_another_width_resolution_type_or_head_has_no_reference(model: str) -> None:
    assert architectures(model) == []


def test_no_bundled_model_has_a_reference() -> None:
    assert [name for name in bundled_models() if architectures(name)] == []


def test_a_row_without_a_stem_is_no_match_for_a_model_without_one() -> None:
    nameless = TABLE[TABLE["stem"].isna()]
    assert len(nameless) > 0
    assert references_of("", nameless).empty
    assert references_of("nan_quant", nameless).empty


def test_the_architecture_can_be_named_where_the_file_says_nothing() -> None:
    rows = references_of("detector", TABLE, of="mobilenet v2 ssd")
    assert set(rows["architecture"]) == {"MobileNet v2 SSD"}
    assert len(rows) == 4
    # what is said counts, and not what the file is called
    assert set(references_of("inception_v1_224_quant", TABLE, of="VGG16")["architecture"]) == {"VGG16"}


def test_an_unknown_architecture_is_met_with_near_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown reference model 'MobileNet v3': did you mean .*MobileNet v2"):
        references_of("mine", TABLE, of="MobileNet v3")


def test_another_table_is_refused() -> None:
    with pytest.raises(SchemaError, match="a REFERENCES table needs the columns stem"):
        references_of("mine", TABLE.drop(columns="stem"))
