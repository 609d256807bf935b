"""What arrives: the bundled models and their data, and the data that users bring.

| name | what |
|---|---|
| `bundled_models()` | the models that come with tpukit, by name |
| `read_data(path)` | inputs and labels from a NumPy archive |
"""

from tpukit.workloads._data import Data, read_data
from tpukit.workloads._models import BundledModel, bundled_models

__all__ = ["BundledModel", "Data", "bundled_models", "read_data"]
