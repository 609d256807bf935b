"""A model file and its identity."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from tpukit import paths
from tpukit.errors import ModelLoadError, UnknownNameError
from tpukit.workloads import bundled_models


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model's file; its identity is `sha256`, its `name` is for people. `data` is the bundled test archive."""

    name: str
    content: bytes = field(repr=False)
    sha256: str
    data: Path | None = None

    @property
    def size_bytes(self) -> int:
        """Size of the file."""
        return len(self.content)


def read_model(model: str | Path | Model) -> Model:
    """Return the model that `model` names: a bundled model's name, or a file's path.

    Raises UnknownNameError for a name that is neither, ModelLoadError for a file that is missing, unreadable or empty.

    >>> read_model("digits_cnn_int8").name
    'digits_cnn_int8'
    """
    if isinstance(model, Model):
        return model
    bundled = bundled_models().get(model) if isinstance(model, str) else None
    if bundled:
        return _read(bundled.name, bundled.path, data=bundled.data)
    path = Path(model).expanduser()
    if isinstance(model, str) and path.name == model and not path.suffix and not path.exists():
        raise UnknownNameError("model", model, bundled_models())
    # names are shown, stored and sent as UTF-8
    return _read("".join(each if each.isprintable() else "?" for each in path.stem), path, data=None)


def _read(name: str, path: Path, *, data: Path | None) -> Model:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ModelLoadError(f"model {path} is no regular file: expected a .tflite file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelLoadError(f"cannot read model {path}: {paths.reason(error)}") from error
    if not content:
        raise ModelLoadError(f"model {path} is empty: expected a .tflite file")
    return Model(name=name, content=content, sha256=hashlib.sha256(content).hexdigest(), data=data)
