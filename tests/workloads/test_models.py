"""The bundled models are all there, and are what the folder says."""

import json
from pathlib import Path

import pytest

from tpukit import paths
from tpukit.workloads import BundledModel, _models, bundled_models, read_data


def test_every_file_of_the_folder_is_a_bundled_model() -> None:
    folder = paths.bundled("datasets/models")
    models = bundled_models()
    assert {model.path for model in models.values()} == set(folder.glob("*.tflite"))
    assert all(name == model.name for name, model in models.items())
    assert models.keys() >= {"digits_cnn_int8", "autoencoder_int8", "vww_int8", "mobilenet_v1_025_int8"}


def test_what_was_trained_has_data_and_only_that() -> None:
    for model in bundled_models().values():
        assert model.trained == (model.data is not None)
        if model.data:
            assert len(read_data(model.data).y) >= 100


def test_the_models_cannot_be_changed_by_a_caller() -> None:
    with pytest.raises(TypeError):
        bundled_models()["mine"] = None


def test_models_are_read_from_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        {"name": "a", "file": "a.tflite", "trained": True, "data": "a.npz"},
        {"name": "b", "file": "b.tflite", "trained": False, "data": None, "note": "more is no matter"},
    ]
    (tmp_path / "models.json").write_text(json.dumps(entries))
    monkeypatch.setattr(_models.paths, "bundled", lambda relative: tmp_path)
    assert dict(bundled_models.__wrapped__()) == {
        "a": BundledModel(name="a", path=tmp_path / "a.tflite", trained=True, data=tmp_path / "a.npz"),
        "b": BundledModel(name="b", path=tmp_path / "b.tflite", trained=False, data=None),
    }
