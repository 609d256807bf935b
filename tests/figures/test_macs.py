import json

import pandas as pd
import pytest

from tests.figures._frames import ops, title
from tpukit import figures, schema
from tpukit.errors import SchemaError

MOBILE = ops("mobile", ("CONV_2D", 6_000_000), ("DEPTHWISE_CONV_2D", 1_400_000), ("CONV_2D", 100_000), ("SOFTMAX", 0))
AUTO = ops("auto", ("FULLY_CONNECTED", 250_000))


def test_names_the_model_with_most_work_beside_the_least() -> None:
    fig = figures.plot_macs(pd.concat([AUTO, MOBILE]))
    assert title(fig) == "mobile needs 7.5 million multiply-accumulates an inference, 30 times the 250 thousand of auto"


def test_one_model_and_equal_models() -> None:
    assert title(figures.plot_macs(AUTO)) == "auto needs 250 thousand multiply-accumulates an inference"
    both = pd.concat([AUTO, AUTO.assign(model="b").astype({"model": "str"})])
    assert title(figures.plot_macs(both)) == "Both models need 250 thousand multiply-accumulates an inference"
    unit = ops("unit", ("MUL", 1))
    assert title(figures.plot_macs(unit)) == "unit needs 1 multiply-accumulate an inference"


def test_models_that_share_the_first_place_are_named() -> None:
    twins = [ops(name, ("CONV_2D", 2_000)) for name in ("b", "a")]
    fig = figures.plot_macs(pd.concat([*twins, ops("c", ("CONV_2D", 1_000))]))
    assert title(fig) == ("a and b need 2 thousand multiply-accumulates each an inference, 2 times the 1 thousand of c")
    more = figures.plot_macs(pd.concat([*twins, ops("d", ("CONV_2D", 2_000)), ops("c", ("ADD", 0))]))
    assert title(more) == "a and 2 others need 2 thousand multiply-accumulates each an inference, c none"


def test_work_that_is_unknown_is_not_taken_for_none() -> None:
    custom = ops("custom", ("CONV_2D", 9_000_000), ("CUSTOM:nms", None))
    fig = figures.plot_macs(pd.concat([MOBILE, AUTO, custom]))
    assert title(fig) == (
        "mobile needs 7.5 million multiply-accumulates an inference, 30 times the 250 thousand of auto; "
        "the work of 1 model is not fully known"
    )
    assert " 9 million + 1 operator unknown" in fig.data[-1].text
    assert title(figures.plot_macs(custom)) == (
        "custom needs 9 million multiply-accumulates an inference at least: 1 operator cannot be counted"
    )


def test_a_model_that_does_no_work() -> None:
    assert title(figures.plot_macs(ops("idle", ("ADD", 0)))) == "idle needs no multiply-accumulates an inference"
    assert figures.plot_macs(ops("idle", ("ADD", 0))).to_json()


def test_almost_equal_work_and_work_that_cannot_be_compared() -> None:
    near = pd.concat([ops("a", ("CONV_2D", 1_000_000)), ops("b", ("CONV_2D", 1_004_000))])
    assert (
        title(figures.plot_macs(near)) == "b needs 1 million multiply-accumulates an inference, at most 1 % more than a"
    )
    unknown = pd.concat([ops(name, ("CUSTOM:x", None)) for name in ("a", "b")])
    assert title(figures.plot_macs(unknown)) == "The work of 2 models is not fully known, so it cannot be compared"


def test_bars_stack_the_types_of_operators() -> None:
    fig = figures.plot_macs(pd.concat([AUTO, MOBILE]))
    bars = {bar.name: list(bar.x) for bar in fig.data if bar.type == "bar"}
    assert bars == {"CONV_2D": [6_100_000, 0], "DEPTHWISE_CONV_2D": [1_400_000, 0], "FULLY_CONNECTED": [0, 250_000]}
    assert list(fig.layout.yaxis.ticktext) == ["mobile", "auto"]
    assert fig.layout.barmode == "stack"
    assert list(fig.data[-1].text) == [" 7.5 million", " 250 thousand"]


def test_the_same_table_gives_the_same_figure_in_any_order_of_models() -> None:
    first = figures.plot_macs(pd.concat([AUTO, MOBILE])).to_json()
    assert figures.plot_macs(pd.concat([MOBILE, AUTO], ignore_index=True)).to_json() == first
    assert "bdata" not in first, "numbers that nbval compares stay readable"
    assert json.loads(first)["data"][0]["x"] == [6_100_000, 0]


def test_a_model_given_twice_does_no_more_work() -> None:
    assert figures.plot_macs(pd.concat([AUTO, AUTO])).to_json() == figures.plot_macs(AUTO).to_json()


def test_nothing_and_wrong_tables() -> None:
    fig = figures.plot_macs(schema.frame([], schema.OPS))
    assert title(fig) == "Nothing to show: no operator was given"
    assert fig.layout.yaxis.visible is False
    with pytest.raises(SchemaError, match="OPS table needs the columns macs"):
        figures.plot_macs(AUTO.drop(columns="macs"))
