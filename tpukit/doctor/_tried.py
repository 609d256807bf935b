"""`python _tried.py litert`, or `libedgetpu`: use a library for once, and say what came of it.

Run as a file, since as a module of its package it would first import all of that, and pandas with it.
"""

import sys

_MODEL = "digits_cnn_int8"


def litert() -> str:
    """Run one inference of a bundled model."""
    import numpy as np

    from tpukit.inference import get_device, read_model

    session = get_device("cpu").load(read_model(_MODEL), threads=1, batch=1)
    session.bind([tuple(np.zeros(tensor.shape, tensor.dtype) for tensor in session.inputs)])(0)
    return "runs a bundled model"


def libedgetpu() -> str:
    """Return the version and file of the libedgetpu that the system's linker finds."""
    from tpukit.inference import open_library

    return open_library(None).version()


def main(what: str) -> int:
    """Print what came of it; 1 with the reason on standard error where it failed."""
    try:
        print({"litert": litert, "libedgetpu": libedgetpu}[what]())  # noqa: T201 what the parent reads
    except (OSError, RuntimeError) as error:  # a DeviceError is a RuntimeError
        print(error, file=sys.stderr)  # noqa: T201 the same
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
