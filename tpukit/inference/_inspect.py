"""What a TFLite model consists of, read from its file without running it."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tpukit import schema
from tpukit.errors import ModelLoadError
from tpukit.inference._graph import Graph
from tpukit.inference._interpreter import InterpreterSession, open_interpreter
from tpukit.inference._mapping import EdgeTPUMapping, predict_mapping
from tpukit.inference._mapping_notes import mapping_notes
from tpukit.inference._model import Model, read_model
from tpukit.inference._types import Tensor

# what reading meets where an index or enumeration of the file points at nothing: LiteRT checks offsets only
_DAMAGE = (AttributeError, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelInfo:
    """A model's identity, tensors and operators.

    `parameters` are the weights and biases of all subgraphs, in elements, each once however often it is read. `ops` is
    an OPS table of the first subgraph, which is what an inference runs. `weights` says whether they were trained.
    `mapping` is what an Edge TPU is predicted to run of those operators, `notes` say the same in sentences. `compiler`
    is a COMPILED table where a log of the Edge TPU's compiler was held against it.
    """

    name: str
    sha256: str
    size_bytes: int
    weights: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: int
    parameter_bytes: int
    ops: pd.DataFrame
    mapping: EdgeTPUMapping
    notes: tuple[str, ...] = ()
    compiler: pd.DataFrame | None = None

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one inference; None where an operator's are unknown."""
        return None if self.ops["macs"].isna().any() else int(self.ops["macs"].sum())


def inspect_model(model: str | Path | Model) -> ModelInfo:
    """Return what a `.tflite` model consists of; `model` is a file or the name of a bundled model.

    Multiply-accumulates follow from the shapes: output elements times the kernel's for convolutions, times the depth
    of the product for matrix products. Constants that only say how to arrange data (axes, paddings, shapes, indices)
    are no parameters. Raises UnknownNameError, or ModelLoadError where it is no such model.

    >>> info = inspect_model("digits_cnn_int8")
    >>> info.inputs[0].shape, info.inputs[0].dtype
    ((1, 8, 8, 1), 'int8')
    """
    read = read_model(model)
    try:
        inputs, outputs = _verified(read)
        graphs = _graphs(read)
        rows, operators = graphs[0].rows(), graphs[0].operators()
        parameters = {buffer: sizes for graph in graphs for buffer, sizes in graph.parameters().items()}
    except _DAMAGE as error:
        raise ModelLoadError(f"model {read.name} is damaged: {error}") from error
    mapping = predict_mapping(operators)
    predicted = zip(rows, mapping.mapped, mapping.reasons, strict=True)
    return ModelInfo(
        name=read.name,
        sha256=read.sha256,
        size_bytes=read.size_bytes,
        weights=read.weights,
        inputs=inputs,
        outputs=outputs,
        parameters=sum(elements for elements, _ in parameters.values()),
        parameter_bytes=sum(size_bytes for _, size_bytes in parameters.values()),
        ops=schema.frame([row | {"mapped": mapped, "reason": why} for row, mapped, why in predicted], schema.OPS),
        mapping=mapping,
        notes=mapping_notes(operators, mapping),
    )


def _verified(model: Model) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    # LiteRT checks every offset of the file, which the Python schema does not
    session = InterpreterSession(open_interpreter(model, threads=1, resolver="BUILTIN_REF"))
    return session.inputs, session.outputs


def _graphs(model: Model) -> list[Graph]:
    from ai_edge_litert import schema_py_generated as tflite

    flat = tflite.ModelT.InitFromPackedBuf(model.content, 0)
    return [Graph(model.name, flat, subgraph) for subgraph in flat.subgraphs]
