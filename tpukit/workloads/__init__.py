"""What arrives: the bundled models and their data, and the data that users bring.

| name | what |
|---|---|
| `bundled_models()` | the models that come with tpukit, by name |
| `read_data(path)` | inputs and labels from a NumPy archive |
| `reference_latencies()` | what Coral and pycoral published of models on Edge TPUs and processors |
| `references_of(model, references)` | those of them that are of one model |
"""

from tpukit.workloads._data import Data, read_data
from tpukit.workloads._models import BundledModel, bundled_models
from tpukit.workloads._references import reference_latencies, references_of

__all__ = ["BundledModel", "Data", "bundled_models", "read_data", "reference_latencies", "references_of"]
