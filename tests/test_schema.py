"""Tables are what they declare, and refuse what is not."""

import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from tpukit import schema
from tpukit.errors import SchemaError

TABLES = {name: table for name, table in vars(schema).items() if isinstance(table, schema.Table)}
COLUMNS = [(table, column) for table in TABLES.values() for column in table.columns]
UNITS = {"_per_s": "1/s", "_s": "s", "_w": "W", "_j": "J", "_hz": "Hz", "_c": "°C"}
TOY = schema.Table(
    name="TOY",
    row="one toy",
    columns=(
        schema.Column(name="name", dtype="str", doc="its name"),
        schema.Column(name="n", dtype="Int64", doc="how many"),
        schema.Column(name="mass_g", dtype="float64", doc="its mass", unit="g"),
        schema.Column(name="sold", dtype="datetime64[us, UTC]", doc="when it was sold", unit="UTC"),
        schema.Column(name="kind", dtype="category", doc="its kind"),
    ),
)


def test_the_tables_of_a_run_are_declared() -> None:
    assert TABLES.keys() >= {"RUNS", "SAMPLES", "RESULTS", "OPS", "DEVICES", "SUITE"}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_documented_and_its_columns_are_unique(name: str) -> None:
    table = TABLES[name]
    assert table.name == name
    assert table.row
    assert len(set(table.names)) == len(table.names) == len(table.columns)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", column.name) and column.doc for column in table.columns)


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{t.name}.{c.name}" for t, c in COLUMNS])
def test_a_unit_stands_in_the_columns_name(table: schema.Table, column: schema.Column) -> None:
    expected = next((unit for suffix, unit in UNITS.items() if column.name.endswith(suffix)), None)
    if expected:
        assert column.unit == expected
    else:
        # bytes are counted; anything else with a unit must say so in its name
        assert column.unit in ("", "UTC")
    if column.name.endswith("_bytes"):
        assert column.dtype == "Int64"


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_frame_has_the_declared_columns_and_types(name: str) -> None:
    df = schema.frame([], TABLES[name])
    assert {c: str(dtype) for c, dtype in df.dtypes.items()} == {c.name: c.dtype for c in TABLES[name].columns}
    assert schema.check(df, TABLES[name]) is df


def test_records_become_typed_columns_in_the_declared_order() -> None:
    df = schema.frame([{"mass_g": 2, "n": 3, "name": "bear"}, {"name": "car", "sold": "2026-01-02T03:04:05Z"}], TOY)
    assert list(df.columns) == TOY.names
    assert [str(dtype) for dtype in df.dtypes] == [column.dtype for column in TOY.columns]
    assert df["name"].tolist() == ["bear", "car"]
    assert (df["n"][0], df["mass_g"][0]) == (3, 2.0)
    assert df["sold"][1] == pd.Timestamp("2026-01-02T03:04:05Z")


def test_what_no_record_has_is_missing_and_not_a_placeholder() -> None:
    row = schema.frame([{"name": "bear"}], TOY).iloc[0]
    assert row[["n", "mass_g", "sold", "kind"]].isna().all()


def test_a_truth_value_that_was_not_given_is_refused_for_it_cannot_be_missing() -> None:
    with pytest.raises(SchemaError, match="column usable of DEVICES must be bool"):
        schema.frame([{"device": "cpu"}], schema.DEVICES)
    with pytest.raises(SchemaError, match="column usable of DEVICES must be bool"):
        schema.frame([{"device": "cpu", "usable": True}, {"device": "gpu"}], schema.DEVICES)


def test_columns_may_be_given_as_arrays() -> None:
    df = schema.frame({"n": np.array([1, 2]), "mass_g": np.array([0.5, 1.5])}, TOY)
    assert df["n"].tolist() == [1, 2]
    assert df["mass_g"].tolist() == [0.5, 1.5]
    assert df["name"].isna().all()


@pytest.mark.parametrize(
    ("records", "unknown"), [([{"nmae": "bear"}], "nmae"), ({"x": [1], "y": [2]}, "x, y"), ([[1, 2]], "0, 1")]
)
def test_an_unknown_column_is_named_beside_the_known_ones(records: object, unknown: str) -> None:
    with pytest.raises(SchemaError, match=f"^TOY has no column {unknown}: it has name, n, mass_g, sold, kind$"):
        schema.frame(records, TOY)


