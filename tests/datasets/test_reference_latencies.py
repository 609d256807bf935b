"""datasets/reference_latencies.csv is what the README says."""

import csv
import hashlib
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path

from tpukit import schema

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
CONTENT = (DATASETS / "reference_latencies.csv").read_bytes()
ROWS = list(csv.DictReader(CONTENT.decode().splitlines()))
SECTIONS = (DATASETS / "README.md").read_text().split("\n## ")
(README,) = [section for section in SECTIONS if section.startswith("reference_latencies.csv\n")]

#: Both sources, read and written down apart from the data set, in milliseconds: Coral's page by its columns ...
CORAL_COLUMNS = (("CPU", "desktop"), ("Edge TPU", "desktop"), ("CPU", "embedded"), ("Edge TPU", "Dev Board"))
CORAL_MS = {
    "Unet Mv2": "27.7 3.3 190.7 5.7", "DeepLab V3": "394 52 1139 241", "DenseNet": "380 20 1032 25",
    "Inception v1": "90 3.4 392 4.1", "Inception v4": "700 85 3157 102", "Inception-ResNet V2": "753 57 2852 69",
    "MobileNet v1": "53 2.4 164 2.4", "MobileNet v2": "51 2.6 122 2.6", "MobileNet v1 SSD": "109 6.5 353 11",
    "MobileNet v2 SSD": "106 7.2 282 14", "ResNet-50 V1": "484 49 1763 56", "ResNet-50 V2": "557 50 1875 59",
    "ResNet-152 V2": "1823 128 5499 151", "SqueezeNet": "55 2.1 232 2", "VGG16": "867 296 4595 343",
    "VGG19": "1060 308 5538 357", "EfficientNet-EdgeTpu-S": "5431 5.1 705 5.5",
    "EfficientNet-EdgeTpu-M": "8469 8.7 1081 10.6",
}  # fmt: skip
#: ... Coral's two lists of models ...
LISTED_MS = {
    "object-detection": {
        "SSD MobileNet v1 COCO": "6.5", "SSD/FPN MobileNet v1 COCO": "229.4", "SSD MobileNet v2 COCO": "7.3",
        "SSD MobileNet v2 COCO, TensorFlow 2": "7.6", "SSD MobileNet v2 face": "5.2", "SSDLite MobileDet": "9.1",
        "EfficientDet-Lite0": "37.4", "EfficientDet-Lite1": "56.3",
    },
    "all": {"EfficientNet-EdgeTpu-L": "21.3", "Inception v3": "42.8", "MobileNet v1 0.25": "0.9"},
}  # fmt: skip
#: ... and pycoral's files by their lines.
PYCORAL_MODELS = (
    "Inception v1", "Inception v4", "SSD MobileNet v1 COCO", "SSD MobileNet v2 face", "MobileNet v1", "MobileNet v2",
)  # fmt: skip
PYCORAL_MS = {
    "x86_64": "3.06 84.25 10.02 5.36 2.17 2.29",
    "aarch64": "4.0 100.33 14.83 7.78 2.22 2.56",
    "rp3b": "19.21 1060.16 62.6 39.39 9.22 10.77",
    "rp3b%2B": "18.94 1054.94 57.68 38.75 9.0 10.61",
    "rp4b": "6.212595004999457 141.1971434499992 15.089709284998207 9.305470129997957 4.203926894997494 "
    "4.548063964998619",
}


def test_the_readme_states_rows_bytes_and_checksum() -> None:
    (stated,) = re.findall(r"\| reference_latencies\.csv \| (\d+) \| (\d+) \| `([0-9a-f]{64})` \|", README)
    assert stated == (str(len(ROWS)), str(len(CONTENT)), hashlib.sha256(CONTENT).hexdigest())


def test_the_readme_names_every_column_and_publisher() -> None:
    assert re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE) == list(ROWS[0]) == schema.REFERENCES.names
    stated = {name: int(rows) for name, rows in re.findall(r"^\| (Coral|pycoral) \| (\d+) \|", README, re.MULTILINE)}
    assert stated == Counter(row["publisher"] for row in ROWS)


def test_sources_are_those_of_the_readme() -> None:
    sources = {(row["publisher"], re.sub(r"[^/]*$", "", row["source"])) for row in ROWS}
    revision = "08ad3209497518e8a7d5df863ce51d5b47af7d82"
    assert sources == {
        ("Coral", "https://coral.ai/docs/edgetpu/benchmarks/"),
        ("Coral", "https://coral.ai/models/"),
        ("pycoral", f"https://github.com/google-coral/pycoral/blob/{revision}/benchmarks/reference/"),
    }
    assert len({row["source"] for row in ROWS if row["publisher"] == "pycoral"}) == 5


def test_corals_figures_are_those_of_its_page() -> None:
    found = {
        (row["architecture"], row["hardware"], row["host"]): Decimal(row["latency_s"]) * 1000
        for row in ROWS
        if row["source"].endswith("/benchmarks/")
    }
    assert found == {
        (name, *where): Decimal(value)
        for name, values in CORAL_MS.items()
        for where, value in zip(CORAL_COLUMNS, values.split(), strict=True)
    }


def test_the_lists_figures_are_those_of_the_lists() -> None:
    found = {
        (row["source"].rpartition("/models/")[2], row["architecture"]): Decimal(row["latency_s"]) * 1000
        for row in ROWS
        if "/models/" in row["source"]
    }
    assert found == {(page, name): Decimal(ms) for page, models in LISTED_MS.items() for name, ms in models.items()}


def test_pycorals_figures_are_those_of_its_five_files() -> None:
    found = {
        (re.findall(r"reference_(.*)\.csv", row["source"])[0], row["architecture"]): Decimal(row["latency_s"]) * 1000
        for row in ROWS
        if row["publisher"] == "pycoral"
    }
    assert found == {
        (machine, name): Decimal(value)
        for machine, values in PYCORAL_MS.items()
        for name, value in zip(PYCORAL_MODELS, values.split(), strict=True)
    }
