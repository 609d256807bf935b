"""What bounds a model on an Edge TPU: the work of the model that it was compiled from, and the link."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.inference import _edgetpu_tree as tree
from tests.inference import _models
from tpukit.errors import ConfigError
from tpukit.inference import EdgeTPU, Facts, benchmark, inspect_model, limit, read_model, work


@pytest.fixture
def tpu(libedgetpu: Path, tmp_path: Path) -> EdgeTPU:
    (tmp_path / "root/sys/bus").mkdir(parents=True)
    return EdgeTPU(library=str(libedgetpu), root=tmp_path / "root")


@pytest.fixture
def compiled(model_file: Callable[..., Path]) -> Path:
    """A compiled model beside the one that it was compiled from."""
    model_file("quantised", name="x")
    return model_file("compiled", name="x_edgetpu")


def facts(device: EdgeTPU, path: Path, batch: int = 1) -> Facts:
    session = device.load(read_model(path), threads=1, batch=batch)
    found = session.facts
    session.close()
    return found


def test_the_model_that_it_was_compiled_from_lies_beside_it(compiled: Path) -> None:
    read = read_model(compiled)
    assert read.uncompiled == read_model(compiled.with_name("x.tflite"))
    assert "uncompiled" not in repr(read)


@pytest.mark.parametrize(
    ("name", "beside", "content"),
    [
        ("x_edgetpu", "y", _models.quantised()),
        ("x", "x", None),
        ("x_edgetpu", "x", _models.quantised(8)),
        ("x_edgetpu", "x", _models.identity()),
        ("x_edgetpu", "x", _models.compiled()),
        ("x_edgetpu", "x", b"no model"),
        ("x_edgetpu", "x", b""),
        ("x_edgetpu", "x", _models.quantised()[:200]),
    ],
    ids=["another name", "itself", "another shape", "another type", "compiled too", "no model", "empty", "truncated"],
)
def test_what_it_was_not_compiled_from_is_not_taken_for_it(
    name: str, beside: str, content: bytes | None, model_file: Callable[..., Path]
) -> None:
    path = model_file("compiled", name=name)
    if content is not None:
        path.with_name(f"{beside}.tflite").write_bytes(content)
    assert read_model(path).uncompiled is None


def test_a_model_that_is_not_compiled_has_none_whatever_it_is_called(model_file: Callable[..., Path]) -> None:
    model_file("quantised", name="x")
    assert read_model(model_file("quantised", name="x_edgetpu")).uncompiled is None


def test_a_folder_of_that_name_is_no_model(model_file: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "x.tflite").mkdir()
    assert read_model(model_file("compiled", name="x_edgetpu")).uncompiled is None


def test_its_work_is_that_of_the_model_that_it_was_compiled_from(tpu: EdgeTPU, compiled: Path) -> None:
    found = facts(tpu, compiled)
    source = work(inspect_model(compiled.with_name("x.tflite")))
    assert found.work is not None
    assert found.work.macs == source.macs == {"int8": 16}
    assert (found.work.constant_bytes, found.work.io_bytes) == (source.constant_bytes, 4 + 4)
    assert found.work.unknown_ops == 0
    # four samples at once: four times the arithmetic and the tensors, the weights once
    many = facts(tpu, compiled, batch=4).work
    assert many == replace(found.work, macs={"int8": 64}, io_bytes=32)


def test_without_that_model_the_link_bounds_it_still(tpu: EdgeTPU, model_file: Callable[..., Path]) -> None:
    found = facts(tpu, model_file("compiled", name="alone_edgetpu"))
    assert found.work is not None
    assert found.peaks is not None
    assert (found.work.macs, found.work.io_bytes, found.work.unknown_ops) == ({}, 8, 1)
    said = limit(found.work, found.peaks)
    assert said.seconds == pytest.approx(8 / 5e8)
    assert said.text.startswith("memory: 8 B at 500 MB/s, Edge TPU, USB 3")
    assert said.text.endswith("the work of 1 operator is unknown")


def test_a_model_beside_it_that_cannot_be_read_costs_no_run(tpu: EdgeTPU, compiled: Path, quiet: None) -> None:
    """Its last bytes are missing: inputs and outputs can be read, and not the rest."""
    source = compiled.with_name("x.tflite")
    source.write_bytes(source.read_bytes()[:-1])
    assert read_model(compiled).uncompiled is not None
    row = benchmark(compiled, tpu, duration_s=0.02).summary.iloc[0]
    assert row["verdict"] == "VALID"
    assert "work of x" not in row["limit"]
    assert row["limit"].endswith("the work of 1 operator is unknown")


def test_what_the_processor_does_in_between_is_not_moved_over_the_link(
    tpu: EdgeTPU, model_file: Callable[..., Path]
) -> None:
    """Two operators on the device, each with an input and an output of 4 bytes; three on the processor."""
    found = facts(tpu, model_file("compiled", name="partly", tpu_ops=2, cpu_ops=3)).work
    assert found is not None
    assert (found.io_bytes, found.unknown_ops) == (16, 2)


@pytest.mark.parametrize(
    ("plug", "place", "hardware", "bytes_per_s"),
    [
        (lambda root: tree.usb(root, speed="5000"), "", "Edge TPU, USB 3 (as stated by its maker)", 5e8),
        (lambda root: tree.usb(root, speed="480"), "", "Edge TPU, USB 2 (as stated by its maker)", 6e7),
        (tree.pci, "", "Edge TPU, PCIe (as stated by its maker)", 5e8),
        (lambda root: None, "pci", "Edge TPU, PCIe (as stated by its maker)", 5e8),
        (lambda root: None, "", "the fastest link, for its own is not known", 5e8),
        (
            lambda root: (tree.usb(root, speed="480"), tree.pci(root)),
            "",
            "Edge TPU, PCIe (as stated by its maker)",
            5e8,
        ),
        (
            lambda root: (tree.usb(root, "2-1", speed="480"), tree.usb(root, "2-2", number=4)),
            "usb",
            "the fastest link, for its own is not known",
            5e8,
        ),
        (lambda root: (tree.usb(root, speed="480"), tree.undriven(root)), "", "Edge TPU, USB 2", 6e7),
        (lambda root: (tree.usb(root, speed="480"), tree.pci(root)), "usb:0", "Edge TPU, USB 2", 6e7),
    ],
    ids=["USB 3", "USB 2", "PCIe", "PCIe unseen", "unseen", "PCIe first", "either", "no driver", "one of two"],
)
def test_the_peaks_are_those_of_the_link_that_it_is_on(
    plug: Callable[[Path], object],
    place: str,
    hardware: str,
    bytes_per_s: float,
    tpu: EdgeTPU,
    compiled: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FAKE_EDGETPU_DEVICES", "usb=/u;pci=/p")
    plug(tpu.root)
    found = facts(replace(tpu, place=place), compiled).peaks
    assert found is not None
    assert hardware in found.source
    assert found.source.endswith(", work of x")
    assert found.bandwidth(1) == bytes_per_s
    assert found.arithmetic("int8") == 4e12
    assert found.resident_bytes == 8 * 2**20


def test_a_result_says_what_bounds_it(tpu: EdgeTPU, compiled: Path, quiet: None) -> None:
    row = benchmark(compiled, tpu, duration_s=0.02).summary.iloc[0]
    assert row["limit"].startswith("memory: 8 B at 500 MB/s, Edge TPU, USB 3")
    assert "work of x" in row["limit"]
    assert row["limit_value"] == pytest.approx(8 / 5e8)
    assert 0 < row["fraction_of_peak"] < 1


def test_a_broken_table_of_accelerators_is_said_before_anything_is_measured(tpu: EdgeTPU, private_home: Path) -> None:
    (private_home / "accelerators.csv").write_text("hardware\nx\n")
    with pytest.raises(ConfigError, match="is no table of accelerators"):
        tpu.runtime()
