"""What an Edge TPU is predicted to run: of MobileNetV2 as published, and of graphs made to break each rule."""

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tflite
from hypothesis import given
from hypothesis import strategies as st

from tests.inference import _models
from tests.inference._mobilenet import mobilenet_v2
from tpukit import schema
from tpukit.inference import Model, ModelInfo, inspect_model
from tpukit.inference._graph import Graph
from tpukit.inference._mapping import COMPILED_OP, predict_mapping
from tpukit.inference._mapping_notes import mapping_notes
from tpukit.inference._mapping_rules import SUPPORTED, Operand, Operator, obstacle

DENSE_INTS = np.zeros((4, 8), np.int8)


def inspected(content: bytes) -> ModelInfo:
    return inspect_model(Model(name="m", content=content, sha256=""))


def read_graph(content: bytes) -> Graph:
    flat = tflite.ModelT.InitFromPackedBuf(content, 0)
    return Graph("m", flat, flat.subgraphs[0])


def operand(
    index: int, shape: tuple[int, ...] = (1, 8), dtype: str = "int8", *, values: Any = None, parameter_bytes: int = 0
) -> Operand:
    constant = None if values is None else np.asarray(values)
    return Operand(index=index, shape=shape, dtype=dtype, values=constant, parameter_bytes=parameter_bytes)


def chain(*kinds: str) -> list[Operator]:
    """Operators one after the other, each reading what the one before wrote."""
    return [
        Operator(type=kind, reads=(operand(at),), writes=(operand(at + 1),), macs=10) for at, kind in enumerate(kinds)
    ]


def test_mobilenet_v2_as_published_is_mapped_whole() -> None:
    info = inspected(mobilenet_v2())
    assert info.macs == 300_774_272
    assert Counter(info.ops["type"]) == {
        "CONV_2D": 35, "DEPTHWISE_CONV_2D": 17, "ADD": 10, "MEAN": 1, "FULLY_CONNECTED": 1, "SOFTMAX": 1,
    }  # fmt: skip
    assert (len(info.ops), int(info.ops["mapped"].sum()), info.mapping.macs_share) == (65, 65, 1.0)
    assert info.ops["reason"].isna().all()
    # 3,504,872 trained parameters of the paper's network, batch normalisation folded: weights of 1 byte, biases of 4
    assert (info.mapping.parameter_bytes, info.mapping.streamed_bytes) == (info.parameter_bytes, 0)
    assert info.notes[0] == "Edge TPU, predicted: 65 of 65 operators mapped, with 100 % of the multiply-accumulates."
    assert info.notes[1:] == ("Its 3.38 MiB of parameters fit in about 8 MiB on the chip.",)


def test_its_float32_twin_is_not_mapped_at_all_and_the_note_says_once_why() -> None:
    info = inspected(mobilenet_v2("float32"))
    assert (info.macs, int(info.ops["mapped"].sum()), info.mapping.first_break) == (300_774_272, 0, None)
    assert set(info.ops["reason"]) == {"works on float32, not on 8 bits"}
    assert len(info.notes) == 2
    assert info.notes[1].startswith("It is not quantised: it works on float32")


def test_a_free_batch_leaves_operators_that_end_the_subgraph_and_the_trap_is_named() -> None:
    info = inspected(mobilenet_v2(free_batch=True))
    assert (len(info.ops), int(info.ops["mapped"].sum())) == (69, 63)
    assert info.mapping.first_break == 63
    assert info.ops["type"][63] == "SHAPE"
    assert info.ops["reason"][66] == "its shape is computed while the model runs"
    assert info.ops["reason"].tolist()[67:] == ["after op 63 SHAPE, which is not mapped"] * 2
    (trap,) = [note for note in info.notes if note.startswith("Trap:")]
    assert "leaves SHAPE, STRIDED_SLICE, PACK in the graph" in trap
    assert "batch_shape=(1, …)" in trap


