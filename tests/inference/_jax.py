"""Small JAX functions as models; whoever imports this needs JAX."""

from pathlib import Path
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest

from tpukit.inference import Model, Peaks, _jax, _litert, jax_model

WEIGHTS = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)


#: In the place of what takes seconds to measure.
PEAKS = Peaks(ops_per_s={"float32": 1e11}, bytes_per_s={1: 1e11}, source="by hand")


def set_peaks(patch: pytest.MonkeyPatch) -> None:
    for module in (_jax, _litert):
        patch.setattr(module, "processor_peaks", lambda threads: PEAKS)


def array(*shape: int, dtype: Any = np.float32) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)


def free(shape: str, dtype: Any = np.float32) -> Any:
    return jax.ShapeDtypeStruct(jax.export.symbolic_shape(shape), dtype)


def dense(x: Any = None, **options: Any) -> Model:
    """tanh(x W), of any batch where nothing else is said."""
    return jax_model(lambda x: jnp.tanh(x @ WEIGHTS), free("b, 8") if x is None else x, name="dense", **options)


def saved(model: Model, folder: Path, suffix: str = ".jax") -> Path:
    path = folder / f"{model.name}{suffix}"
    path.write_bytes(model.content)
    return path
