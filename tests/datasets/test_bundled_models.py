"""The models of datasets/models are what the manifest and the README say."""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as tflite
from ai_edge_litert.interpreter import Interpreter

from tpukit import inspect_model

DATASETS = Path(__file__).resolve().parents[2] / "datasets"
MODELS = DATASETS / "models"
SECTIONS = (DATASETS / "README.md").read_text().split("\n## ")
(README,) = [section for section in SECTIONS if section.startswith("models/\n")]
MANIFEST = json.loads((MODELS / "models.json").read_text())
ENTRIES = {entry["name"]: entry for entry in MANIFEST}
DIGITS = ["digits_cnn_float32", "digits_cnn_int8"]
TWINS = ["digits_cnn", "ds_cnn", "resnet8"]
FIXED = ["mobilenet_v1_025_int8", "vww_int8"]
KEYS = {
    "name", "file", "sha256", "size_bytes", "origin", "licence", "trained", "data", "accuracy", "accuracy_n",
    "macs", "parameters", "note",
}  # fmt: skip
OPERATORS = {
    "ADD", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "MAX_POOL_2D", "MEAN",
    "RESHAPE", "SOFTMAX",
}  # fmt: skip

# MobileNetV1 0.25: output side over input side, channels in, channels out of its 13 separable convolutions
MOBILENET = [
    (1 / 2, 8, 16),
    (1 / 4, 16, 32),
    (1 / 4, 32, 32),
    (1 / 8, 32, 64),
    (1 / 8, 64, 64),
    (1 / 16, 64, 128),
    *[(1 / 16, 128, 128)] * 5,
    (1 / 32, 128, 256),
    (1 / 32, 256, 256),
]


