"""What of a model an Edge TPU would run, in a figure: the sentence, the line, the bars."""

import json

import pandas as pd
import plotly.graph_objects as go
import pytest

from tests.figures._frames import mapped, note, ops, title
from tpukit import figures, schema
from tpukit.errors import SchemaError

WAITS = "after op 2 SHAPE, which is not mapped"
BROKEN = mapped(
    "net",
    ("CONV_2D", 900, None),
    ("MEAN", 0, None),
    ("SHAPE", 0, "the Edge TPU has no SHAPE"),
    ("FULLY_CONNECTED", 99, WAITS),
    ("SOFTMAX", 0, WAITS),
)


def bars(fig: go.Figure, axis: str) -> dict[str, list[int]]:
    """The places of the operators of each side, in the bars (y) or in the strip (y2)."""
    return {trace.name: list(trace.x) for trace in fig.data if (trace.yaxis or "y") == axis}


def test_says_how_much_is_mapped_and_what_ends_it() -> None:
    fig = figures.plot_mapping(BROKEN)
    # 900 of 999 are 90.09 %
    assert title(fig) == (
        "Predicted: an Edge TPU runs 2 of the 5 operators of net and 90 % of the multiply-accumulates; "
        "op 2 SHAPE ends it"
    )
    assert note(fig) == "Op 2: the Edge TPU has no SHAPE."
    assert bars(fig, "y") == bars(fig, "y2") == {"Edge TPU": [0, 1], "processor": [2, 3, 4]}
    assert [shape.x0 for shape in fig.layout.shapes] == [1.5]
    assert [each.text for each in fig.layout.annotations] == ["op 2 SHAPE ends the subgraph"]


def test_every_operator_is_in_the_strip_and_the_work_in_the_bars() -> None:
    fig = figures.plot_mapping(BROKEN)
    by_axis = {axis: [y for trace in fig.data if (trace.yaxis or "y") == axis for y in trace.y] for axis in ("y", "y2")}
    assert by_axis == {"y": [900, 0, 0, 99, 0], "y2": [1] * 5}
    upper, lower = fig.layout.yaxis.domain, fig.layout.yaxis2.domain
    assert lower[0] == 0 < lower[1] < upper[0] < upper[1] == 1


def test_all_and_none() -> None:
    whole = figures.plot_mapping(mapped("net", ("CONV_2D", 5, None), ("ADD", 0, None)))
    assert title(whole) == "Predicted: an Edge TPU runs all 2 operators of net"
    assert len(whole.layout.shapes) == 0
    assert title(figures.plot_mapping(mapped("one", ("ADD", 0, None)))) == (
        "Predicted: an Edge TPU runs the 1 operator of one"
    )
    float32 = "works on float32, not on 8 bits"
    none = figures.plot_mapping(
        mapped("net", ("CONV_2D", 5, float32), ("ELU", 0, "the Edge TPU has no ELU"), ("ADD", 0, float32))
    )
    assert title(none) == "Predicted: an Edge TPU runs none of the 3 operators of net"
    assert note(none) == "2 operators: works on float32, not on 8 bits."
    assert len(none.layout.shapes) == 0


def test_a_share_is_never_rounded_up() -> None:
    almost = mapped("net", ("CONV_2D", 99_999, None), ("ELU", 1, "the Edge TPU has no ELU"))
    assert "and 99.9 % of the multiply-accumulates" in title(figures.plot_mapping(almost))


