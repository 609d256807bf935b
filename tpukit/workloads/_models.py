"""The models that come with tpukit."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from tpukit import paths


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledModel:
    """A model of `datasets/models`; `data` is the archive of its test samples, where it was trained on any."""

    name: str
    path: Path
    trained: bool
    data: Path | None


@cache
def bundled_models() -> MappingProxyType[str, BundledModel]:
    """Return the bundled models by name.

    >>> bundled_models()["digits_cnn_int8"].trained
    True
    """
    folder = paths.bundled("datasets/models")
    entries = json.loads((folder / "models.json").read_text())
    return MappingProxyType({entry["name"]: _model(entry, folder) for entry in entries})


def _model(entry: dict[str, str | bool | None], folder: Path) -> BundledModel:
    data = entry["data"]
    return BundledModel(
        name=str(entry["name"]),
        path=folder / str(entry["file"]),
        trained=bool(entry["trained"]),
        data=folder / str(data) if data else None,
    )
