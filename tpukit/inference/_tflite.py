"""Google's tflite-runtime, the predecessor of LiteRT."""

import re
from collections.abc import Mapping

from tpukit import host
from tpukit.inference._interpreter import Runtime

# the last one for which Google publishes tflite-runtime
_LAST_PYTHON = (3, 11)
# TensorFlow 2.18 was the first to be built for NumPy 2; Google's last tflite-runtime is 2.14, its metadata admit any
_NUMPY_2_SINCE = (2, 18)


def tflite_obstacle(versions: Mapping[str, str]) -> str | None:
    """Return why tflite-runtime must not be imported, None where it may.

    `versions` are those of `python`, `tflite-runtime` and `numpy`, as of `tpukit.host.versions`; one that is not
    installed is left out. With NumPy 2 a tflite-runtime that was built for NumPy 1 can be imported, and fails in its
    first interpreter with a SystemError.

    >>> tflite_obstacle({"python": "3.11.9", "tflite-runtime": "2.14.0", "numpy": "1.26.4"})
    >>> tflite_obstacle({"python": "3.11.9", "numpy": "2.4.6"})
    "tflite-runtime is not installed: pip install 'tpukit[tflite]'"
    """
    installed, numpy = versions.get("tflite-runtime"), versions.get("numpy")
    if installed is None:
        return f"tflite-runtime is not installed: {_where_to_install(versions['python'])}"
    if numpy is not None and _numbers(numpy) >= (2,) and _numbers(installed) < _NUMPY_2_SINCE:
        return (
            f"tflite-runtime {installed} needs NumPy 1 and would fail with NumPy {numpy}, which is installed: "
            "pip install 'numpy>=1.26.4,<2' 'pyarrow>=17,<26'"
        )
    return None


def _where_to_install(python: str) -> str:
    if _numbers(python) <= _LAST_PYTHON:
        return "pip install 'tpukit[tflite]'"
    last, here = (".".join(map(str, numbers)) for numbers in (_LAST_PYTHON, _numbers(python)))
    return f"pip install 'tpukit[tflite]' under Python {last} or older (here {here}, for which Google publishes none)"


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a version."""
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:2])


def _obstacle() -> str | None:
    return tflite_obstacle(host.versions(("tflite-runtime", "numpy")))


TFLITE = Runtime(
    name="tflite-runtime",
    distribution="tflite-runtime",
    module="tflite_runtime.interpreter",
    obstacle=_obstacle,
)
