"""Inputs with labels, read from a NumPy archive."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tpukit import paths
from tpukit.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Data:
    """Samples and their classes: `x` of shape (n, …), `y` of shape (n,) and an integer type.

    Raises ConfigError where the two do not fit.
    """

    name: str
    x: NDArray[Any]
    y: NDArray[Any]

    def __post_init__(self) -> None:
        if self.x.ndim < 1 or self.y.ndim != 1 or len(self.x) != len(self.y) or len(self.y) == 0:
            raise ConfigError(
                f"data {self.name}: x has shape {self.x.shape} and y {self.y.shape}: expected (n, …) and (n,), n > 0"
            )
        if self.x.dtype.kind == "f" and not np.isfinite(self.x).all():
            raise ConfigError(f"data {self.name}: x holds values that are not finite: leave these samples out")
        if self.y.dtype.kind not in "iu":
            raise ConfigError(f"data {self.name}: y holds {self.y.dtype}: expected classes as integers")


def read_data(path: Path) -> Data:
    """Read a `.npz` archive with the arrays `x` and `y`; pickled objects are refused. Raises ConfigError."""
    try:
        # a file of our own: NumPy leaves it open where the archive is damaged
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if lacks := [name for name in ("x", "y") if name not in archive]:
                raise ConfigError(f"data {path} lacks the array {lacks[0]}: expected a .npz with x and y")
            return Data(name=path.stem, x=archive["x"], y=archive["y"])
    except OSError as error:
        raise ConfigError(f"cannot read data {path}: {paths.reason(error)}") from error
    except (ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"data {path} is not a .npz archive with the plain arrays x and y") from error
