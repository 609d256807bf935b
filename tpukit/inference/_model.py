"""A model file and its identity."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tpukit import paths
from tpukit.errors import ModelLoadError, UnknownNameError
from tpukit.inference._compiled import compiled_from
from tpukit.workloads import bundled_models

# what edgetpu_compiler puts behind a model's name
_COMPILED = "_edgetpu"
#: Bytes 4 to 8 of a TFLite file.
TFLITE = b"TFL3"

_MLIR = b"ML\xefR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model's file; its identity is `sha256`, its `name` is for people.

    `data` is the bundled test archive, `trained` says whether its weights mean anything, None where nobody knows.
    `uncompiled` is what edgetpu_compiler made it of, where that lies beside it by the compiler's names: `x.tflite`
    beside `x_edgetpu.tflite`, with the same inputs and outputs.
    """

    name: str
    content: bytes = field(repr=False)
    sha256: str
    data: Path | None = None
    trained: bool | None = None
    uncompiled: "Model | None" = field(default=None, repr=False)

    @property
    def weights(self) -> str:
        """What is known of its weights, for people."""
        if self.trained is None:
            return "not known"
        return "trained" if self.trained else "untrained: latency only"

    @property
    def format(self) -> str:
        """Of which format its content is, whatever the file is called: tflite, jax (an export), or "" for neither."""
        if self.content[4:8] == TFLITE:
            return "tflite"
        # an export holds an MLIR module behind a table of its own
        return "jax" if self.content.find(_MLIR) > 0 else ""

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
        return replace(_read(bundled.name, bundled.path, data=bundled.data), trained=bundled.trained)
    if model == "":
        raise UnknownNameError("model", model, bundled_models())
    path = _expanded(model)
    if isinstance(model, str) and path.name == model and not path.suffix and not _exists(path):
        raise UnknownNameError("model", model, bundled_models())
    read = _read(paths.printable(path.stem), path, data=None)
    return replace(read, uncompiled=_uncompiled(path, read))


def read_models(models: Iterable[str | Path | Model]) -> list[Model]:
    """Return the models, read as by `read_model`; different files of one name bear the first of their sha256 too.

    >>> [model.name for model in read_models(["digits_cnn_int8", "digits_cnn_float32"])]
    ['digits_cnn_int8', 'digits_cnn_float32']
    """
    read = [read_model(model) for model in models]
    files: dict[str, set[str]] = {}
    for model in read:
        files.setdefault(model.name, set()).add(model.sha256)
    return [
        replace(model, name=f"{model.name}@{model.sha256[:8]}") if len(files[model.name]) > 1 else model
        for model in read
    ]


def _uncompiled(path: Path, model: Model) -> Model | None:
    if not path.stem.endswith(_COMPILED):
        return None
    source = path.with_name(f"{path.stem.removesuffix(_COMPILED)}{path.suffix}")
    try:
        read = _read(paths.printable(source.stem), source, data=None)
    except ModelLoadError:  # nobody named this file: what is wrong with it must not stop the run
        return None
    return read if compiled_from(model.content, read.content) else None


def _expanded(model: str | Path) -> Path:
    try:
        return Path(model).expanduser()
    except RuntimeError as error:
        raise ModelLoadError(f"cannot read model {paths.printable(model)}: {paths.NO_HOME}") from error


def _exists(path: Path) -> bool:
    with _readable(path):
        return path.exists()


def _read(name: str, path: Path, *, data: Path | None) -> Model:
    with _readable(path):
        is_odd = path.exists() and not (path.is_file() or path.is_dir())
        content = b"" if is_odd else path.read_bytes()  # a pipe would be waited for
    if is_odd:
        raise ModelLoadError(
            f"model {paths.printable(path)} is no regular file: expected a .tflite file or a JAX export"
        )
    if not content:
        raise ModelLoadError(f"model {paths.printable(path)} is empty: expected a .tflite file or a JAX export")
    return Model(name=name, content=content, sha256=hashlib.sha256(content).hexdigest(), data=data)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise ModelLoadError(f"cannot read model {paths.printable(path)}: {paths.reason(error)}") from error