def test_one_unsupported_operator_in_the_middle_keeps_all_after_it_on_the_processor() -> None:
    info = inspected(mobilenet_v2(odd_block=5))
    at = info.ops["type"].tolist().index("NEG")
    assert info.mapping.first_break == at
    assert info.mapping.mapped == (True,) * at + (False,) * (66 - at)
    assert info.ops["reason"][at] == "the Edge TPU has no NEG"
    assert info.ops["reason"].tolist()[at + 1 :] == [f"after op {at} NEG, which is not mapped"] * (65 - at)
    share = info.ops["macs"][:at].sum() / info.macs
    assert info.mapping.macs_share == pytest.approx(share)
    assert f"Op {at} NEG ends the subgraph: the Edge TPU has no NEG; {65 - at} operators that it could" in info.notes[1]


def test_parameters_over_the_chips_memory_are_streamed() -> None:
    weights = operand(1, (4000, 3000), values=np.zeros((1, 1), np.int8), parameter_bytes=12_000_000)
    dense = Operator(
        type="FULLY_CONNECTED", reads=(operand(0, (1, 3000)), weights), writes=(operand(2, (1, 4000)),), macs=12_000_000
    )
    found = predict_mapping([dense])
    assert (found.parameter_bytes, found.streamed_bytes) == (12_000_000, 12_000_000 - 8 * 2**20)
    assert mapping_notes([dense], found)[1] == (
        "Of its 11.4 MiB of parameters about 8 MiB stay on the chip; the host sends the other 3.44 MiB in every "
        "inference."
    )
    assert predict_mapping([dense], on_chip_bytes=12_000_000).streamed_bytes == 0


def test_a_model_that_is_compiled_already_hides_what_it_does() -> None:
    info = inspected(_models.custom_op())
    assert info.ops["type"].tolist() == [COMPILED_OP]
    assert (info.mapping.compiled, info.mapping.mapped) == (True, (True,))
    (note,) = info.notes
    assert note.startswith("Compiled for the Edge TPU: 1 of 1 operator is edgetpu-custom-op, in which nothing can be ")
    assert note.endswith("Inspect the file that it was compiled from.")
    partly = predict_mapping(chain(COMPILED_OP, "ELU"))
    assert partly.reasons == (None, "the compiler left it to the processor")


def test_what_runs_first_on_the_processor_ends_no_subgraph() -> None:
    # float in, float out: the compiler leaves QUANTIZE and DEQUANTIZE to the processor and maps what is between
    x, y = operand(0, dtype="float32"), operand(3, dtype="float32")
    operators = [
        Operator(type="QUANTIZE", reads=(x,), writes=(operand(1),)),
        Operator(type="LOGISTIC", reads=(operand(1),), writes=(operand(2),)),
        Operator(type="DEQUANTIZE", reads=(operand(2),), writes=(y,)),
    ]
    found = predict_mapping(operators)
    assert found.mapped == (False, True, False)
    assert found.first_break == 2


def test_a_branch_that_waits_for_nothing_is_mapped_though_it_comes_later() -> None:
    operators = [
        Operator(type="ELU", reads=(operand(1),), writes=(operand(2),)),
        Operator(type="TANH", reads=(operand(0),), writes=(operand(3),)),
        Operator(type="ADD", reads=(operand(2), operand(3)), writes=(operand(4),)),
    ]
    first = Operator(type="RELU", reads=(operand(0),), writes=(operand(1),))
    found = predict_mapping([first, *operators])
    assert found.mapped == (True, False, True, False)
    assert found.reasons[3] == "after op 1 ELU, which is not mapped"


@given(st.lists(st.sampled_from(["RELU", "TANH", "ELU", "GATHER"]), max_size=12))
def test_a_chain_is_mapped_from_its_first_supported_operator_to_the_next_that_is_not(kinds: list[str]) -> None:
    supported = [kind in SUPPORTED for kind in kinds]
    start = supported.index(True) if any(supported) else len(kinds)
    end = next((at for at in range(start, len(kinds)) if not supported[at]), len(kinds))
    found = predict_mapping(chain(*kinds))
    assert found.mapped == tuple(start <= at < end for at in range(len(kinds)))
    assert found.first_break == (end if end < len(kinds) else None)
    assert [reason is None for reason in found.reasons] == list(found.mapped)
    if kinds:
        assert found.macs_share == (end - start) / len(kinds)


def test_a_share_that_is_almost_all_is_not_said_to_be_all() -> None:
    first, last = chain("RELU", "ELU")
    operators = [replace(first, macs=99_999), replace(last, macs=1)]
    assert "with 99.9 % of the multiply-accumulates" in mapping_notes(operators, predict_mapping(operators))[0]


