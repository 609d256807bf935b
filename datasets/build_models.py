"""Build the bundled models and their manifest: one model trained on digits, the others untrained.

Run in an environment of its own, for TensorFlow is needed here and nowhere else:

    pip install -r datasets/requirements-build.txt
    python datasets/build_models.py [--out DIR]

DIR (default: `models` beside this script) receives the `.tflite` files, `digits_test.npz` and `models.json`.
Prints one row of the README's table for each model.
"""

import argparse
import contextlib
import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import architectures
import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as tflite
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SEED = 0
EPOCHS = 30
TRAIN_BATCH = 32
TEST_SHARE = 0.3
DIGITS_LEVELS = 16  # a pixel counts the set pixels of a 4x4 block
CALIBRATION_SAMPLES = 200
RANDOM_SAMPLES = 32
BIAS_LIMIT = 0.1
DATA_FILE = "digits_test.npz"
PROJECT_LICENCE = "Apache-2.0"
DIGITS_LICENCE = "Apache-2.0 (weights), CC BY 4.0 (training data)"
MLPERF_TINY = "MLPerf Tiny (arXiv:2106.07597)"
UNTRAINED = "untrained, latency only"
FIXED_BATCH = "untrained, latency only; resizing the batch fails"

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """An untrained architecture, the types to convert it to and its entries in the manifest."""

    name: str
    build: Callable[[], keras.Model]
    types: tuple[str, ...]
    origin: str
    note: str = UNTRAINED


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model's record in the manifest."""

    name: str
    file: str
    sha256: str
    size_bytes: int
    origin: str
    licence: str
    trained: bool
    data: str | None
    accuracy: float | None
    accuracy_n: int | None
    macs: int
    parameters: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Digits:
    """The digits images, values in 0..1, split once by class."""

    train_x: Samples
    train_y: NDArray[np.int64]
    test_x: Samples
    test_y: NDArray[np.int64]


RECIPES = (
    Recipe(
        name="ds_cnn",
        build=architectures.ds_cnn,
        types=("float32", "int8"),
        origin=f"DS-CNN keyword spotting, {MLPERF_TINY}, after Hello Edge (arXiv:1711.07128)",
    ),
    Recipe(
        name="autoencoder",
        build=architectures.autoencoder,
        types=("int8",),
        origin=f"ToyADMOS fully connected autoencoder, {MLPERF_TINY}",
    ),
    Recipe(
        name="resnet8",
        build=architectures.resnet8,
        types=("float32", "int8"),
        origin=f"ResNet-8 for CIFAR-10, {MLPERF_TINY}",
    ),
    Recipe(
        name="vww",
        build=lambda: architectures.mobilenet_v1_025(size=96, classes=2),
        types=("int8",),
        origin=f"Visual Wake Words, MobileNetV1 0.25, {MLPERF_TINY}",
        note=FIXED_BATCH,
    ),
    Recipe(
        name="mobilenet_v1_025",
        build=lambda: architectures.mobilenet_v1_025(size=128, classes=1000),
        types=("int8",),
        origin="MobileNetV1 0.25 128, Howard et al. 2017 (arXiv:1704.04861)",
        note=FIXED_BATCH,
    ),
)


