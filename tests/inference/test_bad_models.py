"""Files that are no models: an error of ours, and never the end of the interpreter."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.inference import _models
from tpukit.errors import ModelLoadError, UnknownNameError
from tpukit.inference import Model, benchmark, inspect_model, read_model

TRY = """
import sys
import numpy as np
from pathlib import Path
from tpukit.errors import DeviceError, ModelLoadError
from tpukit.inference import Model, get_device, inspect_model
from tpukit.inference._inputs import random_samples

def run(model):
    for device in ("cpu", "reference"):
        session = get_device(device).load(model, threads=1, batch=1)
        session.bind(random_samples(session.inputs, np.random.default_rng(0)))(0)

def refused(content):
    model = Model(name="broken", content=content, sha256="0")
    found = []
    for attempt in (inspect_model, run):
        try:
            attempt(model)
        except ModelLoadError as error:
            assert "\\n" not in str(error)
            found.append(attempt)
    return len(found) == 2

content = Path(sys.argv[1]).read_bytes()
"""
TRUNCATED = """
for length in [*range(8, len(content), max(1, len(content) // 150)), len(content) - 1]:
    if not refused(content[:length]):
        print("accepted", length)
"""
FLIPPED = """
rng = np.random.default_rng(0)
for place, bit in zip(rng.integers(8, len(content), 200), rng.integers(0, 8, 200)):
    flipped = bytearray(content)
    flipped[place] ^= 1 << bit
    try:
        refused(bytes(flipped))
    except DeviceError:
        pass  # it loads, and fails when it is run
"""


@pytest.fixture
def child(tmp_path: Path, child_environment: dict[str, str]) -> Callable[[str, bytes], str]:
    """Return a function that runs `TRY` and a script on a model in another process, and returns what it printed."""

    def run(script: str, content: bytes) -> str:
        path = tmp_path / "model.tflite"
        path.write_bytes(content)
        command = [sys.executable, "-c", TRY + script, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=child_environment)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return run


@pytest.mark.parametrize("name", ["dense", "quantised", "two_by_two", "digits_cnn_int8"])
def test_a_truncated_model_is_refused_at_every_length(name: str, child: Callable[[str, bytes], str]) -> None:
    content = read_model(name).content if name.startswith("digits") else getattr(_models, name)()
    assert child(TRUNCATED, content) == ""


def test_a_flipped_bit_ends_in_a_model_or_in_an_error_of_ours(child: Callable[[str, bytes], str]) -> None:
    assert child(FLIPPED, _models.quantised()) == ""


@pytest.mark.parametrize("use", [inspect_model, benchmark], ids=["inspect", "benchmark"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"^model .*broken\.tflite is empty: expected a \.tflite file or a JAX export$"),
        (b"x", r"^model broken is not a TFLite file: its bytes 4 to 8 are not TFL3$"),
        (b"\x89PNG\r\n\x1a\n" * 99, r"^model broken is not a TFLite file"),
        (b"\x1c\x00\x00\x00TFL3", r"^model broken is damaged or truncated: "),
        (b"\x1c\x00\x00\x00TFL3" + b"\xff" * 999, r"^model broken is damaged or truncated: "),
    ],
)
def test_what_is_no_model_says_so(content: bytes, message: str, use: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelLoadError, match=message):
        use(path)


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=rf"^cannot read model {tmp_path}/m\.tflite: No such file or directory$"):
        read_model(tmp_path / "m.tflite")
    with pytest.raises(ModelLoadError, match=rf"^cannot read model {tmp_path}: Is a directory$"):
        read_model(tmp_path)
    # a path, although it looks like a name
    with pytest.raises(ModelLoadError, match=r"^cannot read model resnet99: "):
        read_model(Path("resnet99"))


@pytest.mark.parametrize("name", ["m" * 300 + ".tflite", "m" * 300, Path("m" * 300)], ids=["file", "name", "path"])
def test_a_name_too_long_for_the_system_is_a_model_that_cannot_be_read(name: str | Path) -> None:
    with pytest.raises(ModelLoadError, match=r"^cannot read model m{300}(\.tflite)?: File name too long$"):
        read_model(name)


def test_a_path_is_shown_on_one_line_whatever_it_holds(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"^cannot read model a\?b\.tflite: embedded null"):
        read_model("a\0b.tflite")
    with pytest.raises(ModelLoadError, match=r"^cannot read model a\?b\.tflite: No such file or directory$"):
        read_model("a\nb.tflite")
    (tmp_path / "a\nb").write_bytes(b"")
    with pytest.raises(ModelLoadError, match=r"a\?b is empty: expected a \.tflite file or a JAX export$"):
        read_model(tmp_path / "a\nb")


@pytest.mark.parametrize("name", ["~nobody-of-that-name/m.tflite", "~nobody-of-that-name"])
def test_the_home_of_a_user_who_has_none_is_refused(name: str) -> None:
    expected = f"^cannot read model {name}: its ~ names a user who has no home here; write the whole path$"
    with pytest.raises(ModelLoadError, match=expected):
        read_model(name)


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_an_operator_that_litert_lacks_is_named(device: str, model_file: Callable[..., Path]) -> None:
    with pytest.raises(ModelLoadError, match=r"^model custom_op has an operator that LiteRT lacks: .*my-op"):
        benchmark(model_file("custom_op", code="my-op"), device, duration_s=0.001)


@pytest.mark.parametrize("device", ["cpu", "reference"])
def test_a_model_compiled_for_the_edge_tpu_says_where_it_runs(device: str, model_file: Callable[..., Path]) -> None:
    with pytest.raises(ModelLoadError, match=r"^model compiled: it is compiled for the Edge TPU.*--device edgetpu"):
        benchmark(model_file("compiled"), device, duration_s=0.001)


def test_a_model_is_read_by_name_by_path_or_given(
    model_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model_file("dense", name="mine")
    model = read_model(path)
    assert (model.name, model.content, model.size_bytes, model.data) == (
        "mine",
        path.read_bytes(),
        len(model.content),
        None,
    )
    assert read_model(model) is model
    assert read_model(str(path)) == model
    monkeypatch.chdir(path.parent)
    assert read_model("mine.tflite") == model
    monkeypatch.setenv("HOME", str(path.parent))
    assert read_model("~/mine.tflite") == model
    assert isinstance(read_model("digits_cnn_int8"), Model)
    assert read_model("digits_cnn_int8").data is not None


def test_identity_is_of_the_content_and_not_of_the_name(model_file: Callable[..., Path]) -> None:
    one, same, other = (
        read_model(model_file("dense", name=name, seed=seed)) for name, seed in [("a", 0), ("b", 0), ("c", 1)]
    )
    assert one.sha256 == same.sha256 != other.sha256


def test_no_name_at_all_is_unknown() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown model '': choose one of autoencoder_int8, "):
        read_model("")
