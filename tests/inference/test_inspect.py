"""What a model consists of, against models whose numbers are computed by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tflite

from tests.inference._models import Graph
from tpukit import paths, schema
from tpukit.errors import ModelLoadError
from tpukit.inference import ModelInfo, _graph, inspect_model
from tpukit.workloads import bundled_models


@pytest.fixture
def inspected(tmp_path: Path) -> Callable[..., ModelInfo]:
    """Return a function that inspects a model of one operator: the first input varies, the rest are constants."""

    def inspect(
        kind: str, shapes: list[list[int]], out: list[int], options: Any = None, *, varies: int = 0
    ) -> ModelInfo:
        graph = Graph()
        reads = [
            graph.tensor(f"t{at}", shape, data=None if at == varies else np.ones(shape))
            for at, shape in enumerate(shapes)
        ]
        y = graph.tensor("y", out)
        graph.op(kind, reads, [y], options)
        path = tmp_path / "one.tflite"
        path.write_bytes(graph.content([reads[varies]], [y]))
        return inspect_model(path)

    return inspect


def matmul(*, adj_x: bool, adj_y: bool) -> tflite.BatchMatMulOptionsT:
    options = tflite.BatchMatMulOptionsT()
    options.adjX, options.adjY = adj_x, adj_y
    return options


@pytest.mark.parametrize(
    ("kind", "shapes", "out", "macs", "parameters"),
    [
        # 8 x 8 places, 16 filters, each of 3 x 3 x 3
        ("CONV_2D", [[1, 8, 8, 3], [16, 3, 3, 3], [16]], [1, 8, 8, 16], 8 * 8 * 16 * 27, 16 * 27 + 16),
        # stride 2: a quarter of the places
        ("CONV_2D", [[1, 8, 8, 3], [16, 3, 3, 3], [16]], [1, 4, 4, 16], 4 * 4 * 16 * 27, 16 * 27 + 16),
        # two groups: each filter sees half of the six channels
        ("CONV_2D", [[1, 8, 8, 6], [16, 3, 3, 3], [16]], [1, 8, 8, 16], 8 * 8 * 16 * 27, 16 * 27 + 16),
        ("DEPTHWISE_CONV_2D", [[1, 8, 8, 6], [1, 3, 5, 6], [6]], [1, 8, 8, 6], 8 * 8 * 6 * 15, 6 * 15 + 6),
        ("FULLY_CONNECTED", [[1, 8], [4, 8], [4]], [1, 4], 32, 36),
        ("FULLY_CONNECTED", [[5, 8], [4, 8], [4]], [5, 4], 160, 36),
        ("ADD", [[1, 8], [1, 8]], [1, 8], 0, 8),
    ],
)
def test_multiply_accumulates_and_parameters_of_one_operator(
    kind: str, shapes: list[list[int]], out: list[int], macs: int, parameters: int, inspected: Callable[..., ModelInfo]
) -> None:
    info = inspected(kind, shapes, out)
    assert (info.macs, info.parameters, info.parameter_bytes) == (macs, parameters, 4 * parameters)
    (op,) = schema.check(info.ops, schema.OPS).drop(columns=["mapped", "reason", "time_s"]).to_dict("records")
    moved = 4 * (np.prod(shapes[0]) + np.prod(out))
    assert op == {
        "model": "one", "op": 0, "type": kind, "shape": "x".join(map(str, out)), "dtype": "float32", "macs": macs,
        "parameters": parameters, "parameter_bytes": 4 * parameters, "activation_bytes": moved,
        "moved_bytes": moved + 4 * parameters, "intensity": 2 * macs / (moved + 4 * parameters),
    }  # fmt: skip


def test_a_transposed_convolution_counts_each_input_element(inspected: Callable[..., ModelInfo]) -> None:
    # inputs are the output's shape, the kernel and what varies: 5 x 5 x 3 elements, each into 4 filters of 2 x 2
    info = inspected("TRANSPOSE_CONV", [[4], [4, 2, 2, 3], [1, 5, 5, 3]], [1, 10, 10, 4], varies=2)
    assert info.macs == 5 * 5 * 3 * 4 * 2 * 2


@pytest.mark.parametrize(
    ("kind", "shapes", "varies", "parameters"),
    [
        ("TRANSPOSE_CONV", [[4], [4, 2, 2, 3], [1, 5, 5, 3]], 2, 48),  # the output's shape, the kernel
        ("TRANSPOSE_CONV", [[4], [4, 2, 2, 3], [1, 5, 5, 3], [4]], 2, 52),  # and a bias
        ("BATCH_TO_SPACE_ND", [[4, 2, 2, 1], [2], [2, 2]], 0, 0),
        ("CUMSUM", [[1, 8], []], 0, 0),
        ("GATHER", [[9, 8], [3]], 1, 72),  # an embedding: the table is weights
        ("GATHER", [[9, 8], [3]], 0, 0),
        ("GATHER_ND", [[9, 8], [3, 1]], 0, 0),
        ("PAD", [[1, 8], [2, 2]], 0, 0),
        ("PADV2", [[1, 8], [2, 2], []], 0, 0),
        ("REDUCE_ALL", [[1, 8], [1]], 0, 0),
        ("REDUCE_ANY", [[1, 8], [1]], 0, 0),
        ("REVERSE_V2", [[1, 8], [1]], 0, 0),
        ("SPLIT", [[], [1, 8]], 1, 0),
        ("SPLIT_V", [[1, 8], [2], []], 0, 0),
        ("STRIDED_SLICE", [[1, 8], [2], [2], [2]], 0, 0),
        ("TOPK_V2", [[1, 8], []], 0, 0),
    ],
)
def test_what_only_arranges_data_is_no_parameter(
    kind: str, shapes: list[list[int]], varies: int, parameters: int, inspected: Callable[..., ModelInfo]
) -> None:
    info = inspected(kind, shapes, [1, 8], varies=varies)
    assert (info.parameters, info.parameter_bytes) == (parameters, 4 * parameters)


def test_every_operator_and_place_of_the_map_is_of_the_schema() -> None:
    assert set(_graph._SHAPING) <= vars(tflite.BuiltinOperator).keys()
    assert set(_graph._DEPTH) | _graph._UNKNOWN_MACS <= vars(tflite.BuiltinOperator).keys()


def test_an_input_that_was_left_out_keeps_its_place(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.tensor("x", [1, 8]), graph.tensor("y", [1, 8])
    ends = graph.tensor("ends", [2], "int32", data=np.ones(2))
    graph.op("STRIDED_SLICE", [x, -1, ends, -1], [y])
    (tmp_path / "m.tflite").write_bytes(graph.content([x], [y]))
    assert inspect_model(tmp_path / "m.tflite").parameters == 0


def test_parameters_of_every_subgraph_count_once(tmp_path: Path) -> None:
    main, other = Graph(), Graph()
    other._model = main._model
    x, z = main.tensor("x", [1, 8]), other.tensor("z", [1, 8])
    y = main.dense("y", x, np.ones((4, 8)))
    out = other.dense("own", z, np.ones((3, 8)))
    shared = other.tensor("shared", [4, 8], data=np.zeros((4, 8)))
    other._graph.tensors[shared].buffer = main._graph.tensors[1].buffer
    other._graph.inputs, other._graph.outputs = np.array([z], np.int32), np.array([out], np.int32)
    main._model.subgraphs.append(other._graph)
    (tmp_path / "m.tflite").write_bytes(main.content([x], [y]))
    info = inspect_model(tmp_path / "m.tflite")
    assert (info.parameters, info.parameter_bytes) == (4 * 8 + 3 * 8, 4 * (4 * 8 + 3 * 8))
    assert info.ops["shape"].tolist() == ["1x4"]


@pytest.mark.parametrize("adj_x", [False, True])
@pytest.mark.parametrize("adj_y", [False, True])
def test_a_batched_product_counts_its_depth_however_it_lies(
    adj_x: bool, adj_y: bool, inspected: Callable[..., ModelInfo]
) -> None:
    left, right = [2, 4, 3] if adj_x else [2, 3, 4], [2, 5, 4] if adj_y else [2, 4, 5]
    assert inspected("BATCH_MATMUL", [left, right], [2, 3, 5], matmul(adj_x=adj_x, adj_y=adj_y)).macs == 2 * 3 * 5 * 4


def test_what_nobody_can_count_is_missing(model_file: Callable[..., Path], inspected: Callable[..., ModelInfo]) -> None:
    info = inspect_model(model_file("custom_op", code="my-op"))
    assert info.ops["type"].tolist() == ["CUSTOM:my-op"]
    assert info.ops["macs"].isna().all()
    assert info.macs is None
    assert inspected("SVDF", [[1, 8], [4, 8]], [1, 4]).macs is None


def test_inputs_outputs_and_quantisation_are_told(model_file: Callable[..., Path]) -> None:
    path = model_file("quantised")
    info = inspect_model(path)
    (x,), (y,) = info.inputs, info.outputs
    assert (x.name, x.shape, x.dtype, x.scale, x.zero_point) == ("x", (1, 4), "int8", 0.5, -10)
    assert (y.name, y.shape, y.dtype, y.scale, y.zero_point) == ("y", (1, 4), "int8", 1.0, 0)
    # 16 weights of one byte and 4 biases of four
    assert (info.parameters, info.parameter_bytes, info.macs) == (20, 32, 16)
    assert (info.name, info.size_bytes) == ("quantised", path.stat().st_size)
    unscaled = inspect_model(model_file("dense")).inputs[0]
    assert (unscaled.scale, unscaled.zero_point, unscaled.size_bytes) == (None, None, 32)


def test_operators_come_in_order_with_what_each_moves(model_file: Callable[..., Path]) -> None:
    info = inspect_model(model_file("two_by_two"))
    assert info.ops["op"].tolist() == [0, 1]
    assert info.ops["shape"].tolist() == ["1x3", "1x2"]
    assert info.ops["macs"].tolist() == [12, 12]
    assert info.ops["activation_bytes"].tolist() == [4 * (4 + 3), 4 * (6 + 2)]
    assert ([tensor.name for tensor in info.inputs], [tensor.name for tensor in info.outputs]) == (
        ["a", "b"],
        ["p", "q"],
    )


def test_an_operator_that_reads_nothing_is_listed(tmp_path: Path) -> None:
    graph = Graph()
    x, resource = graph.tensor("x", [1, 4]), graph.tensor("v", [], "int32")
    graph.op("VAR_HANDLE", [], [resource], tflite.VarHandleOptionsT())
    graph._graph.operators[0].inputs = None
    y = graph.dense("y", x, np.eye(4))
    (tmp_path / "m.tflite").write_bytes(graph.content([x], [y]))
    assert inspect_model(tmp_path / "m.tflite").ops["type"].tolist() == ["VAR_HANDLE", "FULLY_CONNECTED"]


def test_an_operator_that_points_at_nothing_is_damage(tmp_path: Path) -> None:
    graph = Graph()
    x, y = graph.tensor("x", [1, 4]), graph.tensor("y", [1, 4])
    graph.op("ADD", [x, 99], [y])
    (tmp_path / "m.tflite").write_bytes(graph.content([x], [y]))
    with pytest.raises(ModelLoadError, match=r"^model m is damaged"):
        inspect_model(tmp_path / "m.tflite")


MANIFEST = json.loads((paths.bundled("datasets/models") / "models.json").read_text())


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["name"])
def test_a_bundled_model_is_what_its_manifest_says(entry: dict[str, Any]) -> None:
    info = inspect_model(entry["name"])
    assert (info.sha256, info.size_bytes, info.macs) == (entry["sha256"], entry["size_bytes"], entry["macs"])
    assert inspect_model(bundled_models()[entry["name"]].path).sha256 == info.sha256
