"""datasets/reference_latencies.csv is what the README says."""

import csv
import hashlib
import re
from collections import Counter
from pathlib import Path

from tpukit import schema

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
CONTENT = (DATASETS / "reference_latencies.csv").read_bytes()
ROWS = list(csv.DictReader(CONTENT.decode().splitlines()))
SECTIONS = (DATASETS / "README.md").read_text().split("\n## ")
(README,) = [section for section in SECTIONS if section.startswith("reference_latencies.csv\n")]


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
        ("pycoral", f"https://github.com/google-coral/pycoral/blob/{revision}/benchmarks/reference/"),
    }
    assert len({row["source"] for row in ROWS if row["publisher"] == "pycoral"}) == 5