def main() -> None:
    """Build every model into the folder of the command line."""
    out = _arguments().out
    out.mkdir(parents=True, exist_ok=True)
    tf.config.experimental.enable_op_determinism()
    entries = []
    for entry in _entries(out):
        print(_table_row(entry), flush=True)
        entries.append(asdict(entry))
    (out / "models.json").write_text(json.dumps(entries, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent / "models", metavar="DIR")
    return parser.parse_args()


def _entries(out: Path) -> Iterator[Entry]:
    yield from _digits_entries(out)
    for recipe in RECIPES:
        yield from _untrained_entries(recipe, out)


def _digits_entries(out: Path) -> Iterator[Entry]:
    digits = _load_digits()
    np.savez_compressed(out / DATA_FILE, x=digits.test_x, y=digits.test_y)
    model = _train(digits)
    for kind in ("float32", "int8"):
        content = convert(model, kind, digits.train_x[:CALIBRATION_SAMPLES])
        yield _write(
            out / f"digits_cnn_{kind}.tflite",
            content,
            origin="tpukit; UCI Optical Recognition of Handwritten Digits, by scikit-learn's load_digits",
            licence=DIGITS_LICENCE,
            trained=True,
            data=DATA_FILE,
            accuracy=accuracy(content, digits.test_x, digits.test_y),
            accuracy_n=len(digits.test_y),
            note=f"trained for {EPOCHS} epochs on {len(digits.train_y)} images",
        )


def _untrained_entries(recipe: Recipe, out: Path) -> Iterator[Entry]:
    _seed()
    model = recipe.build()
    samples = _random_samples(model)
    _randomise(model, samples)
    for kind in recipe.types:
        yield _write(
            out / f"{recipe.name}_{kind}.tflite",
            convert(model, kind, samples),
            origin=recipe.origin,
            licence=PROJECT_LICENCE,
            trained=False,
            data=None,
            accuracy=None,
            accuracy_n=None,
            note=recipe.note,
        )


def _load_digits() -> Digits:
    x, y = load_digits(return_X_y=True)
    images = (x.reshape(-1, *architectures.DIGITS_SHAPE) / DIGITS_LEVELS).astype(np.float32)
    train_x, test_x, train_y, test_y = train_test_split(
        images, y.astype(np.int64), test_size=TEST_SHARE, random_state=SEED, stratify=y
    )
    return Digits(train_x=train_x, train_y=train_y, test_x=test_x, test_y=test_y)


def _train(digits: Digits) -> keras.Model:
    _seed()
    model = architectures.digits_cnn()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(digits.train_x, digits.train_y, epochs=EPOCHS, batch_size=TRAIN_BATCH, verbose=0)
    return model


def _seed() -> None:
    keras.backend.clear_session()  # restarts the layer names, which the file holds
    keras.utils.set_random_seed(SEED)


def _random_samples(model: keras.Model) -> Samples:
    rng = np.random.default_rng(SEED)
    return rng.uniform(-1, 1, (RANDOM_SAMPLES, *model.input_shape[1:])).astype(np.float32)


def _randomise(model: keras.Model, samples: Samples) -> None:
    # As Keras leaves them, activations shrink from layer to layer, and the converter drops biases of zero.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # the statistics become those of the one batch below
        elif getattr(layer, "use_bias", False):
            layer.bias.assign(keras.random.uniform(layer.bias.shape, -BIAS_LIMIT, BIAS_LIMIT))
    model(samples, training=True)


def convert(model: keras.Model, kind: str, samples: Samples) -> bytes:
    """Return the model as a flatbuffer for a batch of 1; "int8" quantises it by its ranges on `samples`."""
    # With an open batch, shapes are computed while the model runs (SHAPE, STRIDED_SLICE, PACK).
    image = keras.Input(batch_shape=(1, *model.input_shape[1:]), name="input")
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(image, model(image)))
    if kind == "int8":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample[None]] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
    with contextlib.redirect_stdout(io.StringIO()):  # Keras lists the variables it exports
        return converter.convert()


def accuracy(content: bytes, x: Samples, y: NDArray[np.int64]) -> float:
    """Return the share of samples whose largest output is their class."""
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    correct = 0
    for sample, label in zip(x, y, strict=True):
        interpreter.set_tensor(source["index"], _quantised(sample[None], source))
        interpreter.invoke()
        correct += int(interpreter.get_tensor(target["index"])[0].argmax() == label)
    return correct / len(y)


def _quantised(sample: Samples, detail: dict[str, Any]) -> NDArray[Any]:
    if detail["dtype"] == np.float32:
        return sample
    scale, zero = detail["quantization"]
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(sample / scale + zero), limits.min, limits.max).astype(detail["dtype"])


def _write(path: Path, content: bytes, **facts: Any) -> Entry:
    path.write_bytes(content)
    macs, parameters = count(content)
    return Entry(
        name=path.stem,
        file=path.name,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        macs=macs,
        parameters=parameters,
        **facts,
    )


def count(content: bytes) -> tuple[int, int]:
    """Return multiply-accumulates of one inference, and the weights and biases they use."""
    model = tflite.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    kinds = {value: name for name, value in vars(tflite.BuiltinOperator).items() if not name.startswith("_")}
    macs = parameters = 0
    for op in graph.operators:
        kind = kinds[model.operatorCodes[op.opcodeIndex].builtinCode]
        if kind in MACS:
            reads = [tuple(graph.tensors[index].shape) for index in op.inputs if index >= 0]
            macs += int(MACS[kind](reads, tuple(graph.tensors[op.outputs[0]].shape)))
            weights = reads[1:2] + reads[3:] if kind == "TRANSPOSE_CONV" else reads[1:]
            parameters += sum(int(math.prod(shape)) for shape in weights)
    return macs, parameters


Shape = tuple[int, ...]
#: Multiply-accumulates by operator, from the shapes it reads and the shape it writes.
MACS: dict[str, Callable[[list[Shape], Shape], int]] = {
    "CONV_2D": lambda reads, out: math.prod(out) * math.prod(reads[1][1:]),
    "DEPTHWISE_CONV_2D": lambda reads, out: math.prod(out) * math.prod(reads[1][1:3]),
    "FULLY_CONNECTED": lambda reads, out: math.prod(out) * reads[1][-1],
    "TRANSPOSE_CONV": lambda reads, out: math.prod(reads[2]) * math.prod(reads[1][:3]),
}


def _table_row(entry: Entry) -> str:
    state = "trained" if entry.trained else UNTRAINED
    numbers = f"{entry.size_bytes} | {entry.macs} | {entry.parameters}"
    return f"| {entry.file} | {entry.origin} | {entry.licence} | {numbers} | {state} | `{entry.sha256}` |"


if __name__ == "__main__":
    main()
