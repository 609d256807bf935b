"""What makers state of their accelerators, and what a user states besides."""

from pathlib import Path

import pytest

from tpukit import schema
from tpukit.errors import ConfigError
from tpukit.inference import accelerators, stated_peaks
from tpukit.inference._hardware import own_accelerators

HEADER = ",".join(schema.ACCELERATORS.names)


def state(home: Path, *rows: str, header: str = HEADER) -> None:
    home.mkdir(exist_ok=True)
    (home / "accelerators.csv").write_text("\n".join([header, *rows]) + "\n")


def test_every_row_has_a_rate_and_a_source(tmp_path: Path) -> None:
    table = schema.check(accelerators(tmp_path), schema.ACCELERATORS)
    assert (table["ops_per_s"] > 0).all()
    assert (table["bytes_per_s"] > 0).all()
    assert table["source"].str.len().min() > 10
    assert not table.duplicated(["hardware", "dtype"]).any()
    assert (table.groupby("hardware")["kinds"].nunique() == 1).all()


@pytest.mark.parametrize("kind", ["TPU v5 lite", "TPU v5e", "tpu v5E"])
def test_a_kind_is_known_by_all_its_names(kind: str, tmp_path: Path) -> None:
    found = stated_peaks(kind, home=tmp_path)
    assert found.ops_per_s == {"bfloat16": 197e12, "int8": 393e12}
    assert found.bandwidth(10**9) == 819e9
    assert found.source == "Cloud TPU v5e (as stated by its maker)"


@pytest.mark.parametrize(
    ("kind", "hardware", "dtype", "ops_per_s", "bytes_per_s"),
    [
        ("TPU v2", "Cloud TPU v2 core", "bfloat16", 46e12 / 2, 700e9 / 2),
        ("TPU v3", "Cloud TPU v3 core", "bfloat16", 123e12 / 2, 900e9 / 2),
        ("TPU v4", "Cloud TPU v4", "int8", 275e12, 1200e9),
        ("TPU v4 lite", "TPU v4i", "bfloat16", 138e12, 614e9),
        ("TPU v5", "Cloud TPU v5p", "bfloat16", 459e12, 2765e9),
        ("TPU v5p", "Cloud TPU v5p", "int8", 918e12, 2765e9),
        ("TPU v6 lite", "Cloud TPU v6e", "bfloat16", 918e12, 1640e9),
        ("TPU v6e", "Cloud TPU v6e", "int8", 1836e12, 1640e9),
        ("TPU7x", "Cloud TPU7x core", "float8_e4m3fn", 4614e12 / 2, 7.4e12 / 2),
        ("NVIDIA H100 80GB HBM3", "NVIDIA H100 SXM", "bfloat16", 1979e12 / 2, 3350e9),
        ("NVIDIA H200", "NVIDIA H200 SXM", "int8", 3958e12 / 2, 4800e9),
        ("NVIDIA A100-SXM4-40GB", "NVIDIA A100 40 GB", "float32", 156e12, 1555e9),
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 80 GB SXM", "int8", 624e12, 2039e9),
        ("Tesla T4", "NVIDIA T4", "float16", 65e12, 320e9),
    ],
)
def test_what_jax_calls_hardware_leads_to_its_row(
    kind: str, hardware: str, dtype: str, ops_per_s: float, bytes_per_s: float, tmp_path: Path
) -> None:
    found = stated_peaks(kind, home=tmp_path)
    assert found.source == f"{hardware} (as stated by its maker)"
    assert (found.ops_per_s[dtype], found.bandwidth(10**9)) == (ops_per_s, bytes_per_s)


def test_no_kind_stands_for_two(tmp_path: Path) -> None:
    table = accelerators(tmp_path)
    kinds = table.drop_duplicates("hardware")["kinds"].str.lower().str.split("|").explode()
    assert not kinds.duplicated().any()


def test_several_chips_add_up(tmp_path: Path) -> None:
    found = stated_peaks("TPU v5p", chips=4, home=tmp_path)
    assert found.ops_per_s["bfloat16"] == 4 * 459e12
    assert found.bandwidth(1) == 4 * 2765e9
    assert found.source.startswith("4 × Cloud TPU v5p")
    one = stated_peaks("edgetpu usb3", home=tmp_path)
    assert stated_peaks("edgetpu usb3", chips=2, home=tmp_path).resident_bytes == 2 * one.resident_bytes > 0


def test_a_user_adds_and_corrects(tmp_path: Path) -> None:
    before = accelerators(tmp_path)
    state(tmp_path, "Cloud TPU v5e,TPU v5e,int8,1e12,2e9,0,16e9,mine", "NPU,npu one,int8,3e12,4e9,5,,mine")
    assert stated_peaks("TPU v5e", home=tmp_path).ops_per_s == {"int8": 1e12}
    assert stated_peaks("NPU One", home=tmp_path).resident_bytes == 5
    assert len(accelerators(tmp_path)) == len(before)  # two rows of the v5e less, two of the user's more


def test_an_unknown_kind_says_where_to_state_it(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"no peaks are known of .* 'abacus': add a row for it to .*accelerators\.csv"
    ):
        stated_peaks("abacus", home=tmp_path)


@pytest.mark.parametrize(
    ("header", "row", "why"),
    [
        ("a,b", "1,2", "hardware"),
        (HEADER, "X,x,int8,fast,1,0,,me", "fast"),
        (HEADER, "X,x,int8,0,1,0,,me", r"ops_per_s is 0\.0, where a number above 0 is expected"),
        (HEADER, "X,x,int8,1,inf,0,,me", "bytes_per_s is inf"),
    ],
)
def test_a_file_that_is_no_such_table_is_named(header: str, row: str, why: str, tmp_path: Path) -> None:
    state(tmp_path, row, header=header)
    with pytest.raises(ConfigError, match=rf"^{tmp_path}/accelerators\.csv is no table of accelerators: .*{why}"):
        stated_peaks("x", home=tmp_path)


@pytest.mark.parametrize("gap", ["kinds", "dtype", "ops_per_s", "bytes_per_s", "resident_bytes", "source"])
def test_a_row_with_a_gap_is_refused_by_its_column(gap: str, tmp_path: Path) -> None:
    row = dict(zip(schema.ACCELERATORS.names, ["mine", "mine", "int8", "1e12", "1e9", "0", "", "by hand"], strict=True))
    state(tmp_path / "whole", ",".join(row.values()))
    assert stated_peaks("mine", home=tmp_path / "whole").arithmetic("int8") == 1e12
    state(tmp_path / "gap", ",".join((row | {gap: ""}).values()))
    with pytest.raises(ConfigError, match=rf"is no table of accelerators: a row has no {gap};"):
        stated_peaks("mine", home=tmp_path / "gap")


def test_a_home_that_cannot_be_entered_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, **options: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refused)
    with pytest.raises(ConfigError, match=r"accelerators\.csv cannot be read: Permission denied"):
        own_accelerators(tmp_path)


def test_without_a_home_there_are_no_rows_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert own_accelerators(tmp_path / "none").empty
    assert own_accelerators(tmp_path / "file").empty