def test_a_free_size_is_named_whether_or_not_operators_come_of_it() -> None:
    free = replace(operand(0), free=True)
    slices = Operator(type="PACK", reads=(free,), writes=(operand(1),), options={"axis": 1})
    trap = mapping_notes([slices], predict_mapping([slices]))[-1]
    assert trap.startswith("Trap: a size is free (-1 in a shape signature); the Edge TPU's compiler may refuse")


def test_nothing_is_said_of_work_that_is_unknown() -> None:
    unknown = Operator(type="RELU", reads=(operand(0),), writes=(operand(1),), macs=None)
    assert predict_mapping([unknown]).macs_share is None
    assert predict_mapping([]).macs_share is None
    assert mapping_notes([], predict_mapping([])) == ("Edge TPU, predicted: 0 of 0 operators mapped.",)


AXES = {axis: operand(1, (1,), "int32", values=[axis]) for axis in (0, 1, 3, -1, -4)}
CUBE = operand(0, (1, 4, 4, 8))


@pytest.mark.parametrize(
    ("kind", "reads", "out", "options", "reason"),
    [
        ("RELU", (operand(0, dtype="int16"),), (1, 8), {}, "works on int16, not on 8 bits"),
        ("RELU", (operand(0, (2, 4, 4, 8)),), (2, 4, 4, 8), {}, "2x4x4x8 has more than its 3 inner axes above 1"),
        ("MAX_POOL_2D", (CUBE,), (1, 2, 2, 8), {"fusedActivationFunction": 1}, "has a fused activation"),
        ("MAX_POOL_2D", (CUBE,), (1, 2, 2, 8), {"fusedActivationFunction": 0}, None),
        ("CONV_2D", (CUBE,), (1, 4, 4, 8), {"dilationWFactor": 2, "dilationHFactor": 1}, "dilates by 2 in x and by 1"),
        ("DEPTHWISE_CONV_2D", (CUBE,), (1, 4, 4, 8), {"dilationWFactor": 2, "dilationHFactor": 2}, None),
        ("CONV_2D", (CUBE, operand(1)), (1, 4, 4, 8), {}, "its weights are no constants"),
        ("FULLY_CONNECTED", (operand(0),), (1, 8), {"weightsFormat": 1}, "has shuffled weights"),
        ("FULLY_CONNECTED", (operand(0, (5, 8)),), (5, 8), {}, "its output 5x8 is no single row"),
        ("CONCATENATION", (CUBE, operand(1, values=[0, 0])), (1, 8), {}, None),
        ("CONCATENATION", (CUBE, operand(1, values=[0, 1])), (1, 8), {}, "joins a constant that is not zeros"),
        ("CONCATENATION", (CUBE, CUBE, operand(1, values=[0])), (1, 8), {}, "joins a constant that is not zeros"),
        ("MEAN", (CUBE, AXES[1]), (1, 4, 8), {}, None),
        ("MEAN", (CUBE, AXES[-4]), (4, 4, 8), {}, "reduces the batch"),
        ("MEAN", (CUBE, AXES[-1]), (1, 4, 4), {}, None),
        ("MEAN", (operand(0, (1, 4, 4, 6)), AXES[3]), (1, 4, 4), {}, "reduces a depth of 6, no multiple of 4"),
        ("MEAN", (operand(0, (1, 4, 4, 6)), AXES[1]), (1, 4, 6), {}, None),
        ("SUM", (CUBE, AXES[0]), (4, 4, 8), {}, "reduces the batch"),
        ("REDUCE_MAX", (CUBE, AXES[3]), (1, 4, 4), {}, None),
        ("PACK", (operand(0),), (1, 1, 8), {"axis": -3}, "packs along the batch"),
        ("PACK", (operand(0),), (1, 1, 8), {"axis": 1}, None),
        ("PAD", (CUBE, operand(1, (4, 2), "int32", values=[[0, 1], [0, 0]])), (2, 4, 4, 8), {}, "pads the batch"),
        ("PAD", (CUBE, operand(1, (4, 2), "int32", values=[[0, 0], [1, 1]])), (1, 6, 4, 8), {}, None),
        ("PAD", (CUBE, operand(1, (4, 2), "int32", values=[[1, 0], [0, 0]])), (1, 4, 4, 8), {}, "pads the batch"),
        ("SPLIT", (AXES[0], operand(0)), (1, 8), {}, "splits the batch"),
        ("SPLIT", (AXES[-1], operand(0)), (1, 4), {}, None),
        ("PRELU", (CUBE, operand(1, (4, 4, 8), values=[0])), (1, 4, 4, 8), {}, "alpha is more than one row"),
        ("SOFTMAX", (operand(0, (1, 16_000)),), (1, 16_000), {}, None),
        ("SOFTMAX", (operand(0, (1, 16_001)),), (1, 16_001), {}, "16001 elements are over 16000"),
        ("SOFTMAX", (operand(0, (4, 10)),), (4, 10), {}, "its output 4x10 is no single row"),
        ("STRIDED_SLICE", (CUBE, AXES[0], AXES[0], operand(3, values=[1, 2])), (1, 8), {}, "strides are not all 1"),
        ("STRIDED_SLICE", (CUBE, AXES[0], AXES[0], AXES[1]), (1, 8), {"newAxisMask": 1}, "has an ellipsis or a new"),
        ("STRIDED_SLICE", (CUBE, AXES[0], AXES[0], AXES[1]), (1, 8), {"ellipsisMask": 1}, "has an ellipsis or a new"),
        ("STRIDED_SLICE", (CUBE, AXES[0], AXES[0], AXES[1]), (1, 8), {"newAxisMask": 0}, None),
        ("BATCH_MATMUL", (CUBE,), (1, 8), {}, "the Edge TPU has no BATCH_MATMUL"),
    ],
)
def test_each_limit_of_corals_table(
    kind: str, reads: tuple[Operand, ...], out: tuple[int, ...], options: dict[str, Any], reason: str | None
) -> None:
    found = obstacle(Operator(type=kind, reads=reads, writes=(operand(9, out),), options=options))
    assert (found is None) if reason is None else (found is not None and reason in found)


