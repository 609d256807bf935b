"""What is installed in this Python, from metadata: nothing is imported but what is tried, in a process of its own."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from tpukit.doctor._facts import Python, Trial
from tpukit.inference import installed_pycoral

_OF_INTEREST = (
    "ai-edge-litert", "jax", "jax-cuda12-plugin", "jax-cuda13-plugin", "jaxlib", "libtpu", "numpy",
    "tflite-runtime",
)  # fmt: skip
_PATIENCE_S = 60.0


def installed(path: list[str] | None = None) -> dict[str, str]:
    """Return the versions of the distributions of interest on a path of folders, by default sys.path."""
    folders = sys.path if path is None else path
    found = {name: next(iter(metadata.distributions(name=name, path=folders)), None) for name in _OF_INTEREST}
    return {name: each.version for name, each in found.items() if each is not None}


def seen_python(litert: Trial, path: list[str] | None = None) -> Python:
    """Return this interpreter, what came of LiteRT in it, and what is installed on a path, by default sys.path."""
    return Python(
        version=(sys.version_info.major, sys.version_info.minor),
        versions=installed(path),
        pycoral=installed_pycoral(path),
        jax_platforms=os.environ.get("JAX_PLATFORMS", ""),
        litert=litert,
    )


def tried(what: str) -> Trial:
    """Try `litert` or `libedgetpu` in a process of its own, which a library of another machine may end."""
    here = Path(__file__).resolve()
    try:
        done = subprocess.run(  # noqa: S603 this Python
            [sys.executable, str(here.with_name("_tried.py")), what],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
            env=os.environ
            | {"PYTHONPATH": os.pathsep.join(filter(None, [str(here.parents[2]), os.environ.get("PYTHONPATH")]))},
        )
    except subprocess.TimeoutExpired:
        return Trial(error=f"no answer within {_PATIENCE_S:.0f} s")
    return outcome(done.returncode, done.stdout, done.stderr)


def outcome(code: int, out: str, err: str) -> Trial:
    """Return what a trial's process meant by how it ended and what it wrote.

    >>> outcome(-11, "", "").error
    'it ended its process by signal 11 (Segmentation fault)'
    """
    import signal

    if code == 0:
        return Trial(said=out.strip())
    if code < 0:
        return Trial(error=f"it ended its process by signal {-code} ({signal.strsignal(-code) or 'unknown'})")
    return Trial(error=" ".join((err.strip().splitlines() or [f"it ended with {code}"])[-1].split()))
