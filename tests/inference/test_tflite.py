"""Google's tflite-runtime: the obstacles in its way wherever it is not, and what it measures where it is."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement

from tests.inference import _models
from tests.inference._installed import distribution, untouchable
from tpukit import host
from tpukit.cli import run
from tpukit.errors import DeviceUnavailableError, ModelLoadError
from tpukit.inference import DEVICES, VALID, Device, benchmark, devices, get_device, read_model
from tpukit.inference._inputs import random_samples
from tpukit.inference._tflite import tflite_obstacle
from tpukit.testing import DeviceContract

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
installed = pytest.mark.tflite


@pytest.mark.parametrize(
    ("tflite", "numpy"),
    [("2.14.0", "1.26.4"), ("2.5.0.post1", "1.19.5"), ("2.18.0", "2.4.6"), ("2.18.0", "1.26.4"), ("2.14.0", None)],
)
def test_a_pair_that_fits_has_no_obstacle(tflite: str, numpy: str | None) -> None:
    versions = {"python": "3.11.9", "tflite-runtime": tflite} | ({"numpy": numpy} if numpy else {})
    assert tflite_obstacle(versions) is None


@pytest.mark.parametrize("tflite", ["2.5.0.post1", "2.14.0", "2.17.1"])
@pytest.mark.parametrize("numpy", ["2.0.0rc1", "2.4.6", "10.0"])
@pytest.mark.parametrize("python", ["3.11.9", "3.13.0"])
def test_the_broken_pair_is_named_with_its_remedy(tflite: str, numpy: str, python: str) -> None:
    found = tflite_obstacle({"python": python, "tflite-runtime": tflite, "numpy": numpy})
    assert found is not None
    assert found.startswith(
        f"tflite-runtime {tflite} needs NumPy 1 and would fail with NumPy {numpy}, which is installed: pip install "
    )


def test_the_remedy_is_what_the_extra_asks_for() -> None:
    found = tflite_obstacle({"python": "3.11.9", "tflite-runtime": "2.14.0", "numpy": "2.4.6"})
    told = {each.name: each.specifier for each in map(Requirement, re.findall(r"'([^']+)'", str(found)))}
    extra = {each.name: each.specifier for each in map(Requirement, PROJECT["optional-dependencies"]["tflite"])}
    assert told == {name: specifier for name, specifier in extra.items() if name != "tflite-runtime"}


@pytest.mark.parametrize(
    ("python", "remedy"),
    [
        ("3.11.0rc1", "pip install 'tpukit[tflite]'"),
        (
            "3.12.0",
            "pip install 'tpukit[tflite]' under Python 3.11 or older (here 3.12, for which Google publishes none)",
        ),
        (
            "3.14.2",
            "pip install 'tpukit[tflite]' under Python 3.11 or older (here 3.14, for which Google publishes none)",
        ),
    ],
)
def test_its_absence_says_where_it_can_be_had(python: str, remedy: str) -> None:
    assert tflite_obstacle({"python": python, "numpy": "2.4.6"}) == f"tflite-runtime is not installed: {remedy}"
    marker = next(each.marker for each in map(Requirement, PROJECT["optional-dependencies"]["tflite"]))
    assert marker is not None
    assert marker.evaluate({"python_version": ".".join(python.split(".")[:2])}) == remedy.endswith("]'")


def test_where_it_is_absent_the_table_and_a_run_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(host, "versions", lambda libraries: {"python": "3.13.1", "numpy": "2.4.6"})
    row = devices().set_index("device").loc["tflite"]
    assert (row["usable"], row["about"]) == (False, "this machine's processor, Google's tflite-runtime")
    assert row["reason"].startswith("tflite-runtime is not installed: ")
    with pytest.raises(DeviceUnavailableError, match=r"^tflite-runtime is not installed: "):
        get_device("tflite").load(read_model("digits_cnn_int8"), threads=1, batch=1)
    assert run(["bench", "digits_cnn_int8", "--device", "tflite"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_broken_pair_is_found_before_anything_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, "tflite-runtime", "2.14.0")
    distribution(tmp_path, "numpy", "2.1.3")
    untouchable(tmp_path, "tflite_runtime/__init__.py", "tflite_runtime/interpreter.py")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "tflite_runtime"]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(DeviceUnavailableError, match=r"^tflite-runtime 2\.14\.0 needs NumPy 1 .* NumPy 2\.1\.3"):
        get_device("tflite").runtime()


@installed
class TestTFLite(DeviceContract):
    def device(self) -> Device:
        return DEVICES["tflite"]

    def model(self) -> str:
        return "digits_cnn_int8"


@installed
class TestTFLiteWithSeveralInputs(DeviceContract):
    @pytest.fixture(autouse=True)
    def _file(self, model_file: Callable[..., Path]) -> None:
        self._path = model_file("two_by_two")

    def device(self) -> Device:
        return DEVICES["tflite"]

    def model(self) -> Path:
        return self._path


@installed
@pytest.mark.parametrize(
    ("name", "steps"),
    # the autoencoder's ten layers follow one another, and each rounds its products
    [("digits_cnn_float32", 0), ("autoencoder_int8", 2), ("ds_cnn_int8", 1), ("resnet8_int8", 1)],
)
def test_it_agrees_with_litert_in_one_process(name: str, steps: int) -> None:
    sessions = [DEVICES[device].load(read_model(name), threads=1, batch=1) for device in ("tflite", "reference")]
    samples = random_samples(sessions[0].inputs, np.random.default_rng(0))[:16]
    queries = [session.bind(samples) for session in sessions]
    varied = set()
    for index in range(len(samples)):
        for theirs, plain in zip(*[query(index) for query in queries], strict=True):
            varied.add(plain.tobytes())
            if steps:
                assert np.abs(theirs.astype(int) - plain.astype(int)).max() <= steps
            else:
                np.testing.assert_allclose(theirs, plain, rtol=1e-4, atol=1e-5)
    assert len(varied) > 1


@installed
def test_it_is_measured_by_the_same_rules(private_home: Path) -> None:
    mine, litert = (benchmark("digits_cnn_int8", device, duration_s=0.05) for device in ("tflite", "cpu"))
    assert mine.verdict == VALID
    assert mine.run[["device", "runtime"]].iloc[0].tolist() == [
        "tflite", f"tflite-runtime {version('tflite-runtime')}",
    ]  # fmt: skip
    for column in ("limit", "limit_value"):
        assert mine.summary[column].item() == litert.summary[column].item()
    assert mine.summary["fraction_of_peak"].item() > 0
    assert mine.summary["accuracy"].item() == pytest.approx(litert.summary["accuracy"].item(), abs=0.01)
    assert DEVICES["tflite"].peaks(1) == DEVICES["cpu"].peaks(1)


@installed
def test_a_batch_is_that_of_the_single_samples(model_file: Callable[..., Path]) -> None:
    model = read_model(model_file("dense"))
    rows = np.random.default_rng(1).standard_normal((4, 8)).astype(np.float32)
    one, four = (DEVICES["tflite"].load(model, threads=2, batch=batch) for batch in (1, 4))
    single = one.bind([(row[None],) for row in rows])
    (together,) = four.bind([(rows,)])(0)
    np.testing.assert_allclose(together, np.vstack([single(index)[0] for index in range(4)]), rtol=1e-5)


@installed
@pytest.mark.parametrize("name", ["digits_cnn_int8", "quantised"])
def test_a_truncated_model_is_refused_and_the_process_lives(
    name: str, tmp_path: Path, child_environment: dict[str, str]
) -> None:
    script = """