@pytest.mark.parametrize(("column", "value"), [("n", 2.5), ("n", "two"), ("mass_g", "heavy"), ("sold", "yesterday")])
def test_a_value_of_another_type_names_its_column(column: str, value: object) -> None:
    with pytest.raises(SchemaError, match=f"^column {column} of TOY must be "):
        schema.frame([{column: value}], TOY)


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("name", pd.Series([5], dtype="object"), "integer"),
        ("name", pd.Series(["a", 5], dtype="object"), "mixed-integer"),
        ("name", np.array([1.5, np.nan]), "floating"),
        ("name", pd.Categorical([1, 2]), "integer"),
        ("name", pd.Series([b"a"]), "bytes"),
        ("kind", [1, 2], "integer"),
        ("kind", pd.Categorical([1, 2]), "integer"),
    ],
)
def test_a_column_of_text_refuses_what_is_none(column: str, values: object, kind: str) -> None:
    with pytest.raises(SchemaError, match=f"^column {column} of TOY must be (str|category): it holds {kind} values$"):
        schema.frame({column: values}, TOY)


def test_a_record_with_a_number_for_text_or_text_for_a_truth_value_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"^column model of RESULTS must be str: it holds integer values$"):
        schema.frame([{"model": 5}], schema.RESULTS)
    with pytest.raises(SchemaError, match=r"^column usable of DEVICES must be bool: it holds string values$"):
        schema.frame([{"usable": "no"}], schema.DEVICES)


@pytest.mark.parametrize("missing", [[None, np.nan], np.array([np.nan, np.nan]), [pd.NA, None], [None, "a"]])
def test_a_column_of_text_may_be_missing(missing: object) -> None:
    assert schema.frame({"name": missing, "kind": missing}, TOY)[["name", "kind"]].isna().any().all()


def test_numbers_and_stamps_may_come_as_text_for_so_json_and_csv_hold_them() -> None:
    row = schema.frame([{"n": "3", "mass_g": "-Infinity", "sold": "2026-01-02T03:04:05Z"}], TOY).iloc[0]
    assert (row["n"], row["mass_g"]) == (3, -np.inf)


def test_check_names_what_is_missing_unknown_or_of_another_type() -> None:
    df = schema.frame([{"name": "bear", "n": 1}], TOY)
    with pytest.raises(SchemaError, match=r"^a TOY table needs the columns n, kind: build it with schema.frame$"):
        schema.check(df.drop(columns=["n", "kind"]), TOY)
    with pytest.raises(SchemaError, match=r"^a TOY table has no column colour, 7: drop it$"):
        schema.check(df.assign(colour="red").assign(**{"7": 1}).rename(columns={"7": 7}), TOY)
    with pytest.raises(SchemaError, match=r"^column n of a TOY table is int64, expected Int64: "):
        schema.check(df.astype({"n": "int64"}), TOY)


def test_a_frame_of_a_million_rows_takes_little_more_than_its_arrays() -> None:
    rows = 1_000_000
    status = pd.Categorical.from_codes(np.zeros(rows, dtype=np.int8), pd.Index(["ok"], dtype="str"))
    given = {name: np.linspace(0, 1, rows) for name in ("scheduled_s", "start_s", "end_s", "latency_s")}
    size_bytes = rows * (4 * 8 + 3)  # four float64 columns, three of int8 codes
    tracemalloc.start()
    try:
        df = schema.frame({"run_id": status, "status": status, "error": status, **given}, schema.SAMPLES)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 2 * size_bytes
    assert df.memory_usage(index=False, deep=True).sum() < 1.01 * size_bytes
    assert df["status"].dtype == status.dtype
    assert all(np.array_equal(df[name], values) for name, values in given.items())


def test_a_large_integer_beside_a_missing_one_keeps_its_value() -> None:
    table = schema.frame([{"seed": 2**53 + 1}, {"seed": None}], schema.RUNS)
    assert table["seed"].tolist() == [2**53 + 1, pd.NA]


def test_a_truth_value_that_may_be_missing_is_missing_and_nothing_else_becomes_one() -> None:
    mapped = schema.frame([{"op": 0, "mapped": True}, {"op": 1}, {"op": 2, "mapped": False}], schema.OPS)["mapped"]
    assert str(mapped.dtype) == "boolean"
    assert mapped[[0, 2]].tolist() == [True, False]
    assert mapped.isna().tolist() == [False, True, False]
    with pytest.raises(SchemaError, match="column mapped of OPS must be boolean"):
        schema.frame([{"mapped": 1}], schema.OPS)