@pytest.mark.parametrize(
    ("operators", "end"),
    [
        # what the processor runs first ends nothing
        ([("QUANTIZE", "float"), ("CONV_2D", None), ("ADD", None)], None),
        ([("QUANTIZE", "float"), ("CONV_2D", None), ("QUANTIZE", "float"), ("ADD", None)], None),
        ([("QUANTIZE", "float"), ("CONV_2D", None), ("ELU", "no ELU")], 2),
        # one branch goes on
        ([("CONV_2D", None), ("ELU", "no ELU"), ("ADD", "after op 1 ELU, which is not mapped"), ("MUL", None)], 1),
        ([("CONV_2D", None), ("ELU", "no ELU"), ("NEG", "no NEG")], 1),
    ],
)
def test_the_line_stands_at_what_others_wait_for(operators: list[tuple[str, str | None]], end: int | None) -> None:
    fig = figures.plot_mapping(mapped("net", *((kind, 1, reason) for kind, reason in operators)))
    assert [shape.x0 + 0.5 for shape in fig.layout.shapes] == ([] if end is None else [end])


def test_a_compiled_model_is_no_prediction() -> None:
    compiled = mapped(
        "net", ("CUSTOM:edgetpu-custom-op", None, None), ("SOFTMAX", 0, "the compiler left it to the processor")
    )
    fig = figures.plot_mapping(compiled)
    assert title(fig) == "net is compiled for the Edge TPU, which runs 1 of its 2 operators"
    assert note(fig) == "The work of 1 operator is unknown: no bar."
    assert len(fig.layout.shapes) == 0


def compiled(*rows: tuple[str, int, int, int | None]) -> pd.DataFrame:
    """The COMPILED of one model: type, operators, and how many of them were predicted and are mapped."""
    names = ("type", "ops", "predicted", "compiled")
    return schema.frame([{"model": "net"} | dict(zip(names, row, strict=True)) for row in rows], schema.COMPILED)


def test_what_the_compiler_did_is_not_called_a_prediction() -> None:
    as_it_was = mapped("net", ("CONV_2D", 90, None), ("ADD", 10, "Operation not supported"))
    same = figures.plot_mapping(as_it_was, compiled(("CONV_2D", 1, 1, 1), ("ADD", 1, 0, 0)))
    assert title(same) == (
        "The Edge TPU's compiler mapped 1 of the 2 operators of net and 90 % of the multiply-accumulates, as predicted"
    )
    assert len(same.layout.shapes) == 0
    # as many, but others
    other = figures.plot_mapping(as_it_was, compiled(("CONV_2D", 1, 0, 1), ("ADD", 1, 1, 0)))
    assert title(other).endswith("of the multiply-accumulates, predicted 1")
    unknown = as_it_was.assign(mapped=pd.array([None, None], dtype="boolean"))
    silent = figures.plot_mapping(unknown, compiled(("CONV_2D", 1, 1, None), ("ADD", 1, 0, None)))
    assert title(silent) == "The log of the Edge TPU's compiler does not say which operators of net it mapped"
    assert list(bars(silent, "y")) == ["not known"]
    with pytest.raises(SchemaError, match="COMPILED table"):
        figures.plot_mapping(as_it_was, as_it_was)


def test_what_nobody_predicted_is_not_known() -> None:
    fig = figures.plot_mapping(ops("net", ("CONV_2D", 5)))
    assert title(fig) == "What an Edge TPU would run of net is not known"
    assert list(bars(fig, "y")) == ["not known"]


def test_tables_that_it_cannot_show() -> None:
    assert title(figures.plot_mapping(schema.frame([], schema.OPS))) == "Nothing to show: no operator was given"
    with pytest.raises(SchemaError, match="shows one model, and 2 were given: choose one"):
        figures.plot_mapping(pd.concat([BROKEN, ops("other", ("ADD", 0))]))
    with pytest.raises(SchemaError, match="OPS table needs the columns mapped"):
        figures.plot_mapping(BROKEN.drop(columns="mapped"))


def test_names_are_shown_as_they_are_and_numbers_survive_json() -> None:
    fig = figures.plot_mapping(mapped("a<b>", ("CUSTOM:<x>", None, "the Edge TPU has no CUSTOM:<x>")))
    assert "a&lt;b&gt;" in title(fig)
    assert "CUSTOM:&lt;x&gt;" in str(fig.data[0].hovertext)
    assert "unknown work" in str(fig.data[0].hovertext)
    assert json.loads(fig.to_json())["data"]