def test_every_operator_of_the_table_is_of_the_schema() -> None:
    assert set(SUPPORTED) <= vars(tflite.BuiltinOperator).keys()


def test_bytes_intensity_and_verdict_stand_in_the_table() -> None:
    ops = schema.check(inspected(_models.quantised(4)).ops, schema.OPS)
    (row,) = ops.to_dict("records")
    # 4 bytes in, 4 out, 16 weights and 4 biases of 4 bytes; 16 multiply-accumulates
    assert (row["moved_bytes"], row["intensity"], row["mapped"]) == (40, 32 / 40, True)
    assert math.isnan(row["time_s"])
    unknown = inspected(_models.custom_op("my-op")).ops.iloc[0]
    assert math.isnan(unknown["intensity"])
    assert (unknown["mapped"], unknown["reason"]) == (False, "the Edge TPU has no CUSTOM:my-op")


def test_the_state_of_an_lstm_may_have_16_bits() -> None:
    # as TFLite quantises it: the state of the cell is int16, the rest int8
    graph = _models.Graph()
    x, y = graph.tensor("x", [1, 5, 8], "int8", scale=(0.1, 0)), graph.tensor("y", [1, 5, 4], "int8", scale=(0.1, 0))
    state = graph.tensor("cell", [1, 4], "int16")
    graph._graph.tensors[state].isVariable = True
    graph.op("UNIDIRECTIONAL_SEQUENCE_LSTM", [x, state], [y])
    (lstm,) = read_graph(graph.content([x], [y])).operators()
    assert obstacle(lstm) is None
    graph._graph.tensors[state].isVariable = False
    (other,) = read_graph(graph.content([x], [y])).operators()
    assert obstacle(other) == "works on int16, not on 8 bits"


def test_weights_that_alone_are_quantised_are_named() -> None:
    graph = _models.Graph()
    x, y = graph.tensor("x", [1, 8]), graph.tensor("y", [1, 4])
    weights = graph.tensor("w", [4, 8], "int8", data=DENSE_INTS, scale=(0.1, 0))
    graph.op("FULLY_CONNECTED", [x, weights, -1], [y])
    assert inspected(graph.content([x], [y])).notes[1].startswith("Only its weights are quantised: it works on float32")