import sys
from pathlib import Path
from tpukit.errors import ModelLoadError
from tpukit.inference import Model, get_device
content, device = Path(sys.argv[1]).read_bytes(), get_device("tflite")
for length in [*range(8, len(content), max(1, len(content) // 150)), len(content) - 1]:
    try:
        device.load(Model(name="broken", content=content[:length], sha256="0"), threads=1, batch=1)
    except ModelLoadError as error:
        assert "\\n" not in str(error)
    else:
        print("accepted", length)
"""
    path = tmp_path / "model.tflite"
    path.write_bytes(read_model(name).content if name.startswith("digits") else getattr(_models, name)())
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100, env=child_environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@installed
def test_an_operator_that_it_lacks_is_named_with_its_runtime(model_file: Callable[..., Path]) -> None:
    path = model_file("custom_op", code="another-op")
    with pytest.raises(
        ModelLoadError, match=r"^model custom_op has an operator that tflite-runtime lacks: .*another-op"
    ):
        benchmark(path, "tflite")
    with pytest.raises(ModelLoadError, match=r"^model custom_op: it is compiled for the Edge TPU, and tflite-runtime "):
        benchmark(model_file("custom_op"), "tflite")


@installed
def test_it_writes_nothing(model_file: Callable[..., Path], child_environment: dict[str, str]) -> None:
    script = "import sys, tpukit; tpukit.benchmark(sys.argv[1], 'tflite', duration_s=0.001)"
    command = [sys.executable, "-c", script, str(model_file("dense"))]
    done = subprocess.run(command, capture_output=True, check=True, timeout=100, env=child_environment)
    assert (done.stdout, done.stderr) == (b"", b"")


@installed
def test_this_environment_is_that_of_the_workstation() -> None:
    assert sys.version_info[:2] == (3, 11)
    assert version("numpy") == "1.26.4"
    for line in PROJECT["optional-dependencies"]["tflite"]:
        assert Requirement(line).specifier.contains(version(Requirement(line).name))