def mobilenet_macs(size: int, classes: int) -> int:
    stem = (size // 2) ** 2 * 8 * (3 * 3 * 3)
    return stem + sum(int(size * part) ** 2 * (i * 3 * 3 + i * o) for part, i, o in MOBILENET) + 256 * classes


def mobilenet_parameters(classes: int) -> int:
    return (27 + 1) * 8 + sum((9 + 1) * i + (i + 1) * o for _, i, o in MOBILENET) + (256 + 1) * classes


# by hand, layer after layer: output positions x output channels x multiplications for each
MACS = {
    # 3x3 on 8x8 to 16 channels, 3x3 on 8x8 to 32, 3x3 on 4x4 (pooled) to 32, 32 to 10
    "digits_cnn": 8 * 8 * 16 * (3 * 3) + 8 * 8 * 32 * (3 * 3 * 16) + 4 * 4 * 32 * (3 * 3 * 32) + 32 * 10,
    # 10x4 with stride 2 on 49x10 leaves 25x5; four times 3x3 by channel, then 64 to 64; 64 to 12
    "ds_cnn": 25 * 5 * 64 * (10 * 4) + 4 * (25 * 5 * 64 * (3 * 3) + 25 * 5 * 64 * 64) + 64 * 12,
    # 640, four times 128, 8, four times 128, 640
    "autoencoder": 640 * 128 + 3 * 128 * 128 + 128 * 8 + 8 * 128 + 3 * 128 * 128 + 128 * 640,
    "resnet8": 32 * 32 * 16 * (9 * 3 + 2 * 9 * 16)  # stem and first stage
    + 16 * 16 * 32 * (9 * 16 + 9 * 32 + 16)  # second stage with its 1x1 shortcut
    + 8 * 8 * 64 * (9 * 32 + 9 * 64 + 32)  # third stage with its 1x1 shortcut
    + 64 * 10,
    "vww": mobilenet_macs(96, classes=2),
    "mobilenet_v1_025": mobilenet_macs(128, classes=1000),
}
# the same layers, weights and one bias for each output channel
PARAMETERS = {
    "digits_cnn": (9 + 1) * 16 + (9 * 16 + 1) * 32 + (9 * 32 + 1) * 32 + (32 + 1) * 10,
    "ds_cnn": (40 + 1) * 64 + 4 * ((9 + 1) * 64 + (64 + 1) * 64) + (64 + 1) * 12,
    "autoencoder": 641 * 128 + 3 * 129 * 128 + 129 * 8 + 9 * 128 + 3 * 129 * 128 + 129 * 640,
    "resnet8": (27 + 1) * 16
    + 2 * (9 * 16 + 1) * 16
    + (9 * 16 + 1 + 9 * 32 + 1 + 16 + 1) * 32
    + (9 * 32 + 1 + 9 * 64 + 1 + 32 + 1) * 64
    + (64 + 1) * 10,
    "vww": mobilenet_parameters(2),
    "mobilenet_v1_025": mobilenet_parameters(1000),
}


def content(name: str) -> bytes:
    return (MODELS / f"{name}.tflite").read_bytes()


def family(name: str) -> str:
    return name.rpartition("_")[0]


class Session:
    """A model ready to run on float samples."""

    def __init__(self, name: str, *, batch: int = 1) -> None:
        self._interpreter = Interpreter(model_content=content(name), num_threads=1)
        (self.input,) = self._interpreter.get_input_details()
        (self.output,) = self._interpreter.get_output_details()
        if batch != 1:
            self._interpreter.resize_tensor_input(self.input["index"], [batch, *self.input["shape"][1:]])
        self._interpreter.allocate_tensors()

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the output as floats."""
        self._interpreter.set_tensor(self.input["index"], quantised(x, self.input))
        self._interpreter.invoke()
        return floats(self._interpreter.get_tensor(self.output["index"]), self.output)


def quantised(x: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    if detail["dtype"] == np.float32:
        return x
    scale, zero = detail["quantization"]
    return np.clip(np.round(x / scale + zero), -128, 127).astype(np.int8)


def floats(y: np.ndarray, detail: dict[str, Any]) -> np.ndarray:
    if detail["dtype"] == np.float32:
        return y
    scale, zero = detail["quantization"]
    return (y.astype(np.float32) - zero) * np.float32(scale)


def operators(name: str) -> Iterator[tuple[str, list[tuple[int, ...]], tuple[int, ...], set[int]]]:
    """Yield type, shapes read, shape written and types written of each operator."""
    model = tflite.ModelT.InitFromPackedBuf(content(name), 0)
    (graph,) = model.subgraphs
    types = {value: key for key, value in vars(tflite.BuiltinOperator).items() if not key.startswith("_")}
    for op in graph.operators:
        reads = [tuple(map(int, graph.tensors[index].shape)) for index in op.inputs if index >= 0]
        written = [graph.tensors[index] for index in op.outputs]
        kind = types[model.operatorCodes[op.opcodeIndex].builtinCode]
        yield kind, reads, tuple(map(int, written[0].shape)), {tensor.type for tensor in written}


def counted(name: str) -> tuple[int, int]:
    """Return the MACs and parameters of the layers in the file."""
    depth = {
        "CONV_2D": lambda weights: math.prod(weights[1:]),
        "DEPTHWISE_CONV_2D": lambda weights: weights[1] * weights[2],
        "FULLY_CONNECTED": lambda weights: weights[1],
    }
    layers = [(kind, reads, out) for kind, reads, out, _ in operators(name) if kind in depth]
    macs = sum(math.prod(out) * depth[kind](reads[1]) for kind, reads, out in layers)
    return macs, sum(math.prod(shape) for _, reads, _ in layers for shape in reads[1:])


def random_samples(session: Session, n: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (n, *session.input["shape"])).astype(np.float32)


def wilson(successes: int, n: int) -> tuple[float, float]:
    z = 1.959964
    centre = (successes + z * z / 2) / (n + z * z)
    half = z * math.sqrt(successes * (n - successes) / n + z * z / 4) / (n + z * z)
    return centre - half, centre + half


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    with np.load(MODELS / "digits_test.npz", allow_pickle=False) as archive:
        assert set(archive.files) == {"x", "y"}
        return archive["x"], archive["y"]


def test_the_manifest_lists_every_model_once() -> None:
    listed = [entry["file"] for entry in MANIFEST] + ["digits_test.npz", "models.json"]
    assert sorted(path.name for path in MODELS.iterdir()) == sorted(listed)
    assert {family(name) for name in ENTRIES} == set(MACS)


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_are_complete_and_match_their_file(name: str) -> None:
    entry = ENTRIES[name]
    assert set(entry) == KEYS
    assert entry["file"] == f"{name}.tflite"
    assert entry["size_bytes"] == len(content(name))
    assert entry["sha256"] == hashlib.sha256(content(name)).hexdigest()
    assert entry["trained"] is (name in DIGITS)
    assert entry["data"] == ("digits_test.npz" if name in DIGITS else None)
    assert entry["accuracy_n"] == (540 if name in DIGITS else None)
    assert (entry["accuracy"] is None) is (name not in DIGITS)
    assert entry["trained"] or "latency only" in entry["note"]
    assert "Apache-2.0" in entry["licence"]
    assert ("CC BY 4.0" in entry["licence"]) is entry["trained"]


@pytest.mark.parametrize("name", ENTRIES)
def test_the_readme_states_the_manifest(name: str) -> None:
    entry = ENTRIES[name]
    state = "trained" if entry["trained"] else "untrained, latency only"
    facts = [entry[key] for key in ("file", "origin", "licence", "size_bytes", "macs", "parameters")]
    row = f"| {' | '.join(map(str, facts))} | {state} | `{entry['sha256']}` |"
    assert row in README.splitlines()


def test_the_readme_holds_no_other_checksum() -> None:
    data = (MODELS / "digits_test.npz").read_bytes()
    checksum = hashlib.sha256(data).hexdigest()
    stated = re.findall(r"\b[0-9a-f]{64}\b", README)
    assert sorted(stated) == sorted([checksum, *(entry["sha256"] for entry in MANIFEST)])
    assert f"| digits_test.npz | {len(data)} | CC BY 4.0 | `{checksum}` |" in README.splitlines()


@pytest.mark.parametrize("name", DIGITS)
def test_the_readme_states_accuracy_with_its_interval(name: str) -> None:
    share = ENTRIES[name]["accuracy"]
    correct = round(share * 540)
    assert correct / 540 == pytest.approx(share)
    low, high = wilson(correct, 540)
    row = f"| {name}.tflite | {correct} of 540 | {share:.4f} | {low:.4f} to {high:.4f} |"
    assert row in README.splitlines()


def test_digits_are_540_images_in_steps_of_a_sixteenth(digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    assert (x.shape, x.dtype) == ((540, 8, 8, 1), np.float32)
    assert (y.shape, y.dtype) == ((540,), np.int64)
    assert set(np.unique(x * 16)) == set(range(17))
    # a stratified 30 % of 174 to 183 images of each digit is 52 to 55
    counts = np.bincount(y, minlength=10)
    assert len(counts) == 10
    assert counts.min() >= 52
    assert counts.max() <= 55


@pytest.mark.parametrize("name", DIGITS)
def test_digits_are_classified_as_often_as_stated(name: str, digits: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = digits
    session = Session(name)
    share = np.mean([session(image[None]).argmax() == digit for image, digit in zip(x, y, strict=True)])
    assert share >= 0.94
    # kernels of other processors may turn a near tie
    assert share == pytest.approx(ENTRIES[name]["accuracy"], abs=2 / 540 + 1e-9)


@pytest.mark.parametrize("name", ENTRIES)
def test_shapes_are_fixed_to_a_batch_of_one(name: str) -> None:
    session = Session(name)
    for detail in (session.input, session.output):
        assert detail["shape"][0] == 1
        assert list(detail["shape_signature"]) == list(detail["shape"])
        assert -1 not in detail["shape_signature"]


@pytest.mark.parametrize("name", ENTRIES)
def test_every_operator_runs_in_the_type_of_the_name(name: str) -> None:
    dtype = np.dtype(name.rpartition("_")[2])
    session = Session(name)
    assert (session.input["dtype"], session.output["dtype"]) == (dtype, dtype)
    code = {"float32": tflite.TensorType.FLOAT32, "int8": tflite.TensorType.INT8}[dtype.name]
    assert {kind for _, _, _, kinds in operators(name) for kind in kinds} == {code}


@pytest.mark.parametrize("name", ENTRIES)
def test_no_operator_computes_shapes_or_reads_variables(name: str) -> None:
    assert {kind for kind, *_ in operators(name)} <= OPERATORS


@pytest.mark.parametrize("name", ENTRIES)
def test_macs_and_parameters_are_those_of_the_architecture(name: str) -> None:
    by_hand = (MACS[family(name)], PARAMETERS[family(name)])
    assert counted(name) == by_hand
    assert (ENTRIES[name]["macs"], ENTRIES[name]["parameters"]) == by_hand


@pytest.mark.parametrize("name", ENTRIES)
def test_outputs_are_finite_and_depend_on_the_input(name: str) -> None:
    session = Session(name)
    outputs = np.stack([session(x) for x in random_samples(session, 4)])
    assert np.isfinite(outputs).all()
    assert len(np.unique(outputs.reshape(4, -1), axis=0)) > 1


@pytest.mark.parametrize("name", TWINS)
def test_int8_follows_float32(name: str) -> None:
    exact, rounded = Session(f"{name}_float32"), Session(f"{name}_int8")
    samples = np.abs(random_samples(exact, 16))  # digits are quantised for 0..1
    expected = np.stack([exact(x) for x in samples]).ravel()
    actual = np.stack([rounded(x) for x in samples]).ravel()
    assert np.corrcoef(expected, actual)[0, 1] > 0.95


@pytest.mark.parametrize("name", sorted(set(ENTRIES) - set(FIXED)))
def test_a_batch_of_eight_gives_the_outputs_of_eight_single_runs(name: str) -> None:
    single, batched = Session(name), Session(name, batch=8)
    samples = random_samples(single, 8)
    expected = np.concatenate([single(x) for x in samples])
    step = single.output["quantization"][0]  # 0 for floats
    np.testing.assert_allclose(batched(np.concatenate(samples)), expected, rtol=1e-4, atol=1e-6 + step)


@pytest.mark.parametrize("name", FIXED)
def test_a_batch_of_eight_fails_where_the_readme_says_so(name: str) -> None:
    assert f"{name}.tflite" in README.split("It fails for")[1].split(":")[0]
    assert "resizing the batch fails" in ENTRIES[name]["note"]
    with pytest.raises(RuntimeError, match="failed to prepare"):
        Session(name, batch=8)


@pytest.mark.parametrize("entry", MANIFEST, ids=lambda entry: entry["name"])
def test_inspection_counts_the_manifests_parameters_and_macs(entry: dict[str, Any]) -> None:
    info = inspect_model(entry["name"])
    assert (info.parameters, info.macs) == (entry["parameters"], entry["macs"])
